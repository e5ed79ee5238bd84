//! What the tests of all formats share.

use std::{collections::HashMap, io, sync::Arc};

use super::Siblings;
use crate::block::{Memory, Source};

/// Files by name.
#[derive(Default)]
pub(super) struct Files(pub(super) HashMap<&'static str, Vec<u8>>);

impl Siblings for Files {
    fn open(&self, name: &str) -> io::Result<Source> {
        let bytes = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Memory::new(bytes.clone())))
    }

    fn named(&self) -> io::Result<Vec<Source>> {
        self.0.keys().map(|name| self.open(name)).collect()
    }
}
