//! A scan: disks in, a report out. The room whose threads compute.

mod changes;
mod containers;
mod convert;
mod copies;
mod diff;
mod export;
mod findings;
mod images;
mod kernels;
mod layers;
mod open;
mod own;
mod pods;
mod run;
mod siblings;
mod stores;
mod view;
mod volumes;

use std::sync::Arc;

pub use diff::diff;
pub use export::{Exported, Scratch, export};
pub use open::{Inputs, OpenError, OpenStore, OpenedNode, open};
pub use run::{Options, inspect, json, on_threads, scan};
pub use view::{ViewError, Where, gaps, view, whole_view};

use crate::block::Counter;

/// Told what a scan is doing, for a progress display. All methods may be called from many threads.
pub trait Progress: Sync {
    /// The disks are open, and what is read of them is counted here.
    fn reading(&self, _counter: &Arc<Counter>) {}
    /// A stage begins, with the number of steps that it has.
    fn stage(&self, _name: &'static str, _steps: u64) {}
    /// A step of the stage is done.
    fn step(&self) {}
}

/// No display.
pub struct Silent;

impl Progress for Silent {}
