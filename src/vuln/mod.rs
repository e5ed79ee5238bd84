//! Advisories and what they say about packages: bytes of feeds in, a database out; packages and a database
//! in, findings out. Opens no file of a guest.

pub mod advisory;
pub mod cvss;
pub mod database;
pub mod ecosystem;
pub mod feeds;
pub mod fetch;
mod finding;
pub mod matching;
pub mod osv;
pub mod priority;
pub mod query;
pub mod suppression;
pub mod version;

pub use database::Database;
pub use finding::{Cvss, Epss, Exploit, ExploitKind, Finding, Kev, Severity, Status, Why};
pub use priority::{Exploitability, Priority};
pub use suppression::{Suppressed, Suppressions};
