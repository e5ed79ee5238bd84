//! Advisories and what they say about packages: bytes of feeds in, a database out; packages and a database
//! in, findings out. Opens no file of a guest.

pub mod version;
