//! Database files of guests: a file in, rows out. Nothing is written, locked or recovered on disk; what a
//! crashed writer left beside the file (a SQLite WAL) is merged while reading.

pub mod bdb;
mod bytes;
pub mod ndb;
pub mod sqlite;
