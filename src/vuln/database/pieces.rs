//! What advisories say about packages, gathered by package while feeds are read, and the table of it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use super::{
    packed::{Packing, Piece as Root},
    schema::{Entry, Source, Stated},
    table::{Writer, decode, encode},
};
use crate::{
    error::FormatError,
    vuln::{
        advisory::{Claim, Statement},
        ecosystem,
        feeds::FEEDS,
    },
};

/// The numbers that feeds have in a database.
pub(super) struct Feeds(Vec<u16>);

impl Feeds {
    /// The places of all feeds among those that were read.
    pub(super) fn new(sources: &[Source]) -> Self {
        let place = |name| sources.iter().position(|source| source.name == name);
        let number = |name| place(name).and_then(|place| u16::try_from(place).ok()).unwrap_or(u16::MAX);
        Self(FEEDS.iter().map(|feed| number(feed.name)).collect())
    }

    /// The number of the feed at a place of [`FEEDS`].
    pub(super) fn number(&self, position: usize) -> u16 {
        self.0.get(position).copied().unwrap_or(u16::MAX)
    }
}

/// What one record says about one package.
struct Piece {
    feed: usize,
    record: String,
    generation: u32,
    /// Encoded [`Stated`]s: there are hundreds of thousands. Releases have the numbers of [`Pieces`].
    stated: Vec<u8>,
}

/// Everything that was said about packages.
#[derive(Default)]
pub(super) struct Pieces {
    /// Numbers of releases in the order in which they were met.
    releases: HashMap<String, u16>,
    /// By `family\0name`.
    packages: HashMap<String, Vec<Piece>>,
}

/// The table of packages, and what is needed to read it.
pub(super) struct Packages {
    /// The section's bytes and its root.
    pub(super) section: (Vec<u8>, Root),
    /// The names of releases, sorted: statements have their places.
    pub(super) releases: Vec<String>,
    /// The number of statements by ecosystem.
    pub(super) ecosystems: BTreeMap<String, u64>,
}

impl Pieces {
    /// Adds what a record says.
    pub(super) fn add(
        &mut self,
        feed: usize,
        record: &str,
        generation: u32,
        claims: Vec<Claim>,
    ) -> Result<(), FormatError> {
        let mut packages: BTreeMap<String, BTreeMap<Statement, BTreeSet<u16>>> = BTreeMap::new();
        for claim in claims {
            let (family, release) = ecosystem::family(&claim.ecosystem);
            let release = release.map(|_| self.release(&claim.ecosystem)).transpose()?;
            let package = packages.entry(format!("{family}\0{}", claim.name)).or_default();
            package.entry(claim.statement).or_default().extend(release);
        }
        for (key, statements) in packages {
            let stated: Vec<_> = statements
                .into_iter()
                .map(|(statement, releases)| Stated { releases: releases.into_iter().collect(), statement })
                .collect();
            let stated = encode(&stated)?;
            let piece = Piece { feed, record: record.to_owned(), generation, stated };
            self.packages.entry(key).or_default().push(piece);
        }
        Ok(())
    }

