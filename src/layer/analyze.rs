//! A layer's tree, walked once: names first, then the files that an extractor wants, in disk order.

use std::{cell::RefCell, collections::HashSet};

use super::{FileFacts, LayerFacts, OsFile, Owned, Paths, overlay};
use crate::{
    Gap,
    block::{self, ReadAt, Source},
    error::FormatError,
    fs::{FileKind, FileSystem, GuestPath, Handle, Ino, Listing, Root, Stat, settle},
    gap::{Code, Scope},
    inventory::{Diversion, EXTRACTORS, Extraction, Extractor, File, Os, Owner, is_on_the_way},
    limits,
};

/// How a tree is walked.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// What gaps are of: a layer's digest, a container's id, the node.
    pub subject: &'a str,
    /// What kind of thing that is.
    pub scope: Scope,
    /// Where the tree is in the whole, for a volume that is mounted in a node's tree.
    pub at: &'a GuestPath,
    /// Directories of the whole that are not entered: a node's runtime state, other mounts.
    pub skip: &'a [GuestPath],
}

impl<'a> Walk<'a> {
    /// A tree of its own, all of it.
    pub fn whole(subject: &'a str, scope: Scope) -> Self {
        static ROOT: GuestPath = GuestPath::ROOT;
        Self { subject, scope, at: &ROOT, skip: &[] }
    }
}

/// A file that is read after the walk.
struct Wanted {
    path: GuestPath,
    dir: Ino,
    ino: Ino,
    purpose: Purpose,
}

#[derive(Clone, Copy)]
enum Purpose {
    Extract(&'static dyn Extractor),
    Os,
    OsLink,
}

/// The facts of the tree below `top`.
pub fn analyze(top: &Handle, walk: Walk<'_>) -> LayerFacts {
    let mut walker = Walker {
        fs: top.fs.as_ref(),
        top: top.ino,
        walk,
        facts: LayerFacts::default(),
        wanted: Vec::new(),
        packages: 0,
        text: 0,
        owners: Vec::new(),
        owned_files: 0,
        diversions: Vec::new(),
        seen: HashSet::from([top.ino]),
    };
    walker.tree();
    walker.read_wanted();
    let mut facts = walker.facts;
    facts.shadow.seal();
    facts.owned = Owned::new(walker.owners, walker.diversions);
    facts.files.sort_by(|a, b| a.path.cmp(&b.path));
    facts.os.sort_by(|a, b| a.path().cmp(b.path()));
    facts.whiteouts.sort();
    facts.links.sort();
    facts.opaque.sort();
    facts.indirect.sort();
    facts.gaps.sort();
    facts
}

/// Whether a path is on the way to a distribution's database, or is that database's place.
fn leads_to_database(path: &GuestPath) -> bool {
    EXTRACTORS.iter().flat_map(|extractor| extractor.places()).any(|place| is_on_the_way(path, place))
}

/// Whether a walk reads the content of a file.
pub fn wants(path: &GuestPath, stat: &Stat) -> bool {
    let is_read = match purpose(path, stat.kind) {
        Some(Purpose::Extract(extractor)) => extractor.accepts(path, stat),
        other => other.is_some(),
    };
    is_read || stat.kind == FileKind::Regular && is_companion(path)
}

fn is_companion(path: &GuestPath) -> bool {
    EXTRACTORS.iter().flat_map(|extractor| extractor.companions()).any(|name| path.name() == name.as_bytes())
}

fn purpose(path: &GuestPath, kind: FileKind) -> Option<Purpose> {
    let is_os = Os::FILES.iter().any(|file| path.as_bytes() == file.as_bytes());
    match kind {
        FileKind::Regular if is_os => Some(Purpose::Os),
        FileKind::Symlink if is_os => Some(Purpose::OsLink),
        kind => EXTRACTORS.iter().find(|e| e.wants(path, kind)).map(|e| Purpose::Extract(*e)),
    }
}

/// Extracts one file of a tree again, its neighbours as the tree shows them.
pub fn extract_one(root: &Root, file: &Handle, extractor: &str) -> Result<Extraction, FormatError> {
    let Some(extractor) = EXTRACTORS.iter().find(|known| known.name() == extractor) else {
        return Err(FormatError::unsupported(format!("no extractor {extractor:?}")));
    };
    let dir = file.path.parent().unwrap_or_default();
    let companion = |name: &str| match root.find_no_follow(dir.join(name.as_bytes()).as_bytes())? {
        Some(found) if found.stat()?.kind == FileKind::Regular => found.open().map(Some),
        _ => Ok(None),
    };
    guarded(*extractor, &File::new(&file.path, &file.open()?, &companion))
}

/// A defect of one extractor loses one file, not the scan.
fn guarded(extractor: &dyn Extractor, file: &File<'_>) -> Result<Extraction, FormatError> {
    let extracted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| extractor.extract(file)));
    extracted.unwrap_or_else(|_| {
        let what = format!("the extractor {} failed on {}", extractor.name(), file.path());
        Err(FormatError::Unsupported { code: Code::AnalyzerFailed, what })
    })
}

