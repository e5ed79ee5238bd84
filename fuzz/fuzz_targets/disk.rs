#![no_main]

use std::io;

use icecore::{
    block::{ReadAt, Source},
    disk::{self, DRIVERS, Options, Siblings},
};
use libfuzzer_sys::fuzz_target;

/// Every name is the same file.
struct Same<'a>(&'a [u8]);

impl Siblings for Same<'_> {
    fn open(&self, _: &str) -> io::Result<Source> {
        Ok(icecore_fuzz::source(self.0))
    }

    fn named(&self) -> io::Result<Vec<Source>> {
        Ok(vec![icecore_fuzz::source(self.0)])
    }
}

// The first number chooses the format.
fuzz_target!(|data: (u8, &[u8], &[u8])| {
    let siblings = Same(data.2);
    let Some(driver) = DRIVERS.get(usize::from(data.0) % DRIVERS.len()) else { return };
    for snapshot in [None, Some("1")] {
        let options = Options { siblings: &siblings, snapshot };
        let Ok(disk) = disk::open(icecore_fuzz::source(data.1), Some(driver.name), &options) else { continue };
        let size = disk.source.size();
        let mut buf = vec![0; 1 << 20];
        for at in [0, size / 2, size.saturating_sub(1 << 20)] {
            let length = (size - at).min(1 << 20);
            disk.source.will_need(at, length);
            let _ = disk.source.read_at(&mut buf[..length as usize], at);
        }
        // In parts, as through the caches.
        for at in (0..size.min(1 << 16)).step_by(1000) {
            let _ = disk.source.read_at(&mut buf[..1000.min(size - at) as usize], at);
        }
    }
});