    fn release(&mut self, name: &str) -> Result<u16, FormatError> {
        if let Some(number) = self.releases.get(name) {
            return Ok(*number);
        }
        let number = u16::try_from(self.releases.len())
            .map_err(|_| FormatError::limit(format!("more than {} releases of distributions", u16::MAX)))?;
        self.releases.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The table, and the ids of the records in it. `modified` tells when a record of a feed last changed,
    /// if the piece is of its newest form.
    pub(super) fn table(
        &self,
        feeds: &Feeds,
        modified: impl Fn(usize, &str, u32) -> Option<String>,
    ) -> Result<(Packages, HashSet<String>), FormatError> {
        let mut releases: Vec<_> = self.releases.keys().cloned().collect();
        releases.sort();
        let mut places = vec![0_u16; releases.len()];
        for (place, name) in (0_u16..).zip(&releases) {
            let slot = self.releases.get(name).and_then(|number| places.get_mut(usize::from(*number)));
            if let Some(slot) = slot {
                *slot = place;
            }
        }
        let mut keys: Vec<_> = self.packages.iter().collect();
        keys.sort_by_key(|(key, _)| *key);
        let mut writer = Writer::new(Packing::QUICK);
        let mut named = HashSet::new();
        let mut ecosystems: BTreeMap<String, u64> = BTreeMap::new();
        for (key, pieces) in keys {
            let mut records: BTreeMap<&str, Vec<(String, &Piece)>> = BTreeMap::new();
            for piece in pieces {
                if let Some(modified) = modified(piece.feed, &piece.record, piece.generation) {
                    records.entry(&piece.record).or_default().push((modified, piece));
                }
            }
            let mut entries = Vec::new();
            for (record, pieces) in records {
                entries.extend(of_record(record, pieces, &places, feeds)?);
                named.insert(record.to_owned());
            }
            if entries.is_empty() {
                continue;
            }
            entries.sort();
            let family = key.split('\0').next().unwrap_or_default();
            for stated in entries.iter().flat_map(|entry| &entry.statements) {
                let places = stated.releases.iter().filter_map(|place| releases.get(usize::from(*place)));
                let mut names: Vec<_> = places.map(String::as_str).collect();
                if names.is_empty() {
                    names.push(family);
                }
                for name in names {
                    let count = ecosystems.entry(name.to_owned()).or_default();
                    *count = count.saturating_add(1);
                }
            }
            writer.add(key, &encode(&entries)?)?;
        }
        Ok((Packages { section: writer.finish()?, releases, ecosystems }, named))
    }
}

/// The entries of one record, one a feed. Where several feeds have a record of that id, a distribution's
/// release is left to the first of them in [`FEEDS`], and what has no releases to the newest; but several
/// sources have records of their own under a CVE id.
fn of_record(
    record: &str,
    pieces: Vec<(String, &Piece)>,
    places: &[u16],
    feeds: &Feeds,
) -> Result<Vec<Entry>, FormatError> {
    let mut by_feed: BTreeMap<usize, (String, Vec<Stated>)> = BTreeMap::new();
    for (modified, piece) in pieces {
        let stated: Vec<Stated> = decode(&piece.stated)?;
        let held = by_feed.entry(piece.feed).or_insert((modified, Vec::new()));
        held.1.extend(stated.into_iter().map(|mut stated| {
            for release in &mut stated.releases {
                *release = places.get(usize::from(*release)).copied().unwrap_or(u16::MAX);
            }
            stated.releases.sort_unstable();
            stated
        }));
    }
    let rolling = by_feed.values().flat_map(|(_, stated)| stated).all(|stated| stated.releases.is_empty());
    let mut by_rank: Vec<_> = by_feed.into_iter().collect();
    if rolling && !record.starts_with("CVE-") {
        by_rank.sort_by_key(|(feed, (modified, _))| (Reverse(modified.clone()), *feed));
        by_rank.truncate(1);
    }
    let mut spoken_for: BTreeSet<u16> = BTreeSet::new();
    let mut entries = Vec::new();
    for (feed, (_, stated)) in by_rank {
        let mut statements: BTreeMap<Statement, BTreeSet<u16>> = BTreeMap::new();
        for Stated { releases, statement } in stated {
            let left: Vec<_> =
                releases.iter().filter(|release| !spoken_for.contains(release)).copied().collect();
            if !left.is_empty() || releases.is_empty() {
                statements.entry(statement).or_default().extend(left);
            }
        }
        spoken_for.extend(statements.values().flatten());
        if !statements.is_empty() {
            let stated = statements
                .into_iter()
                .map(|(statement, releases)| Stated { releases: releases.into_iter().collect(), statement });
            entries.push(Entry {
                record: record.to_owned(),
                feed: feeds.number(feed),
                statements: stated.collect(),
            });
        }
    }
    Ok(entries)
}
