//! Advisories in one file, found by ecosystem and name with positional reads: opening reads the header and
//! the indexes, a lookup reads one compressed block. The same feeds make the same bytes.

mod aliases;
mod build;
mod cache;
mod container;
mod packed;
mod pieces;
mod schema;
mod table;

use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use build::{Builder, Problem};
pub use schema::{About, Entry, Exploitation, Exploited, Known, Lifetime, Source as FeedSource, Stated};

use self::{
    cache::{Answers, Blocks},
    table::{Table, decode},
};
use super::{advisory::Details, ecosystem};
use crate::{
    block::{ReadAt, Source},
    error::FormatError,
    inventory::{Os, PackageKind},
    limits,
};

/// An opened database, shared by threads.
pub struct Database {
    source: Source,
    about: About,
    packages: Table,
    known: Table,
    cves: Table,
    details: Table,
    blocks: Blocks,
    answers: Answers,
}

/// That fixes for a release of a distribution have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The release.
    pub ecosystem: String,
    /// The last day of fixes for everybody.
    pub date: String,
    /// Prolonged support that has not ended, for people; empty if there is none.
    pub prolonged: String,
}

const ABOUT: &str = "about";
const PACKAGES: &str = "packages";
const KNOWN: &str = "known";
const CVES: &str = "cves";
const DETAILS: &str = "details";
const SECTIONS: [&str; 5] = [ABOUT, PACKAGES, KNOWN, CVES, DETAILS];

impl Database {
    /// Opens a database. Damage to the header or an index is found here, damage to a block when it is read.
    pub fn open(source: Source) -> Result<Self, FormatError> {
        let sections = container::read(&source, &SECTIONS)?;
        let find = |name: &str| sections.iter().find(|section| section.name == name);
        let about = find(ABOUT).ok_or_else(|| missing(ABOUT))?;
        let about =
            packed::read(&source, "database", about.offset, &about.root, limits::DATABASE_INDEX_BYTES)?;
        let about = serde_json::from_slice(&about)
            .map_err(|error| FormatError::malformed("database", error.to_string()))?;
        let table = |name: &str, required: bool| match find(name) {
            Some(section) => Table::open(&source, section.offset, &section.root),
            None if required => Err(missing(name)),
            None => Ok(Table::default()),
        };
        Ok(Self {
            packages: table(PACKAGES, true)?,
            known: table(KNOWN, true)?,
            cves: table(CVES, false)?,
            details: table(DETAILS, false)?,
            about,
            blocks: Blocks::default(),
            answers: Answers::default(),
            source,
        })
    }

    /// What it is made of.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// Reads every block and checks it: `db info` and tests ask for this, lookups need not.
    pub fn verify(&self) -> Result<(), FormatError> {
        for table in [&self.packages, &self.known, &self.cves, &self.details] {
            for number in 0..table.blocks() {
                table.read(&self.source, number)?;
            }
        }
        Ok(())
    }

    /// What advisories say about a package of a family of ecosystems (`Debian`, `PyPI`), sorted by their ids;
    /// of all its releases.
    pub fn entries(&self, family: &str, name: &str) -> Result<Arc<[Entry]>, FormatError> {
        let key = format!("{family}\0{name}");
        if let Some(held) = self.answers.get(&key) {
            return Ok(held);
        }
        let mut size = 0;
        let read = |value: &[u8]| {
            size = value.len();
            decode::<Vec<Entry>>(value)
        };
        let entries: Arc<[Entry]> = self.lookup(&self.packages, &key, read)?.unwrap_or_default().into();
        self.answers.keep(key, size, &entries);
        Ok(entries)
    }

    /// The place of a release in [`About::releases`]: what statements name it by. `Ok(None)` for a family
    /// without releases, `Err` for a release of which nothing is known.
    pub(super) fn release(&self, ecosystem: &str) -> Result<Option<u16>, ()> {
        if ecosystem::family(ecosystem).1.is_none() {
            return Ok(None);
        }
        let place = self.about.releases.binary_search_by(|release| release.as_str().cmp(ecosystem));
        place.ok().and_then(|place| u16::try_from(place).ok()).map(Some).ok_or(())
    }

    /// When fixes for everybody ended for a distribution, if that was before the newest advisory.
    pub fn ended(&self, os: &Os) -> Option<Ended> {
        let kinds = [PackageKind::Deb, PackageKind::Apk, PackageKind::Rpm];
        let ecosystem = kinds.into_iter().find_map(|kind| ecosystem::of(kind, Some(os)))?;
        let lifetime = self.about.lifetimes.get(&ecosystem)?;
        let newest = self.about.sources.iter().filter_map(|source| source.date.as_deref()).max()?;
        let date = lifetime.ends.clone().filter(|ends| ends.as_str() < newest)?;
        let prolonged = lifetime.prolonged.iter().filter(|(_, ends)| ends.as_str() >= newest);
        let prolonged =
            prolonged.map(|(name, ends)| format!(", for subscribers of {name} on {ends}")).collect();
        Some(Ended { ecosystem, date, prolonged })
    }

    /// The day of the EPSS scores, if the feed says.
    pub fn epss_date(&self) -> Option<&str> {
        let source = self.about.sources.iter().find(|source| source.name == "epss")?;
        source.date.as_deref()
    }

    /// The name of the feed of an entry.
    pub fn feed(&self, entry: &Entry) -> &str {
        self.about.sources.get(usize::from(entry.feed)).map_or("", |source| &source.name)
    }

    /// What is known of a vulnerability by one of its ids.
    pub fn known(&self, id: &str) -> Result<Option<Known>, FormatError> {
        self.lookup(&self.known, id, decode)
    }

    /// What is known of a vulnerability's exploitation, by its CVE id.
    pub fn exploitation(&self, cve: &str) -> Result<Option<Exploitation>, FormatError> {
        self.lookup(&self.cves, cve, decode)
    }

    /// What the most eloquent source says about a vulnerability, by one of its ids.
    pub fn details(&self, id: &str) -> Result<Option<Details>, FormatError> {
        self.lookup(&self.details, id, decode)
    }

    fn lookup<T: DeserializeOwned>(
        &self,
        table: &Table,
        key: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, FormatError>,
    ) -> Result<Option<T>, FormatError> {
        let Some(number) = table.find(key) else { return Ok(None) };
        let block = self.blocks.block(table, number, &self.source)?;
        let mut rest = table::entries(&block).skip_while(|(at, _)| *at < key.as_bytes());
        match rest.next() {
            Some((at, value)) if at == key.as_bytes() => parse(value).map(Some),
            _ => Ok(None),
        }
    }
}

fn missing(section: &str) -> FormatError {
    FormatError::malformed("database header", format!("section `{section}` is missing"))
}
