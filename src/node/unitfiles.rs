//! systemd's units with their drop-ins, as they lie on the disks of a machine (systemd.unit(5), systemd.syntax(7)).

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Listing, Root},
    gap::Code,
    limits, num,
};

/// Where units lie; a name in an earlier one goes before the same name in a later one. Those in `/run` are in memory.
const DIRECTORIES: [&str; 6] = [
    "etc/systemd/system.control",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// Bytes that a file counts for at least.
const LEAST: usize = 4096;

/// A file of a unit, and its text.
pub(super) struct File {
    pub(super) path: GuestPath,
    pub(super) text: String,
}

/// A unit.
#[derive(Default)]
pub(super) struct Unit {
    /// What it is made of: its file, then its drop-ins in the order in which they count. None if there is no file, or it
    /// is masked.
    pub(super) files: Vec<File>,
    /// Files of its name that others go before, or that a mask does.
    pub(super) unused: Vec<File>,
    /// It is masked: a link to `/dev/null`, or empty.
    pub(super) is_masked: bool,
    /// Its file is the machine's own, in `/etc`: it goes before what is made of fstab.
    pub(super) is_own: bool,
}

/// An assignment in a unit.
pub(super) struct Assignment {
    pub(super) file: GuestPath,
    pub(super) key: String,
    /// What it is set to; empty takes back what was set before.
    pub(super) value: String,
}

impl Unit {
    /// The assignments of a section of all its files, in their order.
    pub(super) fn section(&self, section: &str) -> Vec<Assignment> {
        self.files.iter().flat_map(|file| file.section(section)).collect()
    }
}

impl File {
    /// The assignments of a section.
    pub(super) fn section(&self, section: &str) -> Vec<Assignment> {
        let mut is_here = false;
        let mut found = Vec::new();
        for line in lines(&self.text) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                is_here = name == section;
            } else if let Some((key, value)) = line.split_once('=').filter(|_| is_here) {
                let (file, key, value) = (self.path.clone(), key.trim().to_owned(), value.trim().to_owned());
                found.push(Assignment { file, key, value });
            }
        }
        found
    }
}

/// The lines of a text without comments and the blanks around them; one that ends in a backslash goes on in the next. A
/// line ends as systemd has it: with a line feed, a carriage return, or a zero byte.
fn lines(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut begun = String::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Between a carriage return and its line feed is no line.
    let text = text.replace("\r\n", "\n");
    for line in text.split_terminator(['\n', '\r', '\0']) {
        let line = line.trim_end();
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        begun.push_str(line);
        let backslashes = begun.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes.is_multiple_of(2) {
            found.push(std::mem::take(&mut begun));
        } else {
            begun.pop();
            begun.push(' ');
        }
    }
    found.push(begun);
    found
}

/// The units of a machine.
pub(super) struct Units<'a> {
    root: &'a Root,
    /// The directories of units with what they hold.
    dirs: Vec<(GuestPath, BTreeMap<Vec<u8>, FileKind>)>,
    /// What could not be read.
    pub(super) damage: Vec<(GuestPath, FormatError)>,
    /// Bytes that are still read.
    left: usize,
}

impl<'a> Units<'a> {
    /// Looks which units there are.
    pub(super) fn new(root: &'a Root) -> Self {
        let mut units = Self { root, dirs: Vec::new(), damage: Vec::new(), left: limits::UNIT_BYTES };
        let mut seen = BTreeSet::new();
        for dir in DIRECTORIES {
            let dir = GuestPath::new(dir);
            // `/lib` is `/usr/lib` on most machines.
            if let Some((real, listing)) = units.list(&dir)
                && seen.insert(real)
            {
                let names = listing.entries.into_iter().map(|entry| (entry.name, entry.kind)).collect();
                units.dirs.push((dir, names));
            }
        }
        units
    }

    /// The names that end with one of `ends` in the directories of units, each with its path; directories or others.
    pub(super) fn named(&self, ends: &[&str], directories: bool) -> Vec<(Vec<u8>, GuestPath)> {
        let mut found = Vec::new();
        for (dir, names) in &self.dirs {
            let is = |name: &[u8], kind| {
                ends.iter().any(|end| name.ends_with(end.as_bytes()))
                    && directories == (kind == FileKind::Directory)
            };
            let fitting = names.iter().filter(|(name, kind)| is(name, **kind));
            found.extend(fitting.map(|(name, _)| (name.clone(), dir.join(name))));
        }
        found
    }

