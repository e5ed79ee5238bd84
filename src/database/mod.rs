//! Database files of guests: a file in, rows out, in the formats in which runtimes and package managers keep
//! their state. Nothing is written, locked or recovered on disk; what a crashed writer left beside the file
//! (a SQLite WAL) is merged while reading. A bad page loses what it holds.

pub mod bdb;
pub mod bolt;
pub mod ndb;
mod order;
pub mod registry;
pub mod sqlite;
