//! The files that a container changed, as `docker diff` shows them: names in its writable layer against what the
//! layers below show.

use std::{collections::HashSet, sync::Arc};

use crate::{
    FormatError, Gap,
    fs::{FileKind, GuestPath, Handle, Root, Xattr},
    gap::Scope,
    image::{self, Hiding},
    layer::LayerFacts,
    limits, num,
    report::{Change, ChangeFlag, ChangeKind, Changes},
};

/// The layers that a container's own is compared with, and that one.
pub(super) struct Compared<'a> {
    /// The facts of the layers below, base first.
    pub(super) lower: &'a [Arc<LayerFacts>],
    /// The trees of these, opened when something in them must be listed.
    pub(super) trees: &'a dyn Fn() -> Result<Vec<Handle>, FormatError>,
    pub(super) upper: &'a Handle,
    pub(super) facts: &'a LayerFacts,
}

/// Whose changes they are, and how many paths are told.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) subject: &'a str,
    pub(super) paths: usize,
}

/// What changed, and what could not be compared.
pub(super) fn changes(compared: &Compared<'_>, told: Told<'_>) -> (Changes, Vec<Gap>) {
    let mut comparison = Comparison {
        compared,
        subject: told.subject,
        below: Hiding::new(compared.lower),
        merged: None,
        changes: Changes::default(),
        gaps: Vec::new(),
    };
    comparison.walk();
    comparison.leave_out_mount_points();
    let Comparison { mut changes, gaps, .. } = comparison;
    if changes.paths.len() > told.paths {
        // Those that may be run are looked for first.
        changes.paths.sort_by(|a, b| (a.flags.is_empty(), &a.path).cmp(&(b.flags.is_empty(), &b.path)));
        changes.paths_omitted = num::to_u64(changes.paths.len().saturating_sub(told.paths));
        changes.paths.truncate(told.paths);
    }
    changes.paths.sort();
    (changes, gaps)
}

/// Files that runtimes make where they mount something of their own; Docker keeps them in a layer of their own.
const MOUNT_POINTS: [&str; 10] = [
    "/.dockerenv",
    "/dev/console",
    "/dev/pts",
    "/dev/shm",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/run/.containerenv",
    "/run/secrets",
];

const DIRECTORY: &str = "directory";

/// A kind as the report spells it.
fn word(kind: FileKind) -> String {
    let word = match kind {
        FileKind::Regular => "regular",
        FileKind::Directory => DIRECTORY,
        FileKind::Symlink => "symlink",
        FileKind::CharDevice => "char-device",
        FileKind::BlockDevice => "block-device",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    };
    word.to_owned()
}

/// Whether there is nothing in a file or directory, or it is the link to the mounts that runtimes make.
fn is_empty(root: &Root, path: &str) -> bool {
    let found = || -> Result<bool, FormatError> {
        let Some(file) = root.find_no_follow(path.as_bytes())? else { return Ok(false) };
        let stat = file.stat()?;
        Ok(match stat.kind {
            FileKind::Regular => stat.size == 0,
            FileKind::Directory => file.read_dir()?.entries.is_empty(),
            FileKind::Symlink => file.fs.read_link(file.ino)? == b"/proc/mounts",
            _ => false,
        })
    };
    found().unwrap_or(false)
}

struct Comparison<'a> {
    compared: &'a Compared<'a>,
    subject: &'a str,
    below: Hiding<'a>,
    /// What the layers below show together.
    merged: Option<Root>,
    changes: Changes,
    gaps: Vec<Gap>,
}

