//! What targets of the kernel's device mapper keep on disk, whoever put them together: thin pools and caches in B-trees
//! of checked blocks (kernel, `drivers/md/persistent-data/`;
//! Documentation/admin-guide/device-mapper/persistent-data.rst), snapshots and write caches in tables of their own.

mod array;
mod blocks;
mod cache;
mod kept;
mod moved;
mod snapshot;
mod thin;
mod tree;
mod writecache;

pub(super) use cache::{Cache, Mode};
pub(super) use kept::Kept;
pub(super) use snapshot::Snapshot;
pub(super) use thin::{Pool, Thin};
pub(super) use writecache::Writecache;
