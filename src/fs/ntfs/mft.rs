//! Where the records of the master file table lie: its own record says it, and may have parts of that in further records.

use super::{
    attribute::{Attribute, DATA},
    boot::Boot,
    data, list,
    record::{Record, STRUCTURE, number, sequence},
};
use crate::{
    block::{Source, read_vec},
    error::FormatError,
    limits, num,
};

/// The master file table.
pub(super) struct Mft {
    data: Attribute,
}

impl Mft {
    /// Finds the table by its own record; if that is damaged by the copy of it, with a note.
    pub(super) fn open(
        source: &Source,
        boot: &Boot,
        notes: &mut Vec<FormatError>,
    ) -> Result<Self, FormatError> {
        let at = |cluster: u64| {
            let offset = cluster.saturating_mul(boot.cluster);
            let bytes = read_vec(source, STRUCTURE, offset, boot.record)?;
            Self::of(source, boot, &Record::parse(bytes, 0, offset, boot.clusters)?)
        };
        at(boot.mft).or_else(|error| {
            let Ok(mft) = at(boot.mirror) else { return Err(error) };
            let problem = format!("damaged, its copy is used: {}", error.detail());
            notes.push(FormatError::corrupt(STRUCTURE, boot.mft.saturating_mul(boot.cluster), problem));
            Ok(mft)
        })
    }

    fn of(source: &Source, boot: &Boot, record: &Record) -> Result<Self, FormatError> {
        let whole = |data: Option<Attribute>| {
            let data = data.ok_or_else(|| record.corrupt("the master file table has no data"))?;
            match data.refused() {
                Some(what) => Err(FormatError::unsupported(format!("{what} of the master file table"))),
                None => Ok(Self { data }),
            }
        };
        let own = record.attributes.iter().find(|attribute| attribute.is(DATA, &[])).cloned();
        let mut mft = whole(own)?;
        // Each further part of its map lies where the parts before it say.
        let entries = list::read(source, boot, record)?;
        let further = |entry: &&list::Entry| entry.kind == DATA && number(entry.reference) != record.number;
        let parts: Vec<list::Entry> = entries.iter().filter(further).copied().collect();
        if parts.len() > limits::NTFS_TABLE_PARTS {
            let what = format!("a master file table of more than {} parts", limits::NTFS_TABLE_PARTS);
            return Err(FormatError::limit(what));
        }
        for known in 1..=parts.len() {
            let known = parts.get(..known).unwrap_or_default();
            let attributes = list::gather(record, known, |reference| mft.record(source, boot, reference))?;
            mft = whole(attributes.into_iter().find(|attribute| attribute.is(DATA, &[])))?;
        }
        Ok(mft)
    }

    /// The record that a reference names.
    pub(super) fn record(&self, source: &Source, boot: &Boot, reference: u64) -> Result<Record, FormatError> {
        let wanted = number(reference);
        let length = num::to_u64(boot.record);
        let end = |start: &u64| start.checked_add(length).is_some_and(|end| end <= self.data.size());
        let start = wanted.checked_mul(length).filter(end).ok_or_else(|| {
            FormatError::corrupt(STRUCTURE, 0, format!("record {wanted} is behind the end of the table"))
        })?;
        let mut bytes = vec![0; boot.record];
        data::read_plain(source, boot, &self.data, &mut bytes, start)?;
        let offset = data::place(boot, &self.data, start);
        let record = Record::parse(bytes, wanted, offset, boot.clusters)?;
        match record.is(reference) {
            true => Ok(record),
            false => Err(record.corrupt(format!(
                "it was used {} times, and a name is of its use {}",
                record.sequence,
                sequence(reference)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        block::Memory,
        fs::ntfs::{
            attribute::{ATTRIBUTE_LIST, Value},
            list::tests::{record, stream},
        },
        gap::Code,
    };

    #[test]
    fn a_table_in_very_many_parts_is_refused_before_they_are_read() {
        let boot =
            Boot { cluster: 512, clusters: 1 << 20, record: 1024, index: 4096, mft: 4, mirror: 8, serial: 0 };
        let part = |instance: u16| {
            let mut entry = [0; 32];
            entry[0] = 0x80;
            entry[4] = 32;
            entry[16] = 16;
            entry[24..26].copy_from_slice(&instance.to_le_bytes());
            entry
        };
        let source: Source = Arc::new(Memory::default());
        let told = |parts: u16| {
            let list = Value::Here((0..parts).flat_map(part).collect());
            let list =
                Attribute { kind: ATTRIBUTE_LIST, name: Vec::new(), flags: 0, instance: 1, value: list };
            let own = Attribute { name: Vec::new(), ..stream(0, 1 << 10) };
            Mft::of(&source, &boot, &record(0, 0, vec![list, own])).err().unwrap()
        };
        let error = told(513);
        assert_eq!(error.detail(), "a master file table of more than 512 parts");
        assert_eq!(error.code(), Code::LimitReached);
        assert_eq!(told(512).code(), Code::CorruptStructure, "it is looked for");
    }
}
