//! What the images of one chain (a disk, its parents, its extents) share while they are opened.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Options, Sibling, Siblings, pages::Pages};
use crate::{
    block::{Cache, Source},
    error::FormatError,
    gap::Code,
    limits,
};

/// The way to the files that an image refers to, the bounded memory for all of them, and what is to be told.
pub(super) struct Chain<'a> {
    /// Opens what the caller named.
    pub(super) siblings: &'a dyn Siblings,
    /// Parts of tables.
    pub(super) tables: Arc<Cache>,
    /// Decompressed blocks.
    pub(super) blocks: Arc<Cache>,
    /// What does not stop the reading but must be told.
    pub(super) notes: Vec<FormatError>,
    /// Changes of logs that are kept in memory.
    pub(super) changes: usize,
    /// Where the image lies that is opened now, if it is not the disk itself.
    at: Option<PathBuf>,
    /// The places that were followed so far.
    places: Vec<PathBuf>,
    images: u64,
}

impl<'a> Chain<'a> {
    /// The chain of the image that is opened with these options.
    pub(super) fn new(options: &Options<'a>) -> Self {
        Self {
            siblings: options.siblings,
            tables: Arc::new(Cache::new(limits::DISK_TABLE_CACHE_BYTES)),
            blocks: Arc::new(Cache::new(limits::DISK_BLOCK_CACHE_BYTES)),
            notes: Vec::new(),
            changes: 0,
            at: None,
            places: Vec::new(),
            images: 0,
        }
    }

    /// The tables of one more file of the chain.
    pub(super) fn pages(&mut self, file: &Source) -> Pages {
        let number = self.number();
        Pages::new(file, &self.tables, number)
    }

    /// The number under which the next file keeps its blocks in the caches.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.images;
        self.images = number.saturating_add(1);
        number
    }

    /// Steps down to the parent that an image calls `name`, by way of `open`. A chain that comes back to a file, or is too
    /// long, is refused: `header` at `offset` is what names it. Where the image itself lies is given back, for
    /// [`Self::ascend`].
    pub(super) fn descend(
        &mut self,
        (header, offset): (&'static str, u64),
        name: &str,
        open: impl FnOnce(&Self) -> Result<Sibling, FormatError>,
    ) -> Result<(Source, Above), FormatError> {
        if self.places.len() >= limits::BACKING_CHAIN {
            let what = format!("more than {} backing files below each other", limits::BACKING_CHAIN);
            return Err(FormatError::limit(what));
        }
        let Sibling { source, place } = open(self)?;
        if self.places.contains(&place) {
            let problem = format!("{name:?} is a backing file of itself");
            return Err(FormatError::corrupt(header, offset, problem));
        }
        self.places.push(place.clone());
        Ok((source, Above(self.at.replace(place))))
    }

    /// Steps back to the image that [`Self::descend`] came from.
    pub(super) fn ascend(&mut self, above: Above) {
        self.at = above.0;
    }

    /// Where the image lies that is opened now, if it is not the disk itself.
    pub(super) fn at(&self) -> Option<&Path> {
        self.at.as_deref()
    }

    /// The file that an image calls `name` and needs as its `what`.
    pub(super) fn sibling(&self, what: &str, name: &str) -> Result<Sibling, FormatError> {
        self.siblings.open(name, self.at()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_given(what, name),
            _ => FormatError::reading("backing file", 0)(error),
        })
    }

    /// The file that the caller named under one of these paths of another machine: the first path that is clear counts.
    pub(super) fn first_sibling(&self, paths: &[String]) -> Result<Sibling, FormatError> {
        let mut unclear = None;
        for path in paths {
            match self.siblings.open(&slashed(path), self.at()) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::Unsupported => unclear = unclear.or(Some(error)),
                Err(error) => return Err(FormatError::reading("parent disk", 0)(error)),
            }
        }
        Err(match unclear {
            Some(error) => FormatError::reading("parent disk", 0)(error),
            None => not_given("parent", paths.first().map_or("", String::as_str)),
        })
    }
}

/// Where an image lies whose parent is being opened.
pub(super) struct Above(Option<PathBuf>);

/// Opens what an image of another format refers to that lies below one of this chain.
pub(super) struct From<'a> {
    /// Opens what the caller named.
    pub(super) siblings: &'a dyn Siblings,
    /// Where that image lies.
    pub(super) at: Option<PathBuf>,
}

impl Siblings for From<'_> {
    fn open(&self, name: &str, from: Option<&Path>) -> io::Result<Sibling> {
        self.siblings.open(name, from.or(self.at.as_deref()))
    }

    fn named(&self) -> io::Result<Vec<Sibling>> {
        self.siblings.named()
    }
}

/// The error for a file that the caller did not name.
pub(super) fn not_given(what: &str, name: &str) -> FormatError {
    let what = format!("the disk image needs its {what} {name:?}, which was not given");
    FormatError::Unsupported { code: Code::BackingFileNotGiven, what }
}

/// A path as Windows, Unix or a `file` URL spell it, as a path of Unix: images tell where a file was on another machine.
pub(super) fn slashed(path: &str) -> String {
    path.trim_start_matches("file://").replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::Zeros, disk::NoSiblings};

    #[test]
    fn names_of_other_machines() {
        for path in [r"C:\disks\base.vhd", r".\base.vhd", "/srv/base.vhd", "file:///srv/base.vhd", "base.vhd"]
        {
            assert_eq!(Path::new(&slashed(path)).file_name().unwrap(), "base.vhd", "{path}");
        }
    }

    #[test]
    fn chains_end() {
        let mut chain = Chain::new(&Options { siblings: &NoSiblings, snapshot: None });
        let mut step = |place: &str| {
            let source: Source = Arc::new(Zeros(0));
            chain
                .descend(("header", 0), "x", |_| Ok(Sibling { source, place: place.into() }))
                .map(|(_, above)| above.0)
        };
        assert_eq!(step("a").unwrap(), None);
        assert!(step("a").unwrap_err().detail().contains("of itself"));
        assert_eq!(step("b").unwrap(), Some("a".into()), "another file of the same name");
        let more = (0..limits::BACKING_CHAIN).try_for_each(|n| step(&n.to_string()).map(|_| ()));
        assert_eq!(more.unwrap_err().code(), Code::LimitReached);
        assert_eq!(chain.sibling("parent", "x").err().unwrap().code(), Code::BackingFileNotGiven);
        assert_eq!((chain.number(), chain.number()), (0, 1));
    }
}
