//! Advisories of feeds in, the database's bytes out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{
    ABOUT, CVES, DETAILS, KNOWN, PACKAGES,
    aliases::Aliases,
    container,
    packed::{self, Packing},
    pieces::{Feeds, Pieces},
    schema::{About, Exploitation, Known, Lifetime, Source},
    table::{self, Writer, decode, encode},
};
use crate::{
    error::FormatError,
    vuln::{
        advisory::{Advisory, Details, Rating},
        feeds::{Fact, Feed, Output},
    },
};

/// A record that was left out, or a part of one, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The feed's name.
    pub feed: String,
    /// The file, or the record's id.
    pub record: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Collects advisories. The same advisories give the same bytes, in whatever order they come.
#[derive(Default)]
pub struct Builder {
    sources: BTreeMap<&'static str, Source>,
    /// By feed and id.
    records: HashMap<(usize, String), Held>,
    pieces: Pieces,
    /// What the most eloquent source says of an id.
    details: HashMap<String, Told>,
    cves: BTreeMap<String, Exploitation>,
    lifetimes: BTreeMap<String, Lifetime>,
    problems: BTreeSet<Problem>,
}

/// The newest record of an id, as a feed has it.
struct Held {
    modified: String,
    /// Tells records of the same age apart.
    checksum: u64,
    /// Tells its statements from those of older records.
    generation: u32,
    /// The id and its aliases; nothing if it is set aside.
    names: Vec<String>,
    /// A [`Rating`], encoded: there are hundreds of thousands.
    rating: Vec<u8>,
}

/// What a source says for people.
struct Told {
    /// Whose word counts: the source's rank, then its place among the feeds.
    rank: (usize, usize),
    /// The age of the record and its checksum, as of [`Held`].
    age: (String, u64),
    /// [`Details`], encoded.
    details: Vec<u8>,
}

impl Builder {
    /// Counts a feed as read even if it turns out to be empty.
    pub fn source(&mut self, feed: &Feed) -> &mut Source {
        self.sources
            .entry(feed.name)
            .or_insert_with(|| Source { name: feed.name.to_owned(), ..Source::default() })
    }

    /// Notes a record that could not be read.
    pub fn malformed(&mut self, feed: &Feed, record: impl Into<String>, detail: impl Into<String>) {
        let source = self.source(feed);
        source.malformed = source.malformed.saturating_add(1);
        self.problem(feed, record.into(), detail.into());
    }

    fn problem(&mut self, feed: &Feed, record: String, detail: String) {
        self.problems.insert(Problem { feed: feed.name.to_owned(), record, detail });
    }

    /// What was left out, sorted.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// The feeds that were read, with their counts.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// Adds what a file of a feed says. The error is about the database's own limits.
    pub fn add(&mut self, feed: &Feed, output: Output) -> Result<(), FormatError> {
        let Output { advisories, facts, lifetimes, date, malformed, unordered } = output;
        for (record, detail) in malformed {
            self.malformed(feed, record, detail);
        }
        for (record, detail) in unordered {
            let source = self.source(feed);
            source.unordered = source.unordered.saturating_add(1);
            self.problem(feed, record, detail);
        }
        self.dated(feed, date.as_deref());
        // What advisories say of exploitation is a part of them.
        let alone = advisories.is_empty();
        for advisory in advisories {
            self.advisory(feed, advisory)?;
        }
        for (cve, fact) in facts {
            if alone {
                self.counted(feed);
            }
            let held = self.cves.entry(cve).or_default();
            match fact {
                Fact::Exploited(entry) => held.kev = Some(entry),
                Fact::Epss { score, percentile } => held.epss = Some((score, percentile)),
                Fact::Exploit(exploit) => held.exploits.push(exploit),
            }
        }
        for (ecosystem, lifetime) in lifetimes {
            self.counted(feed);
            self.lifetimes.insert(ecosystem, lifetime);
        }
        Ok(())
    }

    fn counted(&mut self, feed: &Feed) -> &mut Source {
        let source = self.source(feed);
        source.records = source.records.saturating_add(1);
        source
    }

    /// Keeps the newest date of a feed.
    fn dated(&mut self, feed: &Feed, date: Option<&str>) {
        let source = self.source(feed);
        // Go's records are all of the year 1.
        let date = date.filter(|date| !date.starts_with("0001-"));
        if let Some(date) = date.filter(|date| source.date.as_deref().is_none_or(|held| held < *date)) {
            source.date = Some(date.to_owned());
        }
    }

