//! Database files in, rows out: the formats in which runtimes and package managers keep their state. Read
//! only, with positional reads, and tolerant of damage: a bad page loses what it holds.

pub mod bolt;
