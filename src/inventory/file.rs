//! The file that an extractor is handed.

use crate::{
    block::{self, ReadAt, Source},
    error::FormatError,
    fs::GuestPath,
};

/// One file: its path, its bytes, and the few neighbours that its extractor declared.
pub struct File<'a> {
    path: &'a GuestPath,
    content: &'a Source,
    companions: &'a dyn Fn(&str) -> Result<Option<Source>, FormatError>,
}

impl<'a> File<'a> {
    /// A file; `companions` finds a neighbour in the same directory by its name.
    pub fn new(
        path: &'a GuestPath,
        content: &'a Source,
        companions: &'a dyn Fn(&str) -> Result<Option<Source>, FormatError>,
    ) -> Self {
        Self { path, content, companions }
    }

    /// Where it is in its image or node.
    pub fn path(&self) -> &GuestPath {
        self.path
    }

    /// Its bytes.
    pub fn content(&self) -> &Source {
        self.content
    }

    /// Its bytes in memory, refused with `limit-reached` if there are more than `limit`.
    pub fn read(&self, structure: &'static str, limit: u64) -> Result<Vec<u8>, FormatError> {
        block::read_all(self.content, structure, limit)
    }

    /// A neighbour that [`super::Extractor::companions`] names, `None` if there is none.
    pub fn companion(&self, name: &str) -> Result<Option<Source>, FormatError> {
        (self.companions)(name)
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.content.size()
    }
}
