//! Attribute lists ("$ATTRIBUTE_LIST"): which records hold the attributes of a file that do not fit in its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    attribute::{ATTRIBUTE_LIST, Attribute, Value},
    boot::Boot,
    data,
    record::{Record, number},
};
use crate::{
    block::Source,
    bytes::{le16, le32, le64},
    error::FormatError,
    limits, num,
};

/// Bytes of an entry without a name.
const ENTRY: usize = 26;

/// One attribute: the record that holds it, and which of that record's it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: u32,
    pub(super) reference: u64,
    instance: u16,
}

/// The entries of a record's list, in its order; none if it has no list.
pub(super) fn read(source: &Source, boot: &Boot, record: &Record) -> Result<Vec<Entry>, FormatError> {
    let list = record.attributes.iter().find(|attribute| attribute.is(ATTRIBUTE_LIST, &[]));
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.size() > limits::NTFS_ATTRIBUTE_LIST_BYTES {
        return Err(FormatError::limit(format!("NTFS attribute list of {} bytes", list.size())));
    }
    let mut bytes = vec![0; num::to_usize(list.size())];
    data::read_plain(source, boot, list, &mut bytes, 0)?;
    let mut entries = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = le16(rest, 4).map(usize::from).filter(|length| *length >= ENTRY);
        let length = length.filter(|length| *length <= rest.len());
        let length = length.ok_or_else(|| record.corrupt("its list of attributes contradicts itself"))?;
        entries.push(Entry {
            kind: le32(rest, 0).unwrap_or(0),
            reference: le64(rest, 16).unwrap_or(0),
            instance: le16(rest, 24).unwrap_or(0),
        });
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(entries)
}

/// All attributes of a file, whose further records `fetch` reads.
pub(super) fn gather(
    record: &Record,
    entries: &[Entry],
    fetch: impl Fn(u64) -> Result<Record, FormatError>,
) -> Result<Vec<Attribute>, FormatError> {
    let mut attributes = record.attributes.clone();
    attributes.retain(|attribute| attribute.kind != ATTRIBUTE_LIST);
    let mut others: BTreeMap<u64, Vec<&Entry>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for entry in entries.iter().filter(|entry| number(entry.reference) != record.number) {
        if !seen.insert((entry.reference, entry.kind, entry.instance)) {
            return Err(record.corrupt("its list has an attribute twice"));
        }
        others.entry(entry.reference).or_default().push(entry);
    }
    let mut runs: usize = 0;
    for (reference, entries) in others {
        let other = fetch(reference)?;
        if !record.is(other.base) || other.base == 0 {
            return Err(other.corrupt(format!("it belongs to record {}", number(other.base))));
        }
        for entry in entries {
            let is =
                |attribute: &&Attribute| attribute.kind == entry.kind && attribute.instance == entry.instance;
            let found = other.attributes.iter().find(is);
            let missing =
                || other.corrupt(format!("it lacks attribute {} of type {:#x}", entry.instance, entry.kind));
            let found = found.ok_or_else(missing)?;
            if let Value::Runs(more) = &found.value {
                runs = runs.saturating_add(more.runs.len());
            }
            if runs > limits::NTFS_RUNS {
                return Err(FormatError::limit(format!("a file of more than {} runs", limits::NTFS_RUNS)));
            }
            attributes.push(found.clone());
        }
    }
    join(attributes).map_err(|problem| record.corrupt(problem))
}

/// Joins the parts of attributes whose runs lie in several records.
pub(super) fn join(mut parts: Vec<Attribute>) -> Result<Vec<Attribute>, String> {
    let first = |attribute: &Attribute| match &attribute.value {
        Value::Here(_) => 0,
        Value::Runs(runs) => runs.first,
    };
    // Stable: of those that are whole, the order of the records stays.
    parts.sort_by(|a, b| (a.kind, &a.name, first(a)).cmp(&(b.kind, &b.name, first(b))));
    let mut joined: Vec<Attribute> = Vec::new();
    for part in parts {
        match part.value {
            Value::Runs(later) if later.first != 0 => {
                let before = joined.last_mut().filter(|before| before.is(part.kind, &part.name));
                let before = before.and_then(|before| match &mut before.value {
                    Value::Runs(runs) if super::runs::length(&runs.runs) == later.first => Some(runs),
                    _ => None,
                });
                let before = before
                    .ok_or_else(|| format!("type {:#x} lacks clusters before {}", part.kind, later.first))?;
                if before.runs.len().saturating_add(later.runs.len()) > limits::NTFS_RUNS {
                    return Err(format!("type {:#x} has more than {} runs", part.kind, limits::NTFS_RUNS));
                }
                before.runs.extend(later.runs);
            }
            value => joined.push(Attribute { value, ..part }),
        }
    }
    Ok(joined)
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::{
        super::{
            attribute::{DATA, Runs},
            runs::Run,
        },
        *,
    };
    use crate::gap::Code;

    /// A record with these attributes.
    pub(in super::super) fn record(number: u64, base: u64, attributes: Vec<Attribute>) -> Record {
        Record { number, offset: number * 1024, sequence: 1, is_directory: false, base, attributes }
    }

    /// A stream of `count` holes of a cluster each.
    pub(in super::super) fn stream(instance: u16, count: u64) -> Attribute {
        let runs = (0..count).map(|vcn| Run { vcn, lcn: None, count: 1 }).collect();
        let value = Value::Runs(Runs { first: 0, runs, size: count * 512, initialized: 0, unit: 0 });
        Attribute { kind: DATA, name: vec![instance], flags: 0, instance, value }
    }

    fn entry(reference: u64, instance: u16) -> Entry {
        Entry { kind: DATA, reference, instance }
    }

    #[test]
    fn a_list_with_one_attribute_twice_is_refused_before_it_is_followed() {
        let own = record(40, 0, Vec::new());
        let fetched = Cell::new(0);
        let fetch = |_| {
            fetched.set(fetched.get() + 1);
            Ok(record(41, 40, vec![stream(0, 1)]))
        };
        let error = gather(&own, &vec![entry(41, 0); 9000], fetch).unwrap_err().detail();
        assert_eq!(error, "NTFS file record at offset 0xa000: record 40: its list has an attribute twice");
        assert_eq!(fetched.get(), 0);
    }

    #[test]
    fn runs_of_all_attributes_of_a_file_are_bounded() {
        let own = record(40, 0, Vec::new());
        let part = num::to_u64(limits::NTFS_RUNS / 2 + 1);
        let parts = [entry(41, 0), entry(42, 1)];
        let fetch =
            |reference| Ok(record(reference, 40, vec![stream(u16::try_from(reference - 41).unwrap(), part)]));
        let error = gather(&own, &parts, fetch).unwrap_err();
        assert_eq!(
            (error.code(), error.detail().as_str()),
            (Code::LimitReached, "a file of more than 1048576 runs")
        );
        assert_eq!(gather(&own, &parts[..1], fetch).unwrap().len(), 1);
    }

    #[test]
    fn a_part_of_another_file_is_refused() {
        let own = record(40, 0, Vec::new());
        for base in [0, 39, 40 | 7 << 48] {
            let fetch = |_| Ok(record(41, base, vec![stream(0, 1)]));
            let error = gather(&own, &[entry(41, 0)], fetch).unwrap_err().detail();
            assert!(
                error.starts_with("NTFS file record at offset 0xa400: record 41: it belongs to"),
                "{error}"
            );
        }
    }
}