    /// A directory where it really is, and what it holds; `None` if there is none, or it cannot be read.
    pub(super) fn list(&mut self, path: &GuestPath) -> Option<(GuestPath, Listing)> {
        let listing = self.root.list(path.as_bytes());
        let (dir, mut listing) = listing.map_err(|error| self.damage.push((path.clone(), error))).ok()??;
        self.damage.extend(listing.damage.drain(..).map(|error| (path.clone(), error)));
        Some((dir.path, listing))
    }

    /// The unit of a name.
    pub(super) fn unit(&mut self, name: &[u8]) -> Unit {
        let is_file = |kind: &FileKind| *kind != FileKind::Directory;
        let has = |(_, names): &&(GuestPath, BTreeMap<_, _>)| names.get(name).is_some_and(is_file);
        let paths: Vec<_> = self.dirs.iter().filter(has).map(|(dir, _)| dir.join(name)).collect();
        let mut unit = Unit::default();
        let Some((first, others)) = paths.split_first().filter(|_| self.left > 0) else { return unit };
        unit.is_own = first.starts_with(&GuestPath::new("etc"));
        match self.text(first) {
            Ok(Some(text)) => unit.files.push(File { path: first.clone(), text }),
            Ok(None) => unit.is_masked = true,
            Err(error) => self.damage.push((first.clone(), error)),
        }
        // A link to a unit of another name is that unit, whose drop-ins count for it, too.
        let (mut used, mut hidden) = self.drop_ins(name);
        if let Some(target) = self.alias(first).filter(|target| target != name) {
            let (more, others) = self.drop_ins(&target);
            hidden.extend(others);
            let mut all: BTreeMap<Vec<u8>, GuestPath> = BTreeMap::new();
            for path in more.into_iter().chain(used) {
                match all.entry(path.name().to_vec()) {
                    Entry::Occupied(known) if *known.get() == path => {}
                    Entry::Occupied(_) => hidden.push(path),
                    Entry::Vacant(vacant) => drop(vacant.insert(path)),
                }
            }
            used = all.into_values().collect();
        }
        for path in used {
            let text = self.text(&path).unwrap_or_else(|error| {
                self.damage.push((path.clone(), error));
                None
            });
            let files = if unit.files.is_empty() { &mut unit.unused } else { &mut unit.files };
            files.extend(text.map(|text| File { path, text }));
        }
        for path in others.iter().cloned().chain(hidden) {
            match self.text(&path) {
                Ok(text) => unit.unused.extend(text.map(|text| File { path, text })),
                // After it, nothing more is read.
                Err(error) if error.code() == Code::LimitReached => self.damage.push((path, error)),
                // Of what is not in use, nothing is missing.
                Err(_) => {}
            }
        }
        unit
    }

    /// The name of the unit that a file of another name is a link to, if it is one.
    fn alias(&self, path: &GuestPath) -> Option<Vec<u8>> {
        let link = self.root.find_no_follow(path.as_bytes()).ok()??;
        if link.stat().ok()?.kind != FileKind::Symlink {
            return None;
        }
        let target = self.root.find(path.as_bytes()).ok()??.path.name().to_vec();
        let kind = |name: &[u8]| name.rsplit(|byte| *byte == b'.').next().map(<[u8]>::to_vec);
        (kind(&target) == kind(path.name())).then_some(target)
    }

    /// The drop-ins of a unit in the order of their names, and those that others of their name go before.
    fn drop_ins(&mut self, name: &[u8]) -> (Vec<GuestPath>, Vec<GuestPath>) {
        let text = String::from_utf8_lossy(name);
        let Some((stem, kind)) = text.rsplit_once('.') else { return Default::default() };
        // `a-b.mount.d`, then `a-.mount.d`: what its name begins with, up to each `-`.
        let mut own = vec![format!("{text}.d")];
        let prefixes = stem.match_indices('-').map(|(at, _)| stem.get(..=at).unwrap_or_default());
        own.extend(prefixes.rev().map(|prefix| format!("{prefix}.{kind}.d")));
        let of_kind = [format!("{kind}.d")];
        let mut dirs = Vec::new();
        for names in [&own[..], &of_kind] {
            for (dir, there) in &self.dirs {
                let there = names.iter().filter(|name| there.contains_key(name.as_bytes()));
                dirs.extend(there.map(|name| dir.join(name.as_bytes())));
            }
        }
        let mut used: BTreeMap<Vec<u8>, GuestPath> = BTreeMap::new();
        let mut hidden = Vec::new();
        for dir in dirs {
            let Some((_, listing)) = self.list(&dir) else { continue };
            for entry in listing.entries {
                if entry.kind == FileKind::Directory || !entry.name.ends_with(b".conf") {
                    continue;
                }
                if used.len().saturating_add(hidden.len()) >= limits::CONFIG_FILES {
                    self.damage.push((dir, too_many()));
                    return (used.into_values().collect(), hidden);
                }
                let path = dir.join(&entry.name);
                match used.entry(entry.name) {
                    Entry::Occupied(_) => hidden.push(path),
                    Entry::Vacant(vacant) => drop(vacant.insert(path)),
                }
            }
        }
        (used.into_values().collect(), hidden)
    }

