//! Volumes in, a machine out: which is the root, what is mounted where, what operating system it is, where
//! container runtimes keep their state, and whether the node is of a kind that is analyzed.

mod bounds;
mod commands;
mod config;
mod configfiles;
mod declared;
mod devices;
mod entries;
mod environment;
mod facts;
mod fstab;
mod kernels;
mod machine;
mod mounting;
mod ostree;
mod others;
mod roots;
mod services;
mod sites;
mod slots;
mod specifiers;
mod storage;
mod systems;
mod unitfiles;
mod units;
mod users;
mod verdict;
mod windows;

pub use bounds::Bounds;
pub use declared::{Declared, declared};
pub use facts::{DiskFacts, NodeFacts};
pub use kernels::{Kernel, KernelImage, Teller, kernels};
pub use machine::{Machine, MountPoint, NodeVolume, assemble};
pub use others::{ImageArchive, Other, image_archives, others};
pub use sites::{Runtime, Site};
pub use storage::StorageOptions;
