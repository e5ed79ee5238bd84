//! From a file to an opened disk and the parents that it lies on.

use std::sync::Arc;

use super::{
    format::MIB,
    header::{self, Header},
    image::Image,
    locator::Parent,
    metadata::Metadata,
    region::{self, Region},
    replay::replay,
};
use crate::{
    block::Source,
    disk::{Disk, Options, chain::Chain, no_snapshots},
    error::FormatError,
};

const NAME: &str = "VHDX parent locator";

/// Opens a disk and everything that it lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    no_snapshots("a VHDX", options)?;
    let mut chain = Chain::new(options);
    let (_, source) = image(&mut chain, source)?;
    Ok(Disk { source, format: "vhdx", notes: chain.notes })
}

fn image(chain: &mut Chain<'_>, file: Source) -> Result<(Header, Source), FormatError> {
    if !super::probe(&file) {
        return Err(FormatError::corrupt("VHDX file type identifier", 0, "it is none"));
    }
    let (header, note) = header::current(&file)?;
    chain.notes.extend(note);
    // What the log changes may be any of what is read below.
    let (file, note) = match header.log {
        Some(log) => replay(file, log, &mut chain.changes)?,
        None => (file, None),
    };
    chain.notes.extend(note);
    let (regions, note) = region::read(&file)?;
    chain.notes.extend(note);
    let metadata = Metadata::read(&file, regions.metadata)?;
    let pages = chain.pages(&file);
    let parent = metadata.parent.as_ref().map(|parent| below(chain, parent)).transpose()?;
    let (log, log_end) = header.log_region;
    let reserved = vec![
        Region { offset: 0, length: MIB },
        Region { offset: log, length: log_end.saturating_sub(log) },
        regions.bat,
        regions.metadata,
    ];
    let image = Image { metadata, bat: regions.bat, reserved, file, pages, parent };
    Ok((header, Arc::new(image.checked()?)))
}