    /// The drop-ins in a directory, in any order.
    pub(super) fn drop_ins_in(&mut self, dir: &GuestPath) -> Vec<File> {
        let listing = self.list(dir).map(|(_, listing)| listing.entries).unwrap_or_default();
        let names = listing.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(b".conf"));
        let mut files = Vec::new();
        for (number, path) in names.map(|name| dir.join(&name)).enumerate() {
            if number >= limits::CONFIG_FILES {
                self.damage.push((path, too_many()));
                break;
            }
            match self.text(&path) {
                Ok(text) => files.extend(text.map(|text| File { path, text })),
                Err(error) => self.damage.push((path, error)),
            }
        }
        files
    }

    /// The text of a file; `None` if it is a mask.
    fn text(&mut self, path: &GuestPath) -> Result<Option<String>, FormatError> {
        let corrupt = |problem: String| FormatError::malformed("unit", problem);
        if let Some(file) = self.root.find(path.as_bytes())?
            && file.stat()?.kind == FileKind::Regular
        {
            let size = num::to_usize(file.stat()?.size).max(LEAST);
            let Some(left) = self.left.checked_sub(size) else {
                self.left = 0;
                return Err(FormatError::limit(format!("units of more than {} bytes", limits::UNIT_BYTES)));
            };
            self.left = left;
            let text = file.read("unit")?;
            return Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()));
        }
        let Some(link) = self.root.find_no_follow(path.as_bytes())? else {
            return Err(corrupt("it is listed, and not there".to_owned()));
        };
        match link.stat()?.kind {
            FileKind::Symlink => {
                let target = link.fs.read_link(link.ino)?;
                match target.ends_with(b"/dev/null") {
                    true => Ok(None),
                    false => {
                        Err(corrupt(format!("a link to \"{}\", which is not there", target.escape_ascii())))
                    }
                }
            }
            _ => Err(corrupt("it is no regular file".to_owned())),
        }
    }
}

fn too_many() -> FormatError {
    FormatError::limit(format!("more than {} drop-ins of a unit", limits::CONFIG_FILES))
}

