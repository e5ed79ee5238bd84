//! A file that names packages, in the notation that it is written in.

use std::borrow::Cow;

use serde::de::DeserializeSeed;

use super::records::{Record, Records};
use crate::{
    error::FormatError,
    limits, num,
    xml::{self, Element},
};

/// The bytes of a file.
pub(super) struct Document<'a> {
    structure: &'static str,
    bytes: &'a [u8],
}

impl<'a> Document<'a> {
    /// A file whose format is called `structure` in errors; a byte order mark is no part of it.
    pub(super) fn new(structure: &'static str, bytes: &'a [u8]) -> Self {
        Self { structure, bytes: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) }
    }

    /// The same file with other bytes.
    pub(super) fn of<'b>(&self, bytes: &'b [u8]) -> Document<'b> {
        Document { structure: self.structure, bytes }
    }

    /// Whether it has nothing but blanks.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// Its text; what is neither UTF-8 nor, as PowerShell writes what a tool prints, UTF-16 with a byte order mark is replaced.
    pub(super) fn text(&self) -> Cow<'a, str> {
        let Some(utf16) = self.bytes.strip_prefix(b"\xff\xfe") else {
            return String::from_utf8_lossy(self.bytes);
        };
        let units = utf16.chunks_exact(2).filter_map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(text.collect())
    }

    /// Hands over the records of these lists of a JSON document one by one.
    pub(super) fn json(
        &self,
        lists: &[&[&str]],
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), FormatError> {
        let mut json = serde_json::Deserializer::from_slice(self.bytes);
        let read = Records::new(lists, &mut Vec::new(), &mut each).deserialize(&mut json);
        read.and_then(|()| json.end()).map_err(|error| self.malformed(&error))
    }

    /// As [`json`](Self::json), of a YAML file, which may have several documents.
    pub(super) fn yaml(
        &self,
        lists: &[&[&str]],
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), FormatError> {
        let budget = serde_saphyr::budget! {
            max_nodes: limits::LOCK_YAML_VALUES,
            max_events: limits::LOCK_YAML_VALUES,
        };
        let options = serde_saphyr::options! { budget: budget, strict_booleans: true, with_snippet: false };
        for document in self.text().split("\n---\n").filter(|document| !document.trim().is_empty()) {
            let each = &mut each;
            serde_saphyr::with_deserializer_from_str_with_options(document, options.clone(), |yaml| {
                Records::new(lists, &mut Vec::new(), each).deserialize(yaml)
            })
            .map_err(|error| self.malformed(&error))?;
        }
        Ok(())
    }

    /// As [`json`](Self::json), of a TOML document, which is held in memory.
    pub(super) fn toml(
        &self,
        lists: &[&[&str]],
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), FormatError> {
        self.fits_in_memory()?;
        let text = self.text();
        let toml = toml::Deserializer::parse(&text).map_err(|error| self.malformed(&error.message()))?;
        Records::new(lists, &mut Vec::new(), &mut each)
            .deserialize(toml)
            .map_err(|error| self.malformed(&error.message()))
    }

    /// Hands over the outermost elements of that name of an XML document.
    pub(super) fn xml(&self, name: &str, each: impl FnMut(Element)) -> Result<(), FormatError> {
        xml::elements(self.bytes, |element| element == name, each).map_err(|error| self.malformed(&error))
    }

    /// As [`xml`](Self::xml), of the element that is the whole document, which is held in memory.
    pub(super) fn root(&self, name: &str, each: impl FnMut(Element)) -> Result<(), FormatError> {
        self.fits_in_memory()?;
        self.xml(name, each)
    }

    fn fits_in_memory(&self) -> Result<(), FormatError> {
        let bound = limits::PROJECT_FILE_BYTES;
        match num::to_u64(self.bytes.len()) > bound {
            true => Err(FormatError::limit(format!("{} is longer than {bound} bytes", self.structure))),
            false => Ok(()),
        }
    }

    fn malformed(&self, problem: &dyn ToString) -> FormatError {
        let problem: String = problem.to_string().chars().take(200).collect();
        FormatError::malformed(self.structure, problem)
    }
}
