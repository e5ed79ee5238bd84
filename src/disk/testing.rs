//! What the tests of all formats share.

use std::{collections::HashMap, io, path::Path, sync::Arc};

use super::{Sibling, Siblings};
use crate::block::Memory;

/// Files by name.
#[derive(Default)]
pub(super) struct Files(pub(super) HashMap<&'static str, Vec<u8>>);

impl Siblings for Files {
    fn open(&self, name: &str, _: Option<&Path>) -> io::Result<Sibling> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let bytes = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Sibling { source: Arc::new(Memory::new(bytes.clone())), place: name.into() })
    }

    fn named(&self) -> io::Result<Vec<Sibling>> {
        self.0.keys().map(|name| self.open(name, None)).collect()
    }
}
