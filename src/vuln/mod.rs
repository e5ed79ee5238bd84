//! Advisories and what they say about packages: bytes of feeds in, a database out; packages and a database
//! in, findings out. Opens no file of a guest.

pub mod cvss;
pub mod database;
pub mod ecosystem;
pub mod feeds;
mod finding;
pub mod matching;
pub mod osv;
pub mod query;
pub mod version;

pub use database::Database;
pub use finding::{Cvss, Epss, Finding, Kev, Severity, Status, Why};
