//! Any bytes as a disk image of any format, and the further disks as what it refers to.
#![no_main]

use std::{cell::Cell, io, path::Path, sync::Arc};

use icecore::{
    block::{ReadAt, Source},
    disk::{self, Options, Sibling, Siblings},
};
use libfuzzer_sys::fuzz_target;

/// The n-th name that is asked for is the n-th of these files, and again the first after the last.
struct InTurn<'a> {
    files: &'a [Source],
    asked: Cell<usize>,
}

impl Siblings for InTurn<'_> {
    fn open(&self, name: &str, _: Option<&Path>) -> io::Result<Sibling> {
        let file = &self.files[self.asked.get() % self.files.len()];
        self.asked.set(self.asked.get() + 1);
        Ok(Sibling { source: Arc::clone(file), place: name.into() })
    }

    fn named(&self) -> io::Result<Vec<Sibling>> {
        let all = self.files.iter().zip(0..);
        Ok(all.map(|(file, n): (_, u8)| Sibling { source: Arc::clone(file), place: n.to_string().into() }).collect())
    }
}

fuzz_target!(|data: &[u8]| {
    let disks = icecore_fuzz::sparse::disks(data);
    let files = if disks.len() > 1 { &disks[1..] } else { &disks };
    for snapshot in [None, Some("1")] {
        let siblings = InTurn { files, asked: Cell::new(0) };
        let options = Options { siblings: &siblings, snapshot };
        let Ok(disk) = disk::open(Arc::clone(&disks[0]), None, &options) else { continue };
        let size = disk.source.size();
        let mut buf = vec![0; 1 << 17];
        for at in [0, size / 2, size.saturating_sub(1 << 17)] {
            let length = (size - at).min(1 << 17);
            disk.source.will_need(at, length);
            let _ = disk.source.read_at(&mut buf[..length as usize], at);
        }
        // In parts, as through the caches.
        for at in (0..size.min(1 << 16)).step_by(1000) {
            let _ = disk.source.read_at(&mut buf[..1000.min(size - at) as usize], at);
        }
    }
});
