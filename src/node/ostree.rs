//! ostree's deployments (ostree manual, Anatomy of a deployment; The Boot Loader Specification): trees of an operating
//! system beside each other in `/ostree/deploy/NAME/deploy`, of which a boot loader's entry names one.

use std::sync::Arc;

use super::{entries, machine::NodeVolume, roots::holds_os};
use crate::{
    error::{FormatError, note},
    fs::{DirEntry, FileSystem, GuestPath, Handle, Root, Timestamp},
    gap::Code,
    limits,
};

const DEPLOYMENTS: &str = "ostree/deploy";

/// The deployment that is booted.
pub(super) struct Deployment {
    /// Its tree.
    pub(super) dir: Handle,
    /// The variable data that all deployments of its name share: its `/var`.
    pub(super) var: Option<Handle>,
    /// The volume with the boot loader's entries, if it is another one.
    pub(super) boot: Option<usize>,
    /// What names it: the kernel's argument, or its path.
    pub(super) spec: String,
    /// Whether a boot loader's entry names it.
    pub(super) has_entry: bool,
    /// What is not certain about it.
    pub(super) doubt: Option<FormatError>,
}

/// The deployment of a file system that is booted, by the entries on it or on another of `volumes`; `None` if it has no
/// deployments. What could not be read meanwhile is in `notes`, whatever comes of it.
pub(super) fn booted(
    fs: &Arc<dyn FileSystem>,
    volumes: &[NodeVolume],
    notes: &mut Vec<FormatError>,
) -> Result<Option<Deployment>, FormatError> {
    let root = Root::new(Arc::clone(fs));
    let Some(top) = root.find(DEPLOYMENTS.as_bytes())? else { return Ok(None) };
    let entry = named(&root, fs, volumes, notes).into_iter().max_by_key(|entry| entry.version);
    let has_entry = entry.is_some();
    let (dir, spec, boot, doubt) = match entry {
        Some(entry) => (entry.dir, entry.spec, entry.boot, None),
        None => match newest(&root, &top, notes)? {
            Some((dir, doubt)) => (dir.clone(), dir.path.to_string(), None, doubt),
            None => return Ok(None),
        },
    };
    if !holds_os(&Root::below(&dir))? {
        return Ok(None);
    }
    let name = dir.path.components().nth(2).unwrap_or_default().to_vec();
    let var = root.find(GuestPath::new(DEPLOYMENTS).join(&name).join(b"var").as_bytes())?;
    Ok(Some(Deployment { dir, var, boot, spec, has_entry, doubt }))
}

/// An entry that names a deployment which is there.
struct Entry {
    version: u64,
    dir: Handle,
    spec: String,
    boot: Option<usize>,
}

fn named(
    root: &Root,
    fs: &Arc<dyn FileSystem>,
    volumes: &[NodeVolume],
    notes: &mut Vec<FormatError>,
) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut read: usize = 0;
    for (number, volume) in volumes.iter().enumerate() {
        let on = Root::new(Arc::clone(&volume.opened.fs));
        let boot = (!Arc::ptr_eq(&volume.opened.fs, fs)).then_some(number);
        for dir in ["loader/entries", "boot/loader/entries"] {
            let all = entries::read(&on, dir, notes).unwrap_or_else(|error| {
                note(notes, error);
                Vec::new()
            });
            read = read.saturating_add(all.len());
            if read > limits::BOOT_ENTRIES {
                let what = format!("more than {} boot loader entries", limits::BOOT_ENTRIES);
                note(notes, FormatError::limit(what));
                return found;
            }
            for one in all {
                let options = one.value("options").unwrap_or_default();
                let Some(path) =
                    options.split_ascii_whitespace().find_map(|word| word.strip_prefix("ostree="))
                else {
                    continue;
                };
                let version = one.value("version").and_then(|version| version.parse().ok()).unwrap_or(0);
                match root.find(path.as_bytes()) {
                    Ok(Some(dir)) if dir.path.starts_with(&GuestPath::new(DEPLOYMENTS)) => {
                        found.push(Entry { version, dir, spec: format!("ostree={path}"), boot });
                    }
                    // Of another root.
                    Ok(_) => {}
                    Err(error) => note(notes, error),
                }
            }
        }
    }
    found
}

/// Without a boot loader's entry, the deployment that was made last: that of the youngest `NAME.origin` beside it. With
/// others beside it, that it runs is in doubt.
fn newest(
    root: &Root,
    top: &Handle,
    notes: &mut Vec<FormatError>,
) -> Result<Option<(Handle, Option<FormatError>)>, FormatError> {
    let mut found = Vec::new();
    for name in entries_of(top, notes)? {
        let deployments = top.path.join(&name.name).join(b"deploy");
        let Some(dir) = root.find(deployments.as_bytes())? else { continue };
        for entry in entries_of(&dir, notes)? {
            match made(root, &dir.path.join(&entry.name)) {
                Ok(one) => found.extend(one),
                Err(error) => note(notes, error),
            }
        }
    }
    let doubt = (found.len() > 1).then(|| FormatError::Unsupported {
        code: Code::MissingDisk,
        what: format!(
            "{} deployments of ostree, and no boot loader's entry: the newest is taken for the one that runs",
            found.len()
        ),
    });
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.path.cmp(&other.path)));
    Ok(found.pop().map(|(_, handle)| (handle, doubt)))
}

/// A deployment, and when it was made; `None` for what is no directory.
fn made(root: &Root, path: &GuestPath) -> Result<Option<(Option<Timestamp>, Handle)>, FormatError> {
    let Some(handle) = root.find(path.as_bytes())? else { return Ok(None) };
    if !handle.is_dir()? {
        return Ok(None);
    }
    let origin = root.find(&[path.as_bytes(), b".origin"].concat())?;
    let made = origin.map(|origin| origin.stat()).transpose()?.map(|stat| stat.mtime);
    Ok(Some((made, handle)))
}

/// What a directory of deployments holds.
fn entries_of(dir: &Handle, notes: &mut Vec<FormatError>) -> Result<Vec<DirEntry>, FormatError> {
    let listing = dir.read_dir()?;
    listing.damage.into_iter().for_each(|error| note(notes, error));
    if listing.entries.len() > limits::BOOT_ENTRIES {
        let what = format!("more than {} entries of {}", limits::BOOT_ENTRIES, dir.path);
        return Err(FormatError::limit(what));
    }
    Ok(listing.entries)
}
