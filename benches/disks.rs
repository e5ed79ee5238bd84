//! How fast disk images are read: `cargo bench --bench disks -- IMAGE…` prints a line for each, tabs between: its path,
//! MB/s for reads of 1 MiB in order and of 4 KiB in order, and microseconds for a read of 4 KiB at random, by one thread; with
//! `--random` only the latter, for images that are too large to be read as a whole.
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
    let is_random = std::env::args().any(|argument| argument == "--random");
    for image in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let seconds = |length, random| seconds(Path::new(&image), length, random);
        let rate = |length: u64| length as f64 / 1e6 / seconds(length, false);
        let micros = seconds(4096, true) * 1e6;
        if is_random {
            println!("{image}\t{micros:.2}");
            continue;
        }
        println!("{image}\t{:.0}\t{:.0}\t{micros:.2}", rate(1 << 20), rate(4096));
    }
}

/// Seconds for one read of `length` bytes, of all in order or of some at random.
fn seconds(image: &Path, length: u64, random: bool) -> f64 {
    let source = block::open(image).expect("an image");
    let options = Options { siblings: &NoSiblings, snapshot: None };
    let disk = disk::open(source, None, &options).expect("a disk image").source;
    let blocks = (disk.size() / length).max(1);
    let count = if random { blocks.min(20_000) } else { blocks };
    let mut buf = vec![0; length as usize];
    let mut state = 1u64;
    let start = Instant::now();
    for number in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let block = if random { (state >> 33) % blocks } else { number };
        disk.read_at(&mut buf, block * length).expect("readable");
    }
    start.elapsed().as_secs_f64() / count as f64
}
