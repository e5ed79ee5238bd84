//! What reading one file of a feed gives.

use crate::vuln::{
    advisory::Advisory,
    database::{Exploited, Lifetime},
    finding::Exploit,
};

/// One file of a feed.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its path in the feed.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// What a file says, in the form in which all sources are kept.
#[derive(Debug, Default)]
pub struct Output {
    /// Its advisories.
    pub advisories: Vec<Advisory>,
    /// What it says about the exploitation of a vulnerability, by CVE id.
    pub facts: Vec<(String, Fact)>,
    /// Until when releases get fixes, by ecosystem.
    pub lifetimes: Vec<(String, Lifetime)>,
    /// As of when this is, if the file as a whole says so.
    pub date: Option<String>,
    /// Parts that could not be read, and why.
    pub malformed: Vec<(String, String)>,
    /// Records with a range that their ecosystem's scheme does not order, and why.
    pub unordered: Vec<(String, String)>,
}

/// Something about the exploitation of a vulnerability.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// It is in the catalogue of known exploited vulnerabilities.
    Exploited(Exploited),
    /// How likely it is to be exploited, in units of 10^-9.
    Epss {
        /// The probability.
        score: u32,
        /// The share of vulnerabilities that score lower or the same.
        percentile: u32,
    },
    /// There is an exploit.
    Exploit(Exploit),
}
