//! A scan: disks in, a report out. The only room with threads that compute.

mod containers;
mod convert;
mod copies;
mod export;
mod findings;
mod images;
mod layers;
mod open;
mod own;
mod run;
mod stores;
mod view;
mod volumes;

pub use export::{Scratch, export};
pub use open::{Inputs, OpenError, OpenStore, OpenedNode, open};
pub use run::{Options, inspect, json, on_threads, scan};
pub use view::{ViewError, Where, gaps, view, whole_view};

/// Told what a scan is doing, for a progress display. All methods may be called from many threads.
pub trait Progress: Sync {
    /// The disks are open; `read` tells how many of their bytes were read so far.
    fn reading(&self, _read: Box<dyn Fn() -> u64 + Send + Sync>) {}
    /// A stage begins, with the number of steps that it has.
    fn stage(&self, _name: &'static str, _steps: u64) {}
    /// A step of the stage is done.
    fn step(&self) {}
}

/// No display.
pub struct Silent;

impl Progress for Silent {}
