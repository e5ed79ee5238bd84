//! One integration binary: what the units cannot show by themselves.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the lints guard the library against hostile disks; tests read their own files and fail loudly"
)]

mod advisories;
mod bills;
mod btrfs;
mod build;
mod cli;
mod corpus;
mod damage;
mod demo;
mod disk;
mod disk_siblings;
mod erofs;
mod exfat;
mod export;
mod ext4;
mod fat;
mod faults;
mod features;
mod fold;
mod folding;
mod host;
mod hostile;
#[cfg(feature = "http")]
mod http;
mod inventory;
mod judged;
mod lvm;
mod lvm_kernel;
mod lvm_maps;
mod matching;
mod md;
mod node;
mod ntfs;
mod programs;
mod rooms;
mod shared;
mod squashfs;
mod store_faults;
mod stores;
mod tree;
mod versions;
mod volume;
mod windows;
mod xfs;