    fn advisory(&mut self, feed: &Feed, advisory: Advisory) -> Result<(), FormatError> {
        self.dated(feed, advisory.modified.as_deref());
        let source = self.counted(feed);
        if advisory.set_aside {
            source.set_aside = source.set_aside.saturating_add(1);
        }
        let position = feed.position();
        let checksum = table::checksum(&encode(&advisory)?);
        let modified = advisory.modified.unwrap_or_default();
        let names: Vec<_> = match advisory.set_aside {
            true => Vec::new(),
            false => std::iter::once(&advisory.id).chain(&advisory.aliases).cloned().collect(),
        };
        if !advisory.details.is_empty() && !advisory.set_aside {
            self.told(feed, &advisory.id, (modified.clone(), checksum), &advisory.details)?;
        }
        let rating = encode(&advisory.rating)?;
        let key = (position, advisory.id);
        let generation = match self.records.get_mut(&key) {
            // A file of such a feed says a part of what there is to say of an id.
            Some(held) if feed.piecewise => {
                held.names.extend(names);
                held.names.sort();
                held.names.dedup();
                if held.rating < rating {
                    held.rating = rating;
                }
                held.generation
            }
            Some(held) if (held.modified.as_str(), held.checksum) >= (modified.as_str(), checksum) => {
                return Ok(());
            }
            held => {
                let generation = held.map_or(0, |held| held.generation.saturating_add(1));
                self.records.insert(key.clone(), Held { modified, checksum, generation, names, rating });
                generation
            }
        };
        if !advisory.set_aside {
            self.pieces.add(position, &key.1, generation, advisory.claims)?;
        }
        Ok(())
    }

    /// Keeps what a source says for people if no better one, and no newer record of it, says something.
    fn told(
        &mut self,
        feed: &Feed,
        id: &str,
        age: (String, u64),
        details: &Details,
    ) -> Result<(), FormatError> {
        let rank = (feed.eloquence, feed.position());
        let held = self.details.get(id);
        if held.is_none_or(|held| held.rank > rank || held.rank == rank && held.age < age) {
            let told = Told { rank, age, details: encode(details)? };
            self.details.insert(id.to_owned(), told);
        }
        Ok(())
    }

    /// The database's bytes.
    pub fn finish(mut self) -> Result<Vec<u8>, FormatError> {
        let sources: Vec<Source> = self.sources.values().cloned().collect();
        let feeds = Feeds::new(&sources);
        let mut aliases = Aliases::default();
        let mut records: Vec<_> = self.records.iter().collect();
        records.sort_by_key(|(key, _)| *key);
        for (_, held) in &records {
            aliases.join(&held.names);
        }
        let is_newest = |feed: usize, record: &str, generation: u32| {
            let held = self.records.get(&(feed, record.to_owned()));
            held.filter(|held| held.generation == generation).map(|held| held.modified.clone())
        };
        let (packages, named) = self.pieces.table(&feeds, is_newest)?;
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for (id, ids) in aliases.groups() {
            known.insert(id, Known { ids, ratings: Vec::new() });
        }
        // What nobody can ask for is left out: what is said of a vulnerability of which no package is known.
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut ask = |id: &str| {
            asked.insert(id.to_owned());
            asked.extend(known.get(id).into_iter().flat_map(|known| known.ids.iter().cloned()));
        };
        let mut ratings = Vec::new();
        for ((feed, id), held) in records {
            if held.names.is_empty() {
                continue;
            }
            let rating: Rating = decode(&held.rating)?;
            if named.contains(id) {
                ask(id);
                rating.members.iter().for_each(|member| ask(member));
            }
            ratings.push((*feed, id, rating));
        }
        for (feed, id, rating) in ratings.into_iter().filter(|(_, id, _)| asked.contains(*id)) {
            if rating != Rating::default() {
                let held = known.entry(id.clone()).or_default();
                held.ratings.push((feeds.number(feed), rating));
            }
        }
        known.retain(|id, _| asked.contains(id));
        for held in self.cves.values_mut() {
            held.exploits.sort();
            held.exploits.dedup();
        }
        let about = About {
            sources,
            ecosystems: packages.ecosystems,
            releases: packages.releases,
            lifetimes: self.lifetimes,
        };
        let about = serde_json::to_vec(&about)
            .map_err(|error| FormatError::malformed("database entry", error.to_string()))?;
        let mut about_bytes = Vec::new();
        let about_root =
            packed::append(&mut about_bytes, &packed::pack(&about, Packing::QUICK)?, about.len());
        let mut details: Vec<_> = self.details.iter().filter(|(id, _)| asked.contains(*id)).collect();
        details.sort_by_key(|(id, _)| *id);
        let details =
            details.into_iter().map(|(id, told)| (id.as_str(), Ok(Cow::Borrowed(told.details.as_slice()))));
        let known = known.iter().map(|(id, known)| (id.as_str(), encode(known).map(Cow::Owned)));
        let cves = self.cves.iter().map(|(id, cve)| (id.as_str(), encode(cve).map(Cow::Owned)));
        container::write(vec![
            (ABOUT, true, about_bytes, about_root),
            (PACKAGES, true, packages.section.0, packages.section.1),
            section(KNOWN, true, Packing::QUICK, known)?,
            section(CVES, false, Packing::QUICK, cves)?,
            section(DETAILS, false, Packing::SMALL, details)?,
        ])
    }
}

/// A row's encoded value.
type Value<'a> = Result<Cow<'a, [u8]>, FormatError>;

fn section<'a>(
    name: &'static str,
    required: bool,
    packing: Packing,
    rows: impl Iterator<Item = (&'a str, Value<'a>)>,
) -> Result<container::Part, FormatError> {
    let mut writer = Writer::new(packing);
    for (key, value) in rows {
        writer.add(key, &value?)?;
    }
    let (bytes, root) = writer.finish()?;
    Ok((name, required, bytes, root))
}
