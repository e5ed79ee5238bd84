//! Any bytes as a disk image of any format, and the further disks as what it refers to.
#![no_main]

use std::{cell::Cell, io, sync::Arc};

use icecore::{
    block::{ReadAt, Source},
    disk::{self, Options, Siblings},
};
use libfuzzer_sys::fuzz_target;

/// The n-th name that is asked for is the n-th of these files, and again the first after the last.
struct InTurn<'a> {
    files: &'a [Source],
    asked: Cell<usize>,
}

impl Siblings for InTurn<'_> {
    fn open(&self, _: &str) -> io::Result<Source> {
        let file = &self.files[self.asked.get() % self.files.len()];
        self.asked.set(self.asked.get() + 1);
        Ok(Arc::clone(file))
    }

    fn named(&self) -> io::Result<Vec<Source>> {
        Ok(self.files.to_vec())
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
