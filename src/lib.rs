//! icecore opens the disk snapshot of a container node offline, in user space and read-only, rebuilds every
//! image that the node held, and reports its packages, its known vulnerabilities, and whatever could not be
//! examined.
//!
//! Data flows one way, and each room imports only rooms before it: [`block`] (bytes), `disk` (disk image
//! formats), `volume` (partitions), [`fs`] (file systems), [`database`] (formats of state), [`inventory`]
//! (packages), `node` (a machine), `store` (container runtimes), `layer` and `image`, `vuln` (advisories), `report`,
//! `scan`.
//! `ARCHITECTURE.md` says what each is for.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod block;
mod bytes;
pub mod database;
mod digest;
pub mod disk;
pub mod error;
pub mod fs;
pub mod gap;
pub mod image;
pub mod inventory;
pub mod layer;
pub mod limits;
pub mod newfile;
pub mod node;
mod num;
pub mod report;
pub mod scan;
pub mod store;
pub mod volume;
pub mod vuln;
mod xml;

pub use digest::{BadDigest, Digest};
pub use error::FormatError;
pub use gap::Gap;
