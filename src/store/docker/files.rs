//! The files of a Docker data root: JSON, and small texts of one word. Docker writes regular files only, so anything else in
//! the place of one is an error; directories may be links, as administrators make them, and lead where they do on the node.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    block::{self, Source},
    error::FormatError,
    fs::{FileKind, Handle, Listing, Root},
    limits,
};

/// A directory of metadata.
#[derive(Clone)]
pub(super) struct Files {
    root: Root,
    /// Where it is on the node, for messages.
    place: String,
}

impl Files {
    /// Of a data root as the node sees it.
    pub(super) fn new(root: &Root) -> Self {
        Self { root: root.clone(), place: root.top().path.to_string() }
    }

    /// Where the directory is on the node.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// A directory in it, `None` if it is not there.
    pub(super) fn below(&self, path: &str) -> Result<Option<Self>, FormatError> {
        let found = self.root.find(path.as_bytes())?;
        let Some(dir) = found.filter(|dir| dir.is_dir().unwrap_or(true)) else { return Ok(None) };
        Ok(Some(Self { root: self.root.within(&dir), place: format!("{}/{path}", self.place) }))
    }

    /// A directory of layers' files: no link, which a driver never makes.
    pub(super) fn tree(&self, path: &str) -> Result<Option<Handle>, FormatError> {
        let found = self.root.find_no_follow(path.as_bytes())?;
        Ok(match found {
            Some(dir) if dir.is_dir()? => Some(dir),
            _ => None,
        })
    }

    /// What a directory holds; nothing if it is not there.
    pub(super) fn list(&self, path: &str) -> Result<Listing, FormatError> {
        if let Some((_, listing)) = self.root.list(path.as_bytes())? {
            return Ok(listing);
        }
        match self.root.find_no_follow(path.as_bytes())? {
            Some(other) => Err(self.misplaced(path, other.stat()?.kind)),
            None => Ok(Listing::default()),
        }
    }

    /// Whether anything is at a path, also what leads nowhere.
    pub(super) fn has(&self, path: &str) -> bool {
        !matches!(self.root.find_no_follow(path.as_bytes()), Ok(None))
    }

    /// That something else is where a directory belongs.
    fn misplaced(&self, path: &str, kind: FileKind) -> FormatError {
        let leads = if kind == FileKind::Symlink { " that leads to none" } else { "" };
        self.corrupt("directory", path, &format!("{}{leads} in the place of a directory", kind.noun()))
    }

    /// The names of the directories in a directory, also of those that links lead to; and what else has a name that
    /// `fits`, or could not be listed.
    pub(super) fn directories(
        &self,
        path: &str,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<(Vec<String>, Vec<FormatError>), FormatError> {
        let Listing { entries, mut damage, .. } = self.list(path)?;
        let mut names = Vec::new();
        for entry in entries {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            let found = match entry.kind {
                FileKind::Directory => Ok(true),
                FileKind::Symlink => self.below(&format!("{path}/{name}")).map(|found| found.is_some()),
                _ => Ok(false),
            };
            match found {
                Ok(true) => names.push(name),
                Ok(false) if !fits(&entry.name) => {}
                Ok(false) => damage.push(self.misplaced(&format!("{path}/{name}"), entry.kind)),
                Err(error) => damage.push(error),
            }
        }
        Ok((names, damage))
    }

    /// A file's bytes, `None` if nothing is there.
    pub(super) fn bytes(
        &self,
        path: &str,
        structure: &'static str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, FormatError> {
        self.open(path, structure)?.map(|file| block::read_all(&file, structure, most)).transpose()
    }

    /// A file, `None` if nothing is there.
    pub(super) fn open(&self, path: &str, structure: &'static str) -> Result<Option<Source>, FormatError> {
        let Some(file) = self.root.find_no_follow(path.as_bytes())? else { return Ok(None) };
        match file.stat()?.kind {
            FileKind::Regular => file.open().map(Some),
            kind => Err(self.corrupt(structure, path, &format!("{} in the place of a file", kind.noun()))),
        }
    }

    /// A file of one word, as a digest or an id is; blanks around it are left out, as Docker does.
    pub(super) fn word(&self, path: &str, structure: &'static str) -> Result<Option<String>, FormatError> {
        let Some(bytes) = self.bytes(path, structure, limits::DOCKER_WORD_BYTES)? else { return Ok(None) };
        let word = String::from_utf8_lossy(&bytes).trim().to_owned();
        if word.is_empty() || word.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(self.corrupt(structure, path, &format!("{word:?}")));
        }
        Ok(Some(word))
    }

    /// A JSON document.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        structure: &'static str,
        most: u64,
    ) -> Result<Option<T>, FormatError> {
        let Some(bytes) = self.bytes(path, structure, most)? else { return Ok(None) };
        self.parse(&bytes, path, structure).map(Some)
    }

    /// The JSON document that a file's bytes are.
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        path: &str,
        structure: &'static str,
    ) -> Result<T, FormatError> {
        let parsed = serde_json::from_slice(bytes).and_then(|value| serde_json::from_value(set(value)));
        parsed.map_err(|error| self.corrupt(structure, path, &error.to_string()))
    }

    /// That a file contradicts its format.
    pub(super) fn corrupt(&self, structure: &'static str, path: &str, problem: &str) -> FormatError {
        FormatError::malformed(structure, format!("{}/{path}: {problem}", self.place))
    }
}

/// A document without its nulls: Go writes them for what is empty. Its nesting is bounded by the parser.
fn set(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(key, value)| (key, set(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(set).collect()),
        other => other,
    }
}