impl Comparison<'_> {
    fn walk(&mut self) {
        let (upper, facts) = (self.compared.upper, self.compared.facts);
        let mut level = vec![(GuestPath::ROOT, upper.ino)];
        let mut seen = HashSet::from([upper.ino]);
        if facts.opaque.iter().any(|path| path.0.is_root()) {
            self.hidden(&GuestPath::ROOT, upper);
        }
        while !level.is_empty() {
            let mut next = Vec::new();
            for (path, dir) in level {
                let dir = Handle { fs: Arc::clone(&upper.fs), ino: dir, path: GuestPath::ROOT };
                // Damage is a gap of the analysis already.
                let Ok(listing) = dir.read_dir() else { continue };
                for entry in listing.entries {
                    let here = path.join(&entry.name);
                    if facts.whiteouts.binary_search_by(|whiteout| whiteout.0.cmp(&here)).is_ok() {
                        if self.below.shows(&here) {
                            self.deleted(&here);
                        }
                        continue;
                    }
                    let file = Handle { fs: Arc::clone(&upper.fs), ino: entry.ino, path: here.clone() };
                    self.there(&file, entry.kind);
                    if entry.kind == FileKind::Directory && seen.insert(entry.ino) {
                        next.push((here, entry.ino));
                    }
                }
            }
            level = next;
        }
    }

    /// Something that the container's own layer has.
    fn there(&mut self, file: &Handle, kind: FileKind) {
        let path = &file.path;
        let change = if self.below.shows(path) { ChangeKind::Modified } else { ChangeKind::Added };
        if change == ChangeKind::Modified {
            // Of a directory in whose place a file is now, the change of it tells all.
            if self.compared.facts.opaque.binary_search_by(|opaque| opaque.0.cmp(path)).is_ok() {
                self.hidden(path, file);
            }
        }
        if kind == FileKind::Directory
            && self.compared.facts.indirect.binary_search_by(|indirect| indirect.0.cmp(path)).is_ok()
        {
            self.moved(path);
        }
        let flags = if kind == FileKind::Regular { self.flags(file) } else { Vec::new() };
        let counted = u64::from(kind != FileKind::Directory);
        let count = match change {
            ChangeKind::Added => &mut self.changes.added,
            _ => &mut self.changes.modified,
        };
        *count = count.saturating_add(counted);
        let may_run = u64::from(!flags.is_empty());
        let privileged = u64::from(flags.iter().any(|flag| *flag != ChangeFlag::Executable));
        self.changes.executables = self.changes.executables.saturating_add(may_run);
        self.changes.privileged = self.changes.privileged.saturating_add(privileged);
        self.changes.paths.push(Change { path: path.to_string(), change, kind: Some(word(kind)), flags });
    }

    fn deleted(&mut self, path: &GuestPath) {
        self.changes.deleted = self.changes.deleted.saturating_add(1);
        let (path, change) = (path.to_string(), ChangeKind::Deleted);
        self.changes.paths.push(Change { path, change, kind: None, flags: Vec::new() });
    }

    /// What a directory shows that was moved here from elsewhere in the layers below, beside what is in the container's own.
    fn moved(&mut self, path: &GuestPath) {
        match self.shown_below(path) {
            Ok(all) => {
                for (path, kind) in all {
                    let counted = u64::from(kind != FileKind::Directory);
                    self.changes.added = self.changes.added.saturating_add(counted);
                    let (path, change) = (path.to_string(), ChangeKind::Added);
                    self.changes.paths.push(Change {
                        path,
                        change,
                        kind: Some(word(kind)),
                        flags: Vec::new(),
                    });
                }
            }
            Err(error) => {
                let effect = "files that the container moved into this directory are not told";
                let gap = Gap::from_error(&error, Scope::Container, self.subject, effect);
                self.gaps.push(gap.at(path.to_string()));
            }
        }
    }

    fn shown_below(&self, path: &GuestPath) -> Result<Vec<(GuestPath, FileKind)>, FormatError> {
        let mut trees = (self.compared.trees)()?;
        trees.push(self.compared.upper.clone());
        let merged = Root::new(image::merge(&trees));
        let own = |path: &GuestPath| self.compared.facts.shadow.has(path);
        let (mut all, mut level) = (Vec::new(), vec![path.clone()]);
        while let Some(path) = level.pop() {
            let Some(dir) = merged.find_no_follow(path.as_bytes())? else { continue };
            for entry in dir.read_dir()?.entries {
                let here = path.join(&entry.name);
                if all.len() >= num::to_usize(limits::TREE_ENTRIES) {
                    return Err(FormatError::limit(format!("more than {} entries", limits::TREE_ENTRIES)));
                }
                if entry.kind == FileKind::Directory {
                    level.push(here.clone());
                }
                if !own(&here) {
                    all.push((here, entry.kind));
                }
            }
        }
        Ok(all)
    }

    /// Leaves out what runtimes make for their own mounts, and the directories that were changed by that alone.
    fn leave_out_mount_points(&mut self) {
        let upper = Root::below(self.compared.upper);
        let is_left_out = |change: &Change| {
            let is_one = change.change == ChangeKind::Added && MOUNT_POINTS.contains(&change.path.as_str());
            is_one && is_empty(&upper, &change.path)
        };
        let (mut left_out, mut kept): (Vec<Change>, Vec<Change>) =
            std::mem::take(&mut self.changes.paths).into_iter().partition(is_left_out);
        self.changes.added = self.changes.added.saturating_sub(num::to_u64(
            left_out.iter().filter(|change| change.kind.as_deref() != Some(DIRECTORY)).count(),
        ));
        while let Some(change) = left_out.pop() {
            let Some((dir, _)) = change.path.rsplit_once('/') else { continue };
            let below = format!("{dir}/");
            if !kept.iter().any(|other| other.path.starts_with(&below))
                && let Some(at) = kept.iter().position(|other| other.path == dir)
            {
                left_out.push(kept.swap_remove(at));
            }
        }
        self.changes.paths = kept;
    }

    /// What a directory of the layers below had that a new one by the same name now hides.
    fn hidden(&mut self, path: &GuestPath, now: &Handle) {
        match self.listing_below(path) {
            Ok(names) => {
                for name in names {
                    // What was put there anew is told as a change of it.
                    let kept = now.is_dir().unwrap_or(false)
                        && now.fs.lookup(now.ino, &name).is_ok_and(|found| found.is_some());
                    if !kept {
                        self.deleted(&path.join(&name));
                    }
                }
            }
            Err(error) => {
                let effect = "files that the container removed from this directory are not told";
                let gap = Gap::from_error(&error, Scope::Container, self.subject, effect);
                self.gaps.push(gap.at(path.to_string()));
            }
        }
    }

    fn listing_below(&mut self, path: &GuestPath) -> Result<Vec<Vec<u8>>, FormatError> {
        let root = match self.merged.take() {
            Some(root) => root,
            None => Root::new(image::merge(&(self.compared.trees)()?)),
        };
        let found = root.find_no_follow(path.as_bytes());
        self.merged = Some(root);
        let Some(dir) = found? else { return Ok(Vec::new()) };
        if !dir.is_dir()? {
            return Ok(Vec::new());
        }
        let listing = dir.read_dir()?;
        match listing.damage.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(listing.entries.into_iter().map(|entry| entry.name).collect()),
        }
    }

    fn flags(&mut self, file: &Handle) -> Vec<ChangeFlag> {
        let attributes = file.stat().and_then(|stat| Ok((stat, file.fs.xattrs(file.ino)?)));
        let (stat, xattrs) = match attributes {
            Ok(both) => both,
            Err(error) => {
                let effect = "whether this file may be run is not told";
                let gap = Gap::from_error(&error, Scope::Container, self.subject, effect);
                self.gaps.push(gap.at(file.path.to_string()));
                return Vec::new();
            }
        };
        let capable = |xattr: &Xattr| xattr.name == b"security.capability";
        // Runtimes make empty files, executable ones, for what they mount over them.
        if stat.mode & 0o111 == 0 || stat.size == 0 {
            return Vec::new();
        }
        let all = [
            (true, ChangeFlag::Executable),
            (stat.mode & 0o4000 != 0, ChangeFlag::Setuid),
            (stat.mode & 0o2000 != 0, ChangeFlag::Setgid),
            (xattrs.iter().any(capable), ChangeFlag::Capabilities),
        ];
        all.into_iter().filter_map(|(is_so, flag)| is_so.then_some(flag)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::memory::{Entry, Tree},
        layer::{self, Walk, overlay},
    };

    fn executable(tree: &mut Tree, path: &str, mode: u32) {
        tree.file(path, "#!");
        let mut entry = Entry::new(FileKind::Regular);
        entry.stat.mode = mode;
        entry.stat.size = 2;
        tree.insert(&GuestPath::new(path), entry);
    }

    fn whiteout(tree: &mut Tree, path: &str) {
        tree.insert(&GuestPath::new(path), Entry::new(FileKind::CharDevice));
    }

    fn changed(upper: Tree, told: usize) -> Changes {
        let mut image = Tree::default();
        for path in ["d/a", "d/b", "o/a", "o/b", "swap/in", "gone", "keep"] {
            image.file(path, "image");
        }
        let [image, upper] = [image, upper].map(|tree| Root::new(tree.build()).top());
        let facts = |top: &Handle| Arc::new(layer::analyze(top, Walk::whole("c", Scope::Container)));
        let (lower, facts) = (vec![facts(&image)], facts(&upper));
        let trees = || Ok(vec![image.clone()]);
        let compared = Compared { lower: &lower, trees: &trees, upper: &upper, facts: &facts };
        let (changes, gaps) = changes(&compared, Told { subject: "c", paths: told });
        assert!(gaps.is_empty(), "{gaps:?}");
        changes
    }

    #[test]
    fn changes_are_those_that_docker_diff_shows() {
        let mut upper = Tree::default();
        upper.file("d/a", "again");
        upper.file("o/a", "made anew in a new directory");
        upper.mark(&GuestPath::new("o"), overlay::opaque());
        upper.file("swap", "a file where a directory was");
        whiteout(&mut upper, "gone");
        whiteout(&mut upper, "never/was");
        executable(&mut upper, "bin/su", 0o4755);
        // What the runtime mounts over.
        upper.file("etc/hosts", "");
        upper.file("run/.containerenv", "");
        upper.file("etc/hostname", "no mount point");
        let changes = changed(upper, usize::MAX);
        let lines: Vec<String> =
            changes.paths.iter().map(|change| format!("{:?} {}", change.change, change.path)).collect();
        let expected = [
            "Added /bin",
            "Added /bin/su",
            "Modified /d",
            "Modified /d/a",
            "Added /etc",
            "Added /etc/hostname",
            "Deleted /gone",
            "Added /never",
            "Modified /o",
            "Modified /o/a",
            "Deleted /o/b",
            "Modified /swap",
        ];
        assert_eq!(lines, expected);
        let counts =
            (changes.added, changes.modified, changes.deleted, changes.executables, changes.privileged);
        assert_eq!(counts, (2, 3, 2, 1, 1));
    }

    #[test]
    fn what_is_left_out_is_counted_and_is_what_cannot_be_run() {
        let mut upper = Tree::default();
        upper.file("a", "");
        upper.file("b", "");
        executable(&mut upper, "z", 0o755);
        let changes = changed(upper, 2);
        assert_eq!(changes.paths.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["/a", "/z"]);
        assert_eq!(changes.paths_omitted, 1);
    }
}
