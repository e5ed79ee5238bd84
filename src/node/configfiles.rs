//! Files of a machine's configuration, as large and as many as those of any real one.

use serde::Deserialize;

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    gap::Code,
    limits, num,
};

/// Bytes that a file of variables counts for at least.
const LEAST: usize = 1024;

/// The files of a machine.
pub(super) struct Files<'a> {
    root: &'a Root,
    /// What could not be read.
    pub(super) damage: Vec<(GuestPath, FormatError)>,
    /// Entries of the directories that patterns had listed so far.
    listed: usize,
}

impl<'a> Files<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, damage: Vec::new(), listed: 0 }
    }

    /// The files that a pattern in a file names: relative to that file, with `*` and `?` in its last component.
    pub(super) fn matching(&mut self, file: &GuestPath, import: &str) -> Vec<GuestPath> {
        let base = if import.starts_with('/') { GuestPath::ROOT } else { file.parent().unwrap_or_default() };
        let path = GuestPath::new([base.as_bytes(), b"/", import.as_bytes()].concat());
        let pattern = String::from_utf8_lossy(path.name()).into_owned();
        let above = import.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
        if above.contains(['*', '?', '[']) || pattern.contains('[') {
            let import: String = import.chars().take(200).collect();
            let what =
                format!("the pattern {import:?} of files: only \"*\" and \"?\" in a name are followed");
            self.damage.push((file.clone(), FormatError::unsupported(what)));
            return Vec::new();
        }
        if !pattern.contains(['*', '?']) {
            return vec![path];
        }
        // What was listed counts for all patterns together: each lists a directory anew.
        if self.listed >= limits::CONFIG_LISTED {
            let what = format!("patterns that list more than {} files", limits::CONFIG_LISTED);
            self.tell_once(&GuestPath::new("etc"), FormatError::limit(what));
            return Vec::new();
        }
        let dir = path.parent().unwrap_or_default();
        let listing = match self.root.list(dir.as_bytes()) {
            Ok(Some((_, listing))) => listing,
            Ok(None) => return Vec::new(),
            Err(error) => {
                self.damage.push((dir, error));
                return Vec::new();
            }
        };
        self.listed = self.listed.saturating_add(listing.entries.len());
        self.damage.extend(listing.damage.into_iter().map(|error| (dir.clone(), error)));
        let matcher = wildmatch::WildMatch::new(&pattern);
        let files = listing.entries.iter().filter(|entry| entry.kind != FileKind::Directory);
        let named = files.filter(|entry| matcher.matches(&String::from_utf8_lossy(&entry.name)));
        let mut paths: Vec<GuestPath> =
            named.take(limits::CONFIG_FILES.saturating_add(1)).map(|entry| dir.join(&entry.name)).collect();
        if paths.len() > limits::CONFIG_FILES {
            paths.pop();
            let what = format!("more than {} files that a pattern names", limits::CONFIG_FILES);
            self.tell_once(&dir, FormatError::limit(what));
        }
        paths.sort();
        paths
    }

    /// The files of variables that a path or pattern of a unit names, as many as `left` bytes hold, each counting for
    /// [`LEAST`]; one that cannot be read, or for which nothing is left, is `None`.
    pub(super) fn variables(&mut self, path: &str, left: &mut usize) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        for path in self.matching(&GuestPath::ROOT, path) {
            let before = self.damage.len();
            match self.text(&path, num::to_u64(*left)) {
                Some(text) => {
                    *left = left.saturating_sub(text.len().max(LEAST));
                    texts.push(Some(text));
                }
                None if self.damage.len() > before => {
                    texts.push(None);
                    // Each that is too large would be told.
                    if self.damage.last().is_some_and(|(_, error)| error.code() == Code::LimitReached) {
                        break;
                    }
                }
                None => {}
            }
        }
        texts
    }

    pub(super) fn json<T: for<'de> Deserialize<'de>>(&mut self, file: &GuestPath) -> Option<T> {
        let text = self.text(file, limits::CONFIG_BYTES)?;
        let parsed = serde_json::from_str(&text);
        parsed.map_err(|error| self.malformed(file, &error.to_string())).ok()
    }

    /// The libraries of Go that read these files take keys without regard to case.
    pub(super) fn toml<T: for<'de> Deserialize<'de>>(&mut self, file: &GuestPath) -> Option<T> {
        let text = self.text(file, limits::CONFIG_BYTES)?;
        let parsed = toml::from_str(&text).and_then(|table| toml::Value::Table(lower(table)).try_into());
        parsed.map_err(|error: toml::de::Error| self.malformed(file, error.message())).ok()
    }

    fn malformed(&mut self, file: &GuestPath, problem: &str) {
        self.damage.push((file.clone(), FormatError::malformed("configuration file", problem)));
    }

    /// The text of a file of at most `most` bytes.
    pub(super) fn text(&mut self, file: &GuestPath, most: u64) -> Option<String> {
        match self.root.read_within(file.as_bytes(), "configuration file", most) {
            Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.damage.push((file.clone(), error));
                None
            }
        }
    }

    /// Tells a bound that was reached, of one place only once.
    fn tell_once(&mut self, path: &GuestPath, error: FormatError) {
        if self.damage.iter().all(|(other, known)| other != path || known.detail() != error.detail()) {
            self.damage.push((path.clone(), error));
        }
    }
}

/// A table with its keys in lower case, and those of the tables in it; of arrays nothing is asked.
fn lower(table: toml::Table) -> toml::Table {
    // A key that is in lower case goes before others that differ in their case.
    let (mut others, exact): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(key, _)| key.chars().any(char::is_uppercase));
    others.extend(exact);
    let lowered = others.into_iter().map(|(key, value)| {
        let value = match value {
            toml::Value::Table(inner) => toml::Value::Table(lower(inner)),
            other => other,
        };
        (key.to_lowercase(), value)
    });
    lowered.collect()
}