/// The parent under one of its names; it is the right one if its content has an identity that the child knows.
fn below(chain: &mut Chain<'_>, parent: &Parent) -> Result<Source, FormatError> {
    let name = parent.names.first().map_or("", String::as_str);
    let (file, above) = chain.descend((NAME, 0), name, |chain| chain.first_sibling(&parent.names))?;
    let (header, source) = image(chain, file)?;
    chain.ascend(above);
    if !parent.is(header.data_write) {
        let (found, known) = (header.data_write, parent.linkages());
        let problem = format!("the parent {name:?} was changed: its content is {found}, not {known}");
        return Err(FormatError::corrupt(NAME, 0, problem));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Memory, ReadAt},
        disk::{
            testing::Files,
            vhdx::testing::{
                LOCATOR, MIB, PARAMETERS, SECTOR, SIZE, changed, child, entry, image, logged, resealed,
                resummed,
            },
        },
        gap::Code,
    };

    const GUID: &str = "{07070707-0707-0707-0707-070707070707}";

    fn opened(bytes: Vec<u8>, files: &Files) -> Result<Disk, FormatError> {
        open(Arc::new(Memory::new(bytes)), &Options { siblings: files, snapshot: None })
    }

    /// The last byte of each MiB, if it can be read.
    fn read(disk: &Disk) -> Vec<Option<u8>> {
        let mut byte = [0xee];
        let last = |at| disk.source.read_at(&mut byte, at + 0xf_ffff).is_ok().then_some(byte[0]);
        (0..disk.source.size()).step_by(MIB).map(last).collect()
    }

    fn notes(disk: &Disk) -> Vec<Code> {
        disk.notes.iter().map(FormatError::code).collect()
    }

    const WHOLE: [Option<u8>; 4] = [Some(1), Some(0), Some(0), Some(2)];

    #[test]
    fn blocks_in_every_state() {
        let rows: [(u64, Option<u8>); 11] = [
            (5 << 20 | 6, Some(2)),
            (0, Some(0)),
            (1, Some(0)),
            (2, Some(0)),
            (3, Some(0)),
            (5, Some(0)),
            (4, None),
            (5 << 20 | 7, None),
            (3 << 20 | 6, None),
            (6, None),
            (9 << 20 | 6, None),
        ];
        for (entry, first) in rows {
            let disk =
                opened(changed(image(), &[(3 * MIB, &entry.to_le_bytes())]), &Files::default()).unwrap();
            assert_eq!(read(&disk), [&[first], &WHOLE[1..]].concat(), "{entry:#x}");
            assert_eq!(notes(&disk), []);
        }
    }

    #[test]
    fn one_changed_field_is_an_error_that_names_it() {
        let required = 131_072 + 66;
        let (table, table_2, metadata) = (196_608, 262_144, 2 * MIB);
        type Row<'a> = (&'a [(usize, &'a [u8])], Code, &'a str);
        let rows: &[Row<'_>] = &[
            (&[(0, b"x")], Code::CorruptStructure, "file type"),
            (&[(required, &[2])], Code::UnsupportedFeature, "version 2"),
            (&[(65536, b"x"), (131_072, b"x")], Code::CorruptStructure, "signature"),
            (&[(table + 16, &[9])], Code::UnsupportedFeature, "required region 8b7ca209"),
            (&[(table + 16, &[9]), (table + 44, &[0])], Code::CorruptStructure, "no metadata"),
            (&[(table + 8, &[0, 8])], Code::CorruptStructure, "2048 entries"),
            (&[(table + 32, &[1])], Code::CorruptStructure, "at 0x200001"),
            (&[(table, b"x"), (table_2, b"x")], Code::CorruptStructure, "no signature"),
            (&[(metadata, b"x")], Code::CorruptStructure, "signature"),
            (&[(metadata + 10, &[0, 8])], Code::CorruptStructure, "2048 entries"),
            (&[(metadata + 32, &[0])], Code::UnsupportedFeature, "required metadata item caa16700"),
            (&[(metadata + 32, &[0]), (metadata + 56, &[0])], Code::CorruptStructure, "no file parameters"),
            (&[(metadata + 50, &[0])], Code::CorruptStructure, "file parameters of 8 bytes"),
            (&[(PARAMETERS + 4, &[4])], Code::UnsupportedFeature, "file parameters 0x4"),
            (&[(PARAMETERS + 2, &[17])], Code::CorruptStructure, "block size"),
            (&[(PARAMETERS + 2, &[0, 32])], Code::CorruptStructure, "block size"),
            (&[(SECTOR + 1, &[4])], Code::CorruptStructure, "sector size of 1024"),
            (&[(SIZE, &[1])], Code::CorruptStructure, "a disk of"),
            (&[(SIZE + 5, &[0x41])], Code::CorruptStructure, "a disk of"),
            (&[(SIZE + 5, &[1])], Code::CorruptStructure, "entries"),
            (
                &[(131_072 + 48, &[3]), (131_072 + 64, &[1])],
                Code::UnsupportedFeature,
                "log has the version 1",
            ),
            (&[(131_072 + 48, &[3]), (131_072 + 68, &[0; 4])], Code::LimitReached, "log of 0 bytes"),
            (&[(131_072 + 48, &[3]), (131_072 + 71, &[0x11])], Code::LimitReached, "log of 286"),
        ];
        for (changes, code, words) in rows {
            let error = opened(resealed(image(), changes), &Files::default()).err();
            let error = error.unwrap_or_else(|| panic!("{changes:?}"));
            let found = (error.code(), error.detail().contains(words));
            assert_eq!(found, (*code, true), "{changes:?}: {}", error.detail());
        }
    }

    #[test]
    fn a_damaged_header_or_table_is_replaced_by_the_other_and_noted() {
        for at in [65536 + 100, 131_072 + 100, 196_608 + 50_000] {
            let disk = opened(changed(image(), &[(at, &[1])]), &Files::default()).unwrap();
            assert_eq!((read(&disk), notes(&disk)), (WHOLE.to_vec(), vec![Code::CorruptStructure]), "{at}");
        }
        let twins = resealed(image(), &[(65536 + 8, &[6]), (65536 + 32, &[1])]);
        assert_eq!(notes(&opened(twins, &Files::default()).unwrap()), [Code::CorruptStructure]);
    }

    #[test]
    fn the_log_is_replayed_in_order_and_only_if_it_is_whole() {
        let bat = 3 << 20;
        // A sector of the table that says that the first block is where the second is.
        let moved = |mib: u8, state: u8| {
            let mut sector = [0; 4096];
            sector[0] = state;
            sector[2] = mib << 4;
            (bat, sector)
        };
        let wrong = entry(8, 0, &[moved(9, 4)]);
        let right = entry(9, 0, &[moved(5, 6)]);
        let stale = |tail| (MIB / 2, entry(20, tail, &[moved(9, 4)]));
        let torn = (2 * 8192, entry(10, 0, &[moved(9, 4), moved(9, 4)])[..8192].to_vec());
        let logs: [Vec<(usize, Vec<u8>)>; 5] = [
            vec![(0, entry(9, 0, &[moved(5, 6)]))],
            vec![(0, wrong.clone()), (8192, right.clone())],
            vec![(0, wrong.clone()), (8192, right.clone()), torn],
            // Its tail is not there, or is no part of it.
            vec![(0, wrong.clone()), (8192, right.clone()), stale(4096)],
            vec![(0, wrong.clone()), (8192, right.clone()), stale(8192)],
        ];
        for (number, log) in logs.iter().enumerate() {
            let disk = opened(logged(log), &Files::default()).unwrap();
            assert_eq!(
                (read(&disk), notes(&disk)),
                (vec![Some(2), Some(0), Some(0), Some(0)], vec![]),
                "{number}"
            );
        }
        let mut changed = right.clone();
        changed[5000] ^= 1;
        let short = |mut entry: Vec<u8>| {
            // The file was longer when it was written.
            entry[48 + 4] = 1;
            resummed(entry)
        };
        let foreign = |mut entry: Vec<u8>| {
            entry[64 + 24] = 7;
            resummed(entry)
        };
        let disk = opened(logged(&[(0, short(right.clone()))]), &Files::default()).unwrap();
        assert_eq!((read(&disk)[0], notes(&disk)), (Some(2), vec![Code::Truncated]));
        for log in
            [vec![], vec![(0, changed)], vec![(8192, right.clone())], vec![(0, foreign(right.clone()))]]
        {
            let disk = opened(logged(&log), &Files::default()).unwrap();
            assert_eq!((read(&disk), notes(&disk)), (WHOLE.to_vec(), vec![Code::JournalNotReplayed]));
        }
    }

    #[test]
    fn a_child_reads_from_the_parent_that_it_knows() {
        let mut files = Files::default();
        let error = opened(child(GUID), &files).err().unwrap();
        assert_eq!(error.code(), Code::BackingFileNotGiven);
        files.0.insert("base.vhdx", image());
        let disk = opened(child(GUID), &files).unwrap();
        assert_eq!(read(&disk), [Some(2), Some(0), Some(0), Some(2)]);
        let mut across = [0; 4];
        disk.source.read_at(&mut across, (MIB / 2 - 2).try_into().unwrap()).unwrap();
        assert_eq!(across, [1, 1, 2, 2]);
        let lost = changed(child(GUID), &[(3 * MIB + 4096 * 8, &[0])]);
        assert_eq!(read(&opened(lost, &files).unwrap()), [None, Some(0), Some(0), Some(2)]);
        let error = opened(child("{17070707-0707-0707-0707-070707070707}"), &files).err().unwrap();
        assert!(error.detail().contains("its content is 07070707"), "{}", error.detail());
        files.0.insert("base.vhdx", child(GUID));
        assert!(opened(child(GUID), &files).err().unwrap().detail().contains("of itself"));
        let other = resealed(child(GUID), &[(LOCATOR, &[0])]);
        assert_eq!(opened(other, &files).err().unwrap().code(), Code::UnsupportedFeature);
    }

    #[test]
    fn any_change_with_right_checksums_is_read_or_refused() {
        let mut files = Files::default();
        files.0.insert("base.vhdx", image());
        let places =
            [131_072 + 8..131_072 + 80, 196_616..196_672, 2 * MIB..2 * MIB + 160, PARAMETERS..LOCATOR + 60];
        let mut opens = 0;
        for at in places.into_iter().flatten().step_by(3) {
            for value in [0xff, 1] {
                let Ok(disk) = opened(resealed(child(GUID), &[(at, &[value])]), &files) else { continue };
                opens += 1;
                let size = disk.source.size();
                for at in [0, size / 2, size.saturating_sub(700)] {
                    let mut buf = vec![0; (size - at).min(700).try_into().unwrap()];
                    disk.source.will_need(at, 700);
                    let _ = disk.source.read_at(&mut buf, at);
                }
            }
        }
        assert!(opens > 20, "{opens}");
    }
}
