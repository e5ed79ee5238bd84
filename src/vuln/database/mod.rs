//! Advisories in one file, found by ecosystem and name with positional reads: opening reads the header and
//! the indexes, a lookup reads one compressed block. The same feeds make the same bytes.

mod aliases;
mod build;
mod cache;
mod container;
mod packed;
mod record;
mod schema;
mod table;

pub use build::{Builder, Problem};
pub use schema::{About, Advisory, Entry, Exploited, Source as FeedSource};

use self::{cache::Cache, table::Table};
use crate::{block::Source, error::FormatError, limits};

/// An opened database, shared by threads.
pub struct Database {
    source: Source,
    about: About,
    packages: Table,
    advisories: Table,
    aliases: Table,
    kev: Table,
    epss: Table,
    cache: Cache,
}

const ABOUT: &str = "about";
const PACKAGES: &str = "packages";
const ADVISORIES: &str = "advisories";
const ALIASES: &str = "aliases";
const KEV: &str = "kev";
const EPSS: &str = "epss";
const SECTIONS: [&str; 6] = [ABOUT, PACKAGES, ADVISORIES, ALIASES, KEV, EPSS];

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
            advisories: table(ADVISORIES, true)?,
            aliases: table(ALIASES, true)?,
            kev: table(KEV, false)?,
            epss: table(EPSS, false)?,
            about,
            cache: Cache::default(),
            source,
        })
    }

    /// What it is made of.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Reads every block and checks it: `db info` and tests ask for this, lookups need not.
    pub fn verify(&self) -> Result<(), FormatError> {
        for table in [&self.packages, &self.advisories, &self.aliases, &self.kev, &self.epss] {
            for number in 0..table.blocks() {
                table.read(&self.source, number)?;
            }
        }
        Ok(())
    }

    /// Calls `read` with every entry of a package, in the order of their ids.
    pub(super) fn entries(
        &self,
        ecosystem: &str,
        name: &str,
        mut read: impl FnMut(Entry),
    ) -> Result<(), FormatError> {
        let key = format!("{ecosystem}\0{name}");
        let parse = |value: &[u8]| -> Result<(), FormatError> {
            let entries: Vec<Entry> = serde_json::from_slice(value).map_err(damaged)?;
            entries.into_iter().for_each(&mut read);
            Ok(())
        };
        self.lookup(&self.packages, &key, parse).map(|_| ())
    }

    /// What a feed says about an advisory by itself.
    pub(super) fn advisory(&self, id: &str, feed: &str) -> Result<Option<Advisory>, FormatError> {
        self.lookup(&self.advisories, &format!("{id}\0{feed}"), json)
    }

    /// What every feed says about an id.
    pub(super) fn advisories(&self, id: &str) -> Result<Vec<Advisory>, FormatError> {
        let prefix = format!("{id}\0");
        let mut found = Vec::new();
        let first = self.advisories.find(&prefix).unwrap_or_default();
        for number in first..self.advisories.blocks() {
            let block = self.cache.block(&self.advisories, number, &self.source)?;
            for (key, value) in table::entries(&block) {
                if key.starts_with(prefix.as_bytes()) {
                    found.push(json(value)?);
                } else if key > prefix.as_bytes() {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// All ids of the vulnerability that `id` names, itself included.
    pub(super) fn group(&self, id: &str) -> Result<Vec<String>, FormatError> {
        Ok(self.lookup(&self.aliases, id, json)?.unwrap_or_else(|| vec![id.to_owned()]))
    }

    /// The entry of the catalogue of known exploited vulnerabilities.
    pub(super) fn exploited(&self, cve: &str) -> Result<Option<Exploited>, FormatError> {
        self.lookup(&self.kev, cve, json)
    }

    /// EPSS score and percentile, in [0, 1].
    pub(super) fn epss(&self, cve: &str) -> Result<Option<(f64, f64)>, FormatError> {
        self.lookup(&self.epss, cve, json)
    }

    fn lookup<T>(
        &self,
        table: &Table,
        key: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, FormatError>,
    ) -> Result<Option<T>, FormatError> {
        let Some(number) = table.find(key) else { return Ok(None) };
        let block = self.cache.block(table, number, &self.source)?;
        let mut rest = table::entries(&block).skip_while(|(at, _)| *at < key.as_bytes());
        match rest.next() {
            Some((at, value)) if at == key.as_bytes() => parse(value).map(Some),
            _ => Ok(None),
        }
    }
}

fn json<T: serde::de::DeserializeOwned>(value: &[u8]) -> Result<T, FormatError> {
    serde_json::from_slice(value).map_err(damaged)
}

fn damaged(error: serde_json::Error) -> FormatError {
    FormatError::malformed("database entry", error.to_string())
}

fn missing(section: &str) -> FormatError {
    FormatError::malformed("database header", format!("section `{section}` is missing"))
}
