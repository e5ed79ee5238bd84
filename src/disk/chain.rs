//! What the images of one chain (a disk, its parents, its extents) share while they are opened.

use std::{io, sync::Arc};

use super::{Options, Siblings, pages::Pages};
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
    /// The names that were followed so far.
    names: Vec<String>,
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
            names: Vec::new(),
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

    /// Steps down to the parent that an image calls `name`. A chain that comes back to a name, or is too long,
    /// is refused: `header` at `offset` is what names it.
    pub(super) fn descend(
        &mut self,
        (header, offset): (&'static str, u64),
        name: &str,
    ) -> Result<(), FormatError> {
        if self.names.iter().any(|known| known == name) {
            return Err(FormatError::corrupt(
                header,
                offset,
                format!("{name:?} is a backing file of itself"),
            ));
        }
        if self.names.len() >= limits::BACKING_CHAIN {
            let what = format!("more than {} backing files below each other", limits::BACKING_CHAIN);
            return Err(FormatError::limit(what));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// The file that an image calls `name` and needs as its `what`.
    pub(super) fn sibling(&self, what: &str, name: &str) -> Result<Source, FormatError> {
        self.siblings.open(name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_given(what, name),
            _ => FormatError::reading("backing file", 0)(error),
        })
    }

    /// The first file that the caller named under one of these paths of another machine.
    pub(super) fn first_sibling(&self, paths: &[String]) -> Result<Option<Source>, FormatError> {
        for path in paths {
            match self.siblings.open(base_name(path)) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(FormatError::reading("parent disk", 0)(error)),
            }
        }
        Ok(None)
    }
}

/// The error for a file that the caller did not name.
pub(super) fn not_given(what: &str, name: &str) -> FormatError {
    let what = format!("the disk image needs its {what} {name:?}, which was not given");
    FormatError::Unsupported { code: Code::BackingFileNotGiven, what }
}

/// The last component of a path as Windows or Unix spell it: images tell where a file was on another machine.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::NoSiblings;

    #[test]
    fn names_of_other_machines() {
        for path in [r"C:\disks\base.vhd", r".\base.vhd", "/srv/base.vhd", "file:///srv/base.vhd", "base.vhd"]
        {
            assert_eq!(base_name(path), "base.vhd", "{path}");
        }
    }

    #[test]
    fn chains_end() {
        let mut chain = Chain::new(&Options { siblings: &NoSiblings, snapshot: None });
        chain.descend(("header", 0), "a").unwrap();
        assert!(chain.descend(("header", 0), "a").unwrap_err().detail().contains("of itself"));
        let more = (0..limits::BACKING_CHAIN).try_for_each(|n| chain.descend(("header", 0), &n.to_string()));
        assert_eq!(more.unwrap_err().code(), Code::LimitReached);
        assert_eq!(chain.sibling("parent", "x").err().unwrap().code(), Code::BackingFileNotGiven);
        assert_eq!((chain.number(), chain.number()), (0, 1));
    }
}
