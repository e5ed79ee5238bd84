//! How fast disk images are read: `cargo bench --bench qcow2 -- IMAGE…` prints MB/s for sequential reads of 1 MiB
//! and of 4 KiB, and for random reads of 4 KiB, by one thread.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the lints guard the library against hostile disks"
)]

use std::{path::Path, time::Instant};

use icecore::{
    block::{self, ReadAt},
    disk::{self, NoSiblings, Options},
};

fn main() {
    // Cargo adds `--bench`.
    for image in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        println!("{image}");
        for (name, length, random) in [
            ("1 MiB in order", 1 << 20, false),
            ("4 KiB in order", 4096, false),
            ("4 KiB at random", 4096, true),
        ] {
            println!("  {name:16} {:8.0} MB/s", rate(Path::new(&image), length, random));
        }
    }
}

fn rate(image: &Path, length: usize, random: bool) -> f64 {
    let source = block::open(image).expect("an image");
    let options = Options { siblings: &NoSiblings, snapshot: None };
    let disk = disk::open(source, None, &options).expect("a disk image").source;
    let blocks = (disk.size() / length as u64).max(1);
    let count = if random { blocks.min(20_000) } else { blocks };
    let mut buf = vec![0; length];
    let mut state = 1u64;
    let start = Instant::now();
    for number in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let block = if random { (state >> 33) % blocks } else { number };
        disk.read_at(&mut buf, block * length as u64).expect("readable");
    }
    (count * length as u64) as f64 / 1e6 / start.elapsed().as_secs_f64()
}
