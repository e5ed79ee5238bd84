//! From a file to an opened disk and the parents that it lies on.

use std::sync::Arc;

use super::{
    footer::{self, Footer, Kind},
    header::{self, Header},
    image::Image,
    locator::Parent,
};
use crate::{
    block::{Slice, Source},
    disk::{Disk, Options, chain::Chain, is_partitioned, no_snapshots},
    error::FormatError,
};

/// Opens a disk and everything that it lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    no_snapshots("a VHD", options)?;
    if footer::find(&source).is_ok_and(|(footer, ..)| footer.kind != Kind::Fixed) && is_partitioned(&source) {
        // What can grow begins with a copy of its footer. A guest owns the last sector of a raw disk, too.
        let problem = "it ends like a VHD and begins with a partition table: read as raw";
        let note = FormatError::corrupt(footer::NAME, source.size().saturating_sub(512), problem);
        return Ok(Disk { source, format: "raw", notes: vec![note] });
    }
    let mut chain = Chain::new(options);
    let (_, source) = image(&mut chain, source)?;
    Ok(Disk { source, format: "vpc", notes: chain.notes })
}

fn image(chain: &mut Chain<'_>, file: Source) -> Result<(Footer, Source), FormatError> {
    let (footer, at, note) = footer::find(&file)?;
    chain.notes.extend(note);
    let size = footer.size;
    if footer.kind == Kind::Fixed {
        if at != size {
            // More than the disk has: a raw disk whose guest made its last sector a footer would lose its end.
            let problem = format!("a disk of {size} bytes, but {at} are before it");
            chain.notes.push(FormatError::corrupt(footer::NAME, at, problem));
        }
        // What the file lacks must not be read from the footer.
        let data: Source = Arc::new(Slice::new(file, 0, at));
        return Ok((footer, Arc::new(Slice::new(data, 0, size))));
    }
    let header = Header::read(&file, &footer)?;
    let pages = chain.pages(&file);
    let parent = header.parent.as_ref().map(|parent| below(chain, parent)).transpose()?;
    Ok((footer, Arc::new(Image { size, header, file, pages, parent })))
}