/// The path that the name of a mount unit says; `None` if it says none (systemd-escape(1)).
pub(super) fn path_of(name: &[u8]) -> Option<GuestPath> {
    let stem = name.strip_suffix(b".mount")?;
    if stem == b"-" {
        return Some(GuestPath::ROOT);
    }
    let mut path = Vec::new();
    let mut rest = stem;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' => path.push(b'/'),
            b'\\' => {
                let (code, after) = after.strip_prefix(b"x")?.split_at_checked(2)?;
                path.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
                rest = after;
            }
            other => path.push(*other),
        }
    }
    Some(GuestPath::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn paths_in_names() {
        let path = |name: &str| path_of(name.as_bytes()).map(|path| path.to_string());
        assert_eq!(path("mnt-k8s\\x2ddisks-0.mount").as_deref(), Some("/mnt/k8s-disks/0"));
        assert_eq!(path("-.mount").as_deref(), Some("/"));
        assert_eq!(path("a\\x2.mount"), None);
        assert_eq!(path("a.service"), None);
    }

    #[test]
    fn lines_go_on_behind_a_backslash() {
        assert_eq!(lines("a \\\n# no\n b\n; c\nd\\\\\n"), ["a   b", "d\\\\", ""]);
        assert_eq!(lines("\u{feff}a\\ \t\nb\rc\0d\\\r\ne"), ["a b", "c", "d e", ""]);
        let file = File { path: GuestPath::ROOT, text: "\u{feff}[Service]\rA=b\\ \r\n c\r".to_owned() };
        let found: Vec<_> = file.section("Service").into_iter().map(|one| (one.key, one.value)).collect();
        assert_eq!(found, [("A".to_owned(), "b  c".to_owned())]);
    }

    #[test]
    fn drop_ins_count_in_the_order_of_their_names_and_directories() {
        let mut tree = Tree::default();
        let lib = "usr/lib/systemd/system";
        tree.file(&format!("{lib}/a-b.mount"), "lib");
        tree.file("usr/local/lib/systemd/system/a-b.mount", "local");
        tree.link("lib", "usr/lib");
        for (path, text) in [
            (format!("{lib}/a-b.mount.d/20.conf"), "lib 20"),
            (format!("{lib}/mount.d/10.conf"), "kind 10"),
            (format!("{lib}/a-.mount.d/15.conf"), "prefix 15"),
            ("etc/systemd/system/a-b.mount.d/20.conf".to_owned(), "etc 20"),
            ("etc/systemd/system/mount.d/15.conf".to_owned(), "kind 15"),
            ("etc/systemd/system/a-b.mount.d/30.txt".to_owned(), "no"),
        ] {
            tree.file(&path, text);
        }
        tree.file(&format!("{lib}/a-b.mount.d/40.conf"), "masked");
        tree.link("etc/systemd/system/a-b.mount.d/40.conf", "/dev/null");
        let root = Root::new(tree.build());
        let mut units = Units::new(&root);
        let unit = units.unit(b"a-b.mount");
        let texts = |files: &[File]| files.iter().map(|file| file.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&unit.files), ["local", "kind 10", "prefix 15", "etc 20"]);
        assert_eq!(texts(&unit.unused), ["lib", "lib 20", "masked", "kind 15"]);
        assert!(units.damage.is_empty(), "{:?}", units.damage);
    }

    #[test]
    fn the_drop_ins_of_a_unit_count_for_its_other_names() {
        let mut tree = Tree::default();
        tree.file("usr/lib/systemd/system/moby.service", "moby");
        tree.link("etc/systemd/system/docker.service", "/usr/lib/systemd/system/moby.service");
        tree.file("etc/systemd/system/moby.service.d/10.conf", "moby 10");
        tree.file("etc/systemd/system/docker.service.d/20.conf", "docker 20");
        let root = Root::new(tree.build());
        let mut units = Units::new(&root);
        let unit = units.unit(b"docker.service");
        let texts: Vec<_> = unit.files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["moby", "moby 10", "docker 20"]);
        assert!(units.damage.is_empty() && unit.unused.is_empty());
    }

    #[test]
    fn units_without_end_are_cut_and_told() {
        let mut tree = Tree::default();
        tree.file("etc/systemd/system/a.mount", "x".repeat(limits::UNIT_BYTES));
        (0..2000).for_each(|n| tree.file(&format!("etc/systemd/system/b.mount.d/{n}.conf"), "x"));
        tree.file("etc/systemd/system/b.mount", "x");
        tree.link("etc/systemd/system/c.mount", "/data/c.mount");
        let root = Root::new(tree.build());
        let mut units = Units::new(&root);
        units.unit(b"b.mount");
        let unit = units.unit(b"c.mount");
        assert!(!unit.is_masked && unit.files.is_empty());
        units.unit(b"a.mount");
        let told: Vec<String> = units.damage.iter().map(|(path, error)| format!("{path}: {error}")).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("more than 1024 drop-ins"), "{told:?}");
        assert!(told[1].contains("a link to \"/data/c.mount\""), "{told:?}");
        assert!(told[2].contains("a.mount: units of more than"), "{told:?}");

        // What others go before counts, too, and what is behind it is not taken for nothing.
        let mut tree = Tree::default();
        tree.file("etc/systemd/system/a.mount", "x");
        tree.file("usr/lib/systemd/system/a.mount", "x".repeat(limits::UNIT_BYTES));
        tree.file("etc/systemd/system/b.mount", "x");
        let root = Root::new(tree.build());
        let mut units = Units::new(&root);
        assert_eq!(units.unit(b"a.mount").files.len(), 1);
        assert!(units.unit(b"b.mount").files.is_empty() && units.damage.len() == 1, "{:?}", units.damage);
    }
}
