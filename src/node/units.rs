//! systemd's mount units (systemd.mount(5), systemd.unit(5)): what systems without an fstab mount, and what is
//! configured when a machine first starts.

use std::collections::{BTreeMap, BTreeSet};

use super::fstab::Line;
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Listing, Root},
    limits,
};

/// Where units lie; a name in an earlier one goes before the same name in a later one.
const DIRECTORIES: &[&str] = &["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// What the mount units of a system mount, in the order of their names, and what could not be read. A unit that
/// nothing asks for is marked `nofail`: without its disk, nothing is missing.
pub(super) fn read(root: &Root) -> (Vec<Line>, Vec<(GuestPath, FormatError)>) {
    let mut reader = Reader { root, damage: Vec::new() };
    let mut units: BTreeMap<Vec<u8>, Option<Line>> = BTreeMap::new();
    let mut wanting = Vec::new();
    for dir in DIRECTORIES {
        let dir = GuestPath::new(dir);
        for entry in reader.list(&dir).entries {
            let path = dir.join(&entry.name);
            if entry.kind == FileKind::Directory
                && [b".wants".as_slice(), b".requires"].iter().any(|end| entry.name.ends_with(end))
            {
                wanting.push(path);
            } else if entry.name.ends_with(b".mount") && !units.contains_key(&entry.name) {
                if units.len() >= limits::MOUNTS {
                    let what = format!("more than {} mount units", limits::MOUNTS);
                    reader.damage.push((dir.clone(), FormatError::limit(what)));
                    break;
                }
                let line = reader.unit(&path);
                units.insert(entry.name, line);
            }
        }
    }
    let mut lines: Vec<(Vec<u8>, Line)> =
        units.into_iter().filter_map(|(name, line)| Some((name, line?))).collect();
    lines.retain(|(_, line)| line.is_disk() || line.is_bind());
    // Most systems have no units that matter: then what is enabled does not either.
    let mut enabled = BTreeSet::new();
    for dir in wanting.iter().filter(|_| !lines.is_empty()).take(limits::MOUNTS) {
        enabled.extend(reader.list(dir).entries.into_iter().map(|entry| entry.name));
    }
    let lines = lines.into_iter().map(|(name, mut line)| {
        if !enabled.contains(&name) {
            line.options.push("nofail".to_owned());
        }
        line
    });
    (lines.collect(), reader.damage)
}

struct Reader<'a> {
    root: &'a Root,
    damage: Vec<(GuestPath, FormatError)>,
}

impl Reader<'_> {
    fn list(&mut self, path: &GuestPath) -> Listing {
        let listing = match self.root.find(path.as_bytes()) {
            Ok(Some(dir)) if matches!(dir.is_dir(), Ok(true)) => dir.read_dir(),
            Ok(_) => return Listing::default(),
            Err(error) => Err(error),
        };
        match listing {
            Ok(mut listing) => {
                self.damage.extend(listing.damage.drain(..).map(|error| (path.clone(), error)));
                listing
            }
            Err(error) => {
                self.damage.push((path.clone(), error));
                Listing::default()
            }
        }
    }

    /// What a unit mounts; `None` for one that is masked (a link to `/dev/null`, or empty).
    fn unit(&mut self, path: &GuestPath) -> Option<Line> {
        match self.root.read(path.as_bytes(), "mount unit") {
            Ok(text) => parse(&path.to_string(), &String::from_utf8_lossy(&text?)),
            Err(error) => {
                self.damage.push((path.clone(), error));
                None
            }
        }
    }
}

/// The `[Mount]` section of a unit.
fn parse(from: &str, text: &str) -> Option<Line> {
    let mut section = "";
    let (mut what, mut place, mut kind, mut options) = (None, None, String::new(), String::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section == "[Mount]") else { continue };
        let value = value.trim();
        match key.trim() {
            "What" => what = Some(value.to_owned()),
            "Where" => place = Some(value.to_owned()),
            "Type" => value.clone_into(&mut kind),
            "Options" => value.clone_into(&mut options),
            _ => {}
        }
    }
    let (spec, at) = (what?, place?);
    let options = options.split(',').map(str::to_owned).collect();
    at.starts_with('/').then(|| Line { from: from.to_owned(), spec, at: GuestPath::new(&at), kind, options })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn units_that_mount_disks_and_whether_something_asks_for_them() {
        let unit = |what: &str, at: &str, options: &str| {
            format!(
                "[Unit]\nWhat=no\n[Mount]\nWhat = {what}\nWhere={at}\nOptions={options}\n[Install]\nWhere=/no\n"
            )
        };
        let mut tree = Tree::default();
        tree.file("usr/lib/systemd/system/var.mount", unit("/dev/old", "/var", ""));
        tree.file("etc/systemd/system/var.mount", unit("LABEL=var", "/var", "noatime"));
        tree.link("etc/systemd/system/local-fs.target.wants/var.mount", "../var.mount");
        tree.file("usr/lib/systemd/system/srv.mount", unit("/var/srv", "/srv", "bind"));
        tree.file("usr/lib/systemd/system/tmp.mount", unit("tmpfs", "/tmp", ""));
        tree.file("usr/lib/systemd/system/opt.mount", unit("LABEL=opt", "/opt", ""));
        tree.link("etc/systemd/system/opt.mount", "/dev/null");
        tree.file("usr/lib/systemd/system/broken.mount", "[Mount]\nWhere=relative\n");
        let (lines, damage) = read(&Root::new(tree.build()));
        assert!(damage.is_empty());
        let shown: Vec<_> = lines.iter().map(|line| (line.text(), line.options.join(","))).collect();
        let row = |text: &str, options: &str| (text.to_owned(), options.to_owned());
        assert_eq!(
            shown,
            [
                row("/usr/lib/systemd/system/srv.mount mounts /var/srv at /srv", "bind,nofail"),
                row("/etc/systemd/system/var.mount mounts LABEL=var at /var", "noatime"),
            ]
        );
    }
}