struct Walker<'a> {
    fs: &'a dyn FileSystem,
    top: Ino,
    walk: Walk<'a>,
    facts: LayerFacts,
    wanted: Vec<Wanted>,
    /// Packages found so far.
    packages: usize,
    /// Bytes of text that they have.
    text: usize,
    /// What they installed, and how many files that is.
    owners: Vec<Owner>,
    owned_files: usize,
    diversions: Vec<Diversion>,
    /// Directories met so far: a damaged tree may have cycles.
    seen: HashSet<Ino>,
}

impl Walker<'_> {
    /// Breadth first, so that a reader sees many directories at once and reads them in the disk's order.
    fn tree(&mut self) {
        let mut level = vec![(self.walk.at.clone(), self.top)];
        let mut depth = 0usize;
        while !level.is_empty() {
            if depth > limits::PATH_DEPTH {
                let detail = format!("directories nested deeper than {}", limits::PATH_DEPTH);
                self.gap(&FormatError::limit(detail), None, "what lies deeper is not searched for packages");
                return;
            }
            depth = depth.saturating_add(1);
            let mut next = Vec::new();
            for batch in level.chunks(limits::DIRECTORY_BATCH) {
                let inos: Vec<Ino> = batch.iter().map(|(_, ino)| *ino).collect();
                for ((path, ino), listing) in batch.iter().zip(self.fs.read_dirs(&inos)) {
                    match listing {
                        Ok(listing) => self.directory(path, *ino, listing, &mut next),
                        Err(error) => {
                            self.gap(&error, Some(path), "what lies below is not searched for packages");
                        }
                    }
                }
            }
            level = next;
        }
    }

    fn directory(
        &mut self,
        path: &GuestPath,
        ino: Ino,
        mut listing: Listing,
        next: &mut Vec<(GuestPath, Ino)>,
    ) {
        let on_the_way = path.is_root() || leads_to_database(path);
        settle(self.fs, &mut listing, &|entry| match entry.kind {
            FileKind::Directory => false,
            _ if on_the_way && leads_to_database(&path.join(&entry.name)) => true,
            FileKind::Regular => false,
            _ => purpose(&path.join(&entry.name), FileKind::Regular).is_some(),
        });
        for error in &listing.damage {
            self.gap(error, Some(path), "entries of this directory may be missing");
        }
        self.overlay_attributes(path, ino);
        for entry in listing.entries {
            let here = path.join(&entry.name);
            self.facts.entries = self.facts.entries.saturating_add(1);
            if self.facts.entries > limits::TREE_ENTRIES {
                let error = FormatError::limit(format!("more than {} entries", limits::TREE_ENTRIES));
                self.gap(&error, Some(path), "the rest of the tree is not searched for packages");
                next.clear();
                return;
            }
            if here.as_bytes().len() > limits::PATH_BYTES {
                let error = FormatError::limit(format!("a path of more than {} bytes", limits::PATH_BYTES));
                self.gap(&error, Some(path), "longer paths below are not searched for packages");
                continue;
            }
            if entry.kind == FileKind::CharDevice && self.is_whiteout(&here, entry.ino) {
                self.facts.whiteouts.push(Paths(here));
                continue;
            }
            self.facts.shadow.add(&here, entry.kind);
            match entry.kind {
                FileKind::Directory if self.walk.skip.contains(&here) => {}
                FileKind::Directory if !self.seen.insert(entry.ino) => {
                    let error =
                        FormatError::malformed("directory", "reached twice: a directory has one name");
                    self.gap(&error, Some(&here), "it is searched under its first name only");
                }
                FileKind::Directory => next.push((here, entry.ino)),
                kind => self.consider(here, ino, entry.ino, kind),
            }
        }
    }

    fn consider(&mut self, path: GuestPath, dir: Ino, ino: Ino, kind: FileKind) {
        if kind == FileKind::Symlink && leads_to_database(&path) {
            self.facts.links.push(Paths(path.clone()));
        }
        if let Some(purpose) = purpose(&path, kind) {
            self.wanted.push(Wanted { path, dir, ino, purpose });
        }
    }

    fn is_whiteout(&mut self, path: &GuestPath, ino: Ino) -> bool {
        match self.fs.stat(ino) {
            Ok(stat) => overlay::is_whiteout(&stat),
            Err(error) => {
                self.gap(&error, Some(path), "a removed file may still be reported");
                false
            }
        }
    }

    fn overlay_attributes(&mut self, path: &GuestPath, ino: Ino) {
        let xattrs = match self.fs.xattrs(ino) {
            Ok(xattrs) => xattrs,
            Err(error) => {
                return self.gap(&error, Some(path), "removed files may still be reported");
            }
        };
        if overlay::is_opaque(&xattrs) {
            self.facts.opaque.push(Paths(path.clone()));
        }
        if overlay::is_indirect(&xattrs) {
            self.facts.indirect.push(Paths(path.clone()));
        }
        if let Some(error) = overlay::indirection(&xattrs) {
            self.gap(&error, Some(path), "removed files may still be reported");
        }
    }

    /// Files are read by inode number, which is close to the order of the disk.
    fn read_wanted(&mut self) {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort_by_key(|wanted| wanted.ino);
        for Wanted { path, dir, ino, purpose } in wanted {
            if let Purpose::Extract(extractor) = purpose
                && !self.is_accepted(extractor, &path, ino)
            {
                continue;
            }
            self.facts.opened = self.facts.opened.saturating_add(1);
            let is_indirect = self.fs.xattrs(ino).map(|xattrs| overlay::is_indirect(&xattrs));
            if is_indirect.as_ref().is_ok_and(|indirect| *indirect) {
                self.facts.indirect.push(Paths(path));
                continue;
            }
            if let Err(error) = is_indirect {
                self.gap(&error, Some(&path), "the file may show other packages than it has here");
            }
            let done = match purpose {
                Purpose::Extract(extractor) => self.extract(&path, dir, ino, extractor),
                Purpose::Os => self.os(&path, ino),
                Purpose::OsLink => self.os_link(&path, ino),
            };
            if let Err(error) = done {
                self.gap(&unreadable(error), Some(&path), "packages that this file shows are missing");
            }
        }
    }

    /// What cannot be told is told by reading it.
    fn is_accepted(&self, extractor: &dyn Extractor, path: &GuestPath, ino: Ino) -> bool {
        self.fs.stat(ino).map_or(true, |stat| extractor.accepts(path, &stat))
    }

    fn extract(
        &mut self,
        path: &GuestPath,
        dir: Ino,
        ino: Ino,
        extractor: &dyn Extractor,
    ) -> Result<(), FormatError> {
        let mut facts = FileFacts {
            path: Paths(path.clone()),
            extractor: extractor.name().to_owned(),
            companions: Vec::new(),
            witnesses: Vec::new(),
            packages: Vec::new(),
        };
        let asked = RefCell::new(Vec::new());
        let companion = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            self.neighbour(dir, name)
        };
        let mut empty = false;
        let extraction = self.fs.open(ino).and_then(|content| {
            empty = content.size() == 0;
            guarded(extractor, &File::new(path, &content, &companion))
        });
        facts.companions = asked.into_inner();
        facts.companions.sort();
        facts.companions.dedup();
        let result = match extraction {
            Ok(extraction) => {
                self.packages = self.packages.saturating_add(extraction.shown.len());
                if self.packages > limits::LAYER_PACKAGES {
                    let bound = limits::LAYER_PACKAGES;
                    return Err(FormatError::limit(format!("more than {bound} packages of one layer")));
                }
                self.text = self.text.saturating_add(extraction.text_bytes());
                if self.text > limits::LAYER_TEXT_BYTES {
                    let bound = limits::LAYER_TEXT_BYTES;
                    let detail = format!("packages of one layer with more than {bound} bytes of text");
                    return Err(FormatError::limit(detail));
                }
                facts.packages = extraction.shown;
                facts.witnesses = extraction.witnesses.into_iter().map(Paths).collect();
                for owner in extraction.owners {
                    let files = self.owned_files.saturating_add(owner.files.len());
                    if files <= limits::OWNED_FILES {
                        self.owned_files = files;
                        self.owners.push(owner);
                    }
                }
                self.diversions.extend(extraction.diversions);
                for error in &extraction.damage {
                    self.gap(error, Some(path), "packages that these records show are missing");
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.facts.empty = self.facts.empty.saturating_add(u64::from(empty));
        let is_system = !extractor.places().is_empty();
        self.facts.empty_databases = self.facts.empty_databases.saturating_add(u64::from(empty && is_system));
        // What it replaces, readable or not, is known by its name.
        if !facts.packages.is_empty() || !facts.companions.is_empty() {
            self.facts.files.push(facts);
        }
        result
    }

    fn neighbour(&self, dir: Ino, name: &str) -> Result<Option<Source>, FormatError> {
        let Some(ino) = self.fs.lookup(dir, name.as_bytes())? else { return Ok(None) };
        if self.fs.stat(ino)?.kind == FileKind::Regular { self.fs.open(ino).map(Some) } else { Ok(None) }
    }

    fn os(&mut self, path: &GuestPath, ino: Ino) -> Result<(), FormatError> {
        let content = self.fs.open(ino)?;
        let bytes = block::read_all(&content, "os-release", limits::TEXT_FILE_BYTES)?;
        // An empty file says nothing: it is either a mask or data that never reached the disk.
        if bytes.is_empty() {
            self.facts.empty = self.facts.empty.saturating_add(1);
            self.facts.empty_databases = self.facts.empty_databases.saturating_add(1);
        } else {
            let os = Os::parse(&String::from_utf8_lossy(&bytes));
            self.facts.os.push(OsFile::File(Paths(path.clone()), os));
        }
        Ok(())
    }

    fn os_link(&mut self, path: &GuestPath, ino: Ino) -> Result<(), FormatError> {
        let target = self.fs.read_link(ino)?;
        let base = if target.starts_with(b"/") { GuestPath::ROOT } else { path.parent().unwrap_or_default() };
        let target = GuestPath::new([base.as_bytes(), b"/", &target].concat());
        self.facts.os.push(OsFile::Link(Paths(path.clone()), Paths(target)));
        Ok(())
    }

    fn gap(&mut self, error: &FormatError, path: Option<&GuestPath>, effect: &str) {
        if self.facts.gaps.len() >= limits::GAPS_PER_LAYER {
            if let Some(last) = self.facts.gaps.last_mut()
                && last.code != Code::LimitReached
            {
                let detail = format!("more than {} gaps; the rest are not listed", limits::GAPS_PER_LAYER);
                *last = Gap::new(Code::LimitReached, self.walk.scope, self.walk.subject, detail, effect);
            }
            return;
        }
        let gap = Gap::from_error(error, self.walk.scope, self.walk.subject, effect);
        self.facts.gaps.push(match path {
            Some(path) => gap.at(path.to_string()),
            None => gap,
        });
    }
}

/// A file of which nothing could be used, by a code of its own unless the storage or a limit is at fault.
fn unreadable(error: FormatError) -> FormatError {
    match error.code() {
        Code::CorruptStructure | Code::Truncated => {
            FormatError::Unsupported { code: Code::UnreadableDatabase, what: error.detail() }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn a_path_that_is_too_long_is_told_and_the_rest_is_seen() {
        let mut tree = Tree::default();
        tree.file(&vec!["n".repeat(200); 30].join("/"), "");
        tree.file("etc/os-release", "ID=debian\n");
        let facts = analyze(&Root::new(tree.build()).top(), Walk::whole("layer", Scope::Layer));
        assert_eq!(facts.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::LimitReached]);
        assert_eq!(facts.os.len(), 1);
    }
}
