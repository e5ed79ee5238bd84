//! ostree's deployments (ostree manual, Anatomy of a deployment; The Boot Loader Specification): trees of an operating
//! system beside each other in `/ostree/deploy/NAME/deploy`, of which a boot loader's entry names one.

use std::sync::Arc;

use super::{machine::NodeVolume, roots::holds_os};
use crate::{
    block,
    error::FormatError,
    fs::{DirEntry, FileSystem, GuestPath, Handle, Root},
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
    pub(super) notes: Vec<FormatError>,
}

/// The deployment of a file system that is booted, by the entries on it or on another of `volumes`; `None` if it has no
/// deployments.
pub(super) fn booted(
    fs: &Arc<dyn FileSystem>,
    volumes: &[NodeVolume],
) -> Result<Option<Deployment>, FormatError> {
    let root = Root::new(Arc::clone(fs));
    let Some(top) = root.find(DEPLOYMENTS.as_bytes())? else { return Ok(None) };
    let mut notes = Vec::new();
    let entry = entries(&root, fs, volumes, &mut notes).into_iter().max_by_key(|entry| entry.version);
    let has_entry = entry.is_some();
    let (dir, spec, boot) = match entry {
        Some(entry) => (entry.dir, entry.spec, entry.boot),
        None => match newest(&root, &top, &mut notes)? {
            Some(dir) => (dir.clone(), dir.path.to_string(), None),
            None => return Ok(None),
        },
    };
    if !holds_os(&Root::below(&dir))? {
        return Ok(None);
    }
    let name = dir.path.components().nth(2).unwrap_or_default().to_vec();
    let var = root.find(GuestPath::new(DEPLOYMENTS).join(&name).join(b"var").as_bytes())?;
    Ok(Some(Deployment { dir, var, boot, spec, has_entry, notes }))
}

/// An entry that names a deployment which is there.
struct Entry {
    version: u64,
    dir: Handle,
    spec: String,
    boot: Option<usize>,
}

fn entries(
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
            let texts = texts(&on, dir, notes).unwrap_or_else(|error| {
                notes.push(error);
                Vec::new()
            });
            read = read.saturating_add(texts.len());
            if read > limits::BOOT_ENTRIES {
                let what = format!("more than {} boot loader entries", limits::BOOT_ENTRIES);
                notes.push(FormatError::limit(what));
                return found;
            }
            for text in texts {
                let value = |key: &str| {
                    text.lines()
                        .filter_map(|line| line.trim().split_once(char::is_whitespace))
                        .find(|(k, _)| *k == key)
                        .map(|(_, value)| value.trim())
                };
                let options = value("options").unwrap_or_default();
                let Some(path) =
                    options.split_ascii_whitespace().find_map(|word| word.strip_prefix("ostree="))
                else {
                    continue;
                };
                let version = value("version").and_then(|version| version.parse().ok()).unwrap_or(0);
                match root.find(path.as_bytes()) {
                    Ok(Some(dir)) if dir.path.starts_with(&GuestPath::new(DEPLOYMENTS)) => {
                        found.push(Entry { version, dir, spec: format!("ostree={path}"), boot });
                    }
                    // Of another root.
                    Ok(_) => {}
                    Err(error) => notes.push(error),
                }
            }
        }
    }
    found
}

/// The boot loader's entries in a directory.
fn texts(root: &Root, dir: &str, notes: &mut Vec<FormatError>) -> Result<Vec<String>, FormatError> {
    let Some(found) = root.find(dir.as_bytes())?.filter(|found| matches!(found.is_dir(), Ok(true))) else {
        return Ok(Vec::new());
    };
    let listing = found.read_dir()?;
    notes.extend(listing.damage);
    let mut names: Vec<Vec<u8>> = listing.entries.into_iter().map(|entry| entry.name).collect();
    names.retain(|name| name.ends_with(b".conf"));
    names.sort();
    if names.len() > limits::BOOT_ENTRIES {
        return Err(FormatError::limit(format!("more than {} boot loader entries", limits::BOOT_ENTRIES)));
    }
    let below = Root::below(&found);
    let mut texts = Vec::new();
    for name in names {
        let Some(file) = below.find(&name)? else { continue };
        let text = block::read_all(&file.open()?, "boot loader entry", limits::BOOT_ENTRY_BYTES)?;
        texts.push(String::from_utf8_lossy(&text).into_owned());
    }
    Ok(texts)
}

/// Without a boot loader's entry, the deployment that was made last: that of the youngest `NAME.origin` beside it.
fn newest(root: &Root, top: &Handle, notes: &mut Vec<FormatError>) -> Result<Option<Handle>, FormatError> {
    let mut found = Vec::new();
    for name in entries_of(top)? {
        let deployments = top.path.join(&name.name).join(b"deploy");
        let Some(dir) = root.find(deployments.as_bytes())? else { continue };
        for entry in entries_of(&dir)? {
            let path = dir.path.join(&entry.name);
            if let Some(handle) =
                root.find(path.as_bytes())?.filter(|found| matches!(found.is_dir(), Ok(true)))
            {
                let origin = root.find(&[path.as_bytes(), b".origin"].concat())?;
                let made = origin.map(|origin| origin.stat()).transpose()?.map(|stat| stat.mtime);
                found.push((made, handle));
            }
        }
    }
    if found.len() > 1 {
        let what = format!(
            "{} deployments of ostree, and no boot loader's entry: the newest is taken for the one that runs",
            found.len()
        );
        notes.push(FormatError::Unsupported { code: Code::MissingDisk, what });
    }
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.path.cmp(&other.path)));
    Ok(found.pop().map(|(_, handle)| handle))
}

/// What a directory of deployments holds.
fn entries_of(dir: &Handle) -> Result<Vec<DirEntry>, FormatError> {
    let entries = dir.read_dir()?.entries;
    if entries.len() > limits::BOOT_ENTRIES {
        let what = format!("more than {} entries of {}", limits::BOOT_ENTRIES, dir.path);
        return Err(FormatError::limit(what));
    }
    Ok(entries)
}