/// The parent under one of its names; it is the right one if it has the identity that the child knows.
fn below(chain: &mut Chain<'_>, parent: &Parent) -> Result<Source, FormatError> {
    let name = parent.names.first().map_or("", String::as_str);
    let (file, above) = chain.descend((header::NAME, 0), name, |chain| chain.first_sibling(&parent.names))?;
    let (footer, source) = image(chain, file)?;
    chain.ascend(above);
    if footer.id != parent.id {
        let problem = format!("the parent {name:?} is {:02x?}, not {:02x?}", footer.id, parent.id);
        return Err(FormatError::corrupt(footer::NAME, 68, problem));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Memory, ReadAt},
        disk::{
            NoSiblings,
            testing::Files,
            vhd::testing::{child, dynamic, resealed},
        },
        gap::Code,
    };

    fn opened(bytes: Vec<u8>, files: &Files) -> Result<Disk, FormatError> {
        open(Arc::new(Memory::new(bytes)), &Options { siblings: files, snapshot: None })
    }

    /// The first byte of each sector, if it can be read.
    fn read(disk: &Disk) -> Vec<Option<u8>> {
        let mut sector = [0xee; 512];
        let first = |at| disk.source.read_at(&mut sector, at).is_ok().then_some(sector[511]);
        (0..disk.source.size()).step_by(512).map(first).collect()
    }

    const WHOLE: [Option<u8>; 6] = [Some(1), Some(2), Some(0), Some(0), Some(3), Some(4)];

    #[test]
    fn blocks_in_any_order_and_blocks_that_are_not_there() {
        let disk = opened(dynamic(), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (WHOLE.to_vec(), 0));
        let mut old = dynamic();
        old.pop();
        assert_eq!(
            read(&opened(resealed(old, &[]), &Files::default()).unwrap()),
            WHOLE,
            "a footer of 511 bytes"
        );
    }

    #[test]
    fn a_damaged_footer_is_noted_and_its_copy_used() {
        for cut in [0, 2, 300, 512] {
            let mut bytes = dynamic();
            bytes.truncate(bytes.len() - cut);
            if cut == 0 {
                let last = bytes.len() - 1;
                bytes[last] = 1;
            }
            let disk = opened(bytes, &Files::default()).unwrap();
            let notes: Vec<Code> = disk.notes.iter().map(FormatError::code).collect();
            assert_eq!((read(&disk), notes), (WHOLE.to_vec(), vec![Code::CorruptStructure]), "{cut}");
        }
    }

    #[test]
    fn a_writer_that_sums_wrongly_is_noted() {
        let footer = dynamic().len() - 512;
        let mut bytes = dynamic();
        for at in [66, footer + 66] {
            bytes[at] ^= 1;
        }
        let disk = opened(bytes.clone(), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (WHOLE.to_vec(), 1));
        bytes[100] = 1;
        assert!(opened(bytes, &Files::default()).is_err());
    }

    #[test]
    fn one_changed_field_is_an_error_that_names_it() {
        let footer = dynamic().len() - 512;
        let rows: &[(usize, &[u8], Code, &str)] = &[
            (footer + 12, &[0, 2], Code::UnsupportedFeature, "version 0x20000"),
            (footer + 60, &[0, 0, 0, 5], Code::UnsupportedFeature, "disk type 5"),
            (footer + 48, &[0, 0, 0, 0, 0, 0, 0x10], Code::CorruptStructure, "blocks of 1024 bytes"),
            (footer + 16, &[0xff; 8], Code::Truncated, "VHD dynamic disk header"),
            (512, b"cxsparsf", Code::CorruptStructure, "cookie"),
            (512 + 24, &[0, 2], Code::UnsupportedFeature, "header of version"),
            (512 + 32, &[0; 4], Code::CorruptStructure, "block size 0"),
            (512 + 32, &[0, 0, 4, 1], Code::CorruptStructure, "block size 1025"),
            (512 + 28, &[0, 0, 0, 2], Code::CorruptStructure, "2 blocks"),
            (512 + 16, &[0xff; 8], Code::CorruptStructure, "block allocation table"),
        ];
        for (at, value, code, words) in rows {
            let error = opened(resealed(dynamic(), &[(*at, value)]), &Files::default()).err();
            let error = error.unwrap_or_else(|| panic!("{at}: {value:?}"));
            let found = (error.code(), error.detail().contains(words));
            assert_eq!(found, (*code, true), "{at}: {}", error.detail());
        }
    }

    #[test]
    fn a_damaged_table_loses_only_what_it_maps() {
        let rows: &[(&[u8], [Option<u8>; 2])] = &[
            (&[0, 0, 0, 0], [None; 2]),
            (&[0, 0, 0, 2], [None; 2]),
            (&[0, 0, 0, 3], [None; 2]),
            (&[0, 1, 0, 0], [None; 2]),
            (&[0xff; 4], [Some(0); 2]),
        ];
        for (entry, first) in rows {
            let disk = opened(resealed(dynamic(), &[(1536, entry)]), &Files::default()).unwrap();
            let expected = [&first[..], &WHOLE[2..]].concat();
            assert_eq!(read(&disk), expected, "{entry:?}");
        }
    }

    #[test]
    fn a_child_reads_from_the_parent_that_it_knows() {
        let mut files = Files::default();
        let error = opened(child(), &files).err().unwrap();
        assert_eq!(error.code(), Code::BackingFileNotGiven);
        assert!(error.detail().contains(r"base.vhd"), "{}", error.detail());
        files.0.insert("base.vhd", dynamic());
        let disk = opened(child(), &files).unwrap();
        assert_eq!(read(&disk), [Some(1), Some(9), Some(0), Some(0), Some(3), Some(4)]);
        let mut across = [0; 1024];
        disk.source.read_at(&mut across, 256).unwrap();
        assert_eq!((across[255], across[256], across[768]), (1, 9, 0));
        files.0.insert("base.vhd", resealed(dynamic(), &[(dynamic().len() - 512 + 68, &[1; 16])]));
        let error = opened(child(), &files).err().unwrap();
        assert!(error.detail().contains("not [07, 07"), "{}", error.detail());
        files.0.insert("base.vhd", child());
        assert!(opened(child(), &files).err().unwrap().detail().contains("of itself"));
    }

    #[test]
    fn a_fixed_disk_never_reads_its_footer() {
        let fixed = |size: u64| {
            let mut bytes = vec![5; 1024];
            bytes.extend(&dynamic()[..512]);
            let size = size.to_be_bytes();
            resealed(bytes, &[(1024 + 60, &[0, 0, 0, 2]), (1024 + 48, &size)])
        };
        let disk = opened(fixed(1024), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (vec![Some(5); 2], 0));
        let disk = opened(fixed(2048), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (vec![Some(5), Some(5), None, None], 1));
        let disk = opened(fixed(512), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (vec![Some(5)], 1), "what is left out is told");
        assert!(opened(fixed(3 << 40), &Files::default()).err().unwrap().detail().contains("2040 GiB"));
    }

    #[test]
    fn a_raw_disk_that_ends_like_an_image_is_read_as_it_is() {
        let mut bytes = dynamic();
        bytes[..512].fill(0);
        bytes[446 + 4] = 0x83;
        bytes[446 + 12] = 1;
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let size = bytes.len() as u64;
        let disk = opened(bytes, &Files::default()).unwrap();
        assert_eq!((disk.format, disk.source.size(), disk.notes.len()), ("raw", size, 1));
    }

    #[test]
    fn there_are_no_snapshots() {
        let options = Options { siblings: &NoSiblings, snapshot: Some("a") };
        assert!(open(Arc::new(Memory::new(dynamic())), &options).is_err());
    }

    #[test]
    fn any_change_with_right_checksums_is_read_or_refused() {
        let mut files = Files::default();
        files.0.insert("base.vhd", dynamic());
        let mut opens = 0;
        for (at, value) in (0..1548).flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|value| (at, value))) {
            let footer = child().len() - 512;
            let twice = at < 512;
            let changes = [(at, &[value][..]), (if twice { footer + at } else { at }, &[value][..])];
            let Ok(disk) = opened(resealed(child(), &changes), &files) else { continue };
            opens += 1;
            let size = disk.source.size();
            disk.source.will_need(0, size);
            for at in [0, size / 2, size.saturating_sub(700)] {
                let mut buf = vec![0; (size - at).min(700).try_into().unwrap()];
                let _ = disk.source.read_at(&mut buf, at);
            }
        }
        assert!(opens > 1000, "{opens}");
    }
}
