//! btrfs: after its documentation's "On-disk format", over one device or several.
//!
//! Opening reads the superblocks, the map of chunks and the root tree, and replays the log in memory. After
//! that an item is found by its key in a subvolume's tree; a node or a sector whose checksum is wrong is read
//! from another copy, and without one is an error.

mod assembly;
mod checksum;
mod chunks;
mod compression;
mod data;
mod directory;
mod extents;
mod features;
mod format;
mod inode;
mod key;
mod listing;
mod node;
mod nodes;
mod reader;
mod refs;
mod replay;
mod replay_extents;
mod replay_names;
mod slots;
mod space;
mod subvolumes;
mod sums;
mod superblock;
mod sweep;
mod tree;
mod volume;
mod xattr;

pub use reader::{member, open, open_devices, probe};
