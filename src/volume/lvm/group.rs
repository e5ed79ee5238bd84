//! A volume group as its metadata describes it (lvm2, `lib/format_text/export.c`). Sizes are in sectors of 512 bytes and
//! in extents of the group's own size.

use std::collections::BTreeMap;

use super::{
    segment::Segment,
    text::{self, Section, Value},
};
use crate::{error::FormatError, limits};

const NAME: &str = "LVM2 metadata";
const SECTOR: u64 = 512;

/// A volume group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) id: String,
    /// Raised with each change.
    pub(super) seqno: u64,
    /// Bytes of an extent.
    pub(super) extent: u64,
    /// By the names that the segments use.
    pub(super) physical: BTreeMap<String, Physical>,
    pub(super) logical: BTreeMap<String, Logical>,
}

/// A physical volume of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Physical {
    /// Its identifier, without dashes as in its label.
    pub(super) uuid: String,
    /// The device that it last was, for people.
    pub(super) device: String,
    /// Where its first extent begins, in bytes.
    pub(super) start: u64,
    /// Its extents.
    pub(super) count: u64,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logical {
    /// Its identifier, without dashes.
    pub(super) id: String,
    /// Whether people see it; others are parts of it.
    pub(super) visible: bool,
    pub(super) segments: Vec<Segment>,
}

impl Group {
    /// Reads a text: the group is the one section with a list of physical volumes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let root = text::parse(bytes)
            .map_err(|(at, problem)| FormatError::corrupt(NAME, crate::num::to_u64(at), problem))?;
        let is_group = |(_, section): &(&String, &Section)| section.sections.contains_key("physical_volumes");
        let mut groups = root.sections.iter().filter(is_group);
        let (name, section) = groups.next().ok_or_else(|| corrupt("no volume group"))?;
        if groups.next().is_some() {
            return Err(corrupt("two volume groups"));
        }
        if !is_name(name) {
            return Err(corrupt(format!("a volume group is called {name:?}")));
        }
        let missing = |what: &str| corrupt(format!("volume group {name} without {what}"));
        let extent = section.number("extent_size").and_then(|sectors| sectors.checked_mul(SECTOR));
        let extent = extent.filter(|bytes| *bytes > 0).ok_or_else(|| missing("a size of extents"))?;
        let sections =
            |name: &str| section.sections.get(name).map(|section| &section.sections).into_iter().flatten();
        let mut physical = BTreeMap::new();
        for (name, section) in sections("physical_volumes") {
            let volume = Physical::parse(section).ok_or_else(|| missing(&format!("an id of {name}")))?;
            physical.insert(name.clone(), volume);
        }
        let mut logical = BTreeMap::new();
        for (name, section) in sections("logical_volumes") {
            if !is_name(name) {
                return Err(corrupt(format!("a logical volume is called {name:?}")));
            }
            logical.insert(
                name.clone(),
                Logical::parse(section, extent).map_err(|e| corrupt(format!("{name}: {e}")))?,
            );
        }
        if physical.len() > limits::LVM_VOLUMES || logical.len() > limits::LVM_VOLUMES {
            let bound = limits::LVM_VOLUMES;
            return Err(FormatError::limit(format!("volume group {name} of more than {bound} volumes")));
        }
        Ok(Self {
            name: name.clone(),
            id: section.text("id").ok_or_else(|| missing("an id"))?.to_owned(),
            seqno: section.number("seqno").unwrap_or(0),
            extent,
            physical,
            logical,
        })
    }
}

impl Physical {
    fn parse(section: &Section) -> Option<Self> {
        Some(Self {
            uuid: section.text("id")?.replace('-', ""),
            device: section.text("device").unwrap_or_default().to_owned(),
            start: section.number("pe_start")?.checked_mul(SECTOR)?,
            count: section.number("pe_count")?,
        })
    }
}

impl Logical {
    fn parse(section: &Section, extent: u64) -> Result<Self, String> {
        let is = |word: &str| section.list("status").contains(&Value::Text(word.to_owned()));
        let mut segments: Vec<Segment> = Vec::new();
        for (name, segment) in &section.sections {
            if name.starts_with("segment") {
                segments.push(
                    Segment::parse(segment, extent).ok_or_else(|| format!("{name} cannot be understood"))?,
                );
            }
        }
        segments.sort_by_key(|segment| segment.start);
        // They follow each other from the first extent on.
        let mut next = 0u64;
        for segment in &segments {
            if segment.start != next || segment.count == 0 {
                return Err(format!(
                    "a segment of {} extents at {}, expected at {next}",
                    segment.count, segment.start
                ));
            }
            next = next.checked_add(segment.count).ok_or("its extents overflow")?;
        }
        match section.number("segment_count") {
            Some(count) if count != crate::num::to_u64(segments.len()) => {
                Err(format!("{} of {count} segments", segments.len()))
            }
            _ => {
                let id = section.text("id").unwrap_or_default().replace('-', "");
                Ok(Self { id, visible: is("VISIBLE"), segments })
            }
        }
    }
}

/// Whether a name is one that LVM2 gives (`lvm(8)`, "valid names").
fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && ![".", ".."].contains(&name) && name.bytes().all(known)
}

fn corrupt(problem: impl Into<String>) -> FormatError {
    FormatError::corrupt(NAME, 0, problem)
}

#[cfg(test)]
mod tests {
    use super::{
        super::segment::{Area, Kind},
        *,
    };

    fn group(volume: &str, segments: &str) -> Result<Group, String> {
        let text = format!(
            "vg {{ id=\"a\" seqno=1 extent_size=8 physical_volumes {{ pv0 {{ id=\"b-c\" pe_start=8 pe_count=9 }} }} \
             logical_volumes {{ {volume} {{ status=[\"VISIBLE\"] {segments} }} }} }}"
        );
        Group::parse(text.as_bytes()).map_err(|error| error.detail())
    }

    #[test]
    fn segments_of_every_kind() {
        let segments = "segment1 { start_extent=0 extent_count=2 type=\"striped\" stripes=[\"pv0\", 3] } \
                        segment2 { start_extent=2 extent_count=1 type=\"vdo\" } \
                        segment3 { start_extent=3 extent_count=1 type=\"zero\" }";
        let group = group("root", segments).unwrap();
        let kinds: Vec<_> =
            group.logical["root"].segments.iter().map(|segment| segment.kind.clone()).collect();
        let area = Area { name: "pv0".to_owned(), start: 3 };
        assert_eq!(
            kinds,
            [Kind::Striped { areas: vec![area], size: 0 }, Kind::Other("vdo".to_owned()), Kind::Zero]
        );
        assert_eq!((group.extent, group.physical["pv0"].uuid.as_str()), (4096, "bc"));
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        let one = "segment1 { start_extent=0 extent_count=1 type=\"zero\" }";
        for (volume, segments, words) in [
            ("\"a\\\\n\"", one, "is called"),
            ("a", "segment1 { start_extent=1 extent_count=1 type=\"zero\" }", "expected at 0"),
            ("a", "segment1 { start_extent=0 extent_count=0 type=\"zero\" }", "0 extents at 0"),
            (
                "a",
                "segment1 { start_extent=0 extent_count=1 type=\"striped\" stripes=[] }",
                "cannot be understood",
            ),
            (
                "a",
                "segment_count=2 segment1 { start_extent=0 extent_count=1 type=\"zero\" }",
                "1 of 2 segments",
            ),
            (
                "a",
                "segment1 { start_extent=0 extent_count=9223372036854775807 type=\"zero\" }",
                "cannot be understood",
            ),
        ] {
            let error = group(volume, segments).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
