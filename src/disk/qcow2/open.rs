//! From a file to an opened image and the chain of files that it lies on.

use std::{path::Path, sync::Arc};

use super::{
    header::{BackingFile, Header, first_cluster},
    image::Image,
    reference, snapshot,
    tables::Tables,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    disk::{
        self, Disk, Options,
        chain::{Chain, From},
        inflate::Inflater,
    },
    error::FormatError,
    gap::Code,
    num,
};

/// Opens an image and everything that it lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    let mut chain = Chain::new(options);
    let source = image(&mut chain, source, options.snapshot)?;
    Ok(Disk { source, format: "qcow2", notes: chain.notes })
}

fn image(chain: &mut Chain<'_>, file: Source, snapshot: Option<&str>) -> Result<Source, FormatError> {
    let number = chain.number();
    let mut header = header(&file)?;
    note(chain, &header);
    if let Some(wanted) = snapshot {
        let found = snapshot::find(&file, header.snapshots, header.geometry, wanted)?;
        header.l1 = found.l1;
        header.size = found.size.unwrap_or(header.size);
    }
    let Header { geometry, size, l1, compression, .. } = header;
    let tables = Tables::open(&file, geometry, l1, size, (&chain.tables, number))?;
    let data = match &header.data_file {
        Some(name) => chain.sibling("external data file", &reference::file(name)?)?.source,
        None => Arc::clone(&file),
    };
    let backing = header.backing.map(|backing| below(chain, &backing)).transpose()?;
    let clusters = Arc::clone(&chain.blocks);
    let inflater = Inflater::new(compression);
    Ok(Arc::new(Image { geometry, size, tables, inflater, file, data, backing, clusters, number }))
}

fn below(chain: &mut Chain<'_>, backing: &BackingFile) -> Result<Source, FormatError> {
    let BackingFile { name, format } = backing;
    let file = reference::file(name)?;
    let (source, above) =
        chain.descend(("qcow2 header", 8), name, |chain| chain.sibling("backing file", &file))?;
    let is_qcow2 = match format.as_deref() {
        Some(format) => format == "qcow2",
        None => super::probe(&source),
    };
    let source = if is_qcow2 {
        image(chain, source, None)?
    } else {
        // No other format lies on qcow2, so this ends.
        let siblings = From { siblings: chain.siblings, at: chain.at().map(Path::to_owned) };
        let disk = disk::open(source, format.as_deref(), &Options { siblings: &siblings, snapshot: None })?;
        chain.notes.extend(disk.notes);
        disk.source
    };
    chain.ascend(above);
    Ok(source)
}

fn note(chain: &mut Chain<'_>, header: &Header) {
    if header.dirty {
        let what = "the qcow2 image is marked dirty: its writer did not close it".to_owned();
        chain.notes.push(FormatError::Unsupported { code: Code::DirtyImage, what });
    }
    if header.corrupt {
        let problem = "the corrupt bit is set: the image's own writer found it damaged";
        chain.notes.push(FormatError::corrupt("qcow2 header", 72, problem));
    }
}

fn header(file: &Source) -> Result<Header, FormatError> {
    let begin = |length: u64| read_vec(file, "qcow2 header", 0, num::to_usize(length.min(file.size())));
    let first = begin(512)?;
    Header::parse(&begin(first_cluster(&first)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::Memory,
        disk::{
            qcow2::testing::{changed, image, over},
            testing::Files,
        },
    };

    fn opened(bytes: Vec<u8>, files: &Files, snapshot: Option<&str>) -> Result<Disk, FormatError> {
        open(Arc::new(Memory::new(bytes)), &Options { siblings: files, snapshot })
    }

    fn read(disk: &Disk) -> Vec<Option<u8>> {
        let mut cluster = [0xee; 512];
        let first = |at| disk.source.read_at(&mut cluster, at).is_ok().then_some(cluster[511]);
        (0..disk.source.size()).step_by(512).map(first).collect()
    }

    #[test]
    fn clusters_of_every_kind() {
        let disk = opened(image(), &Files::default(), None).unwrap();
        assert_eq!(read(&disk), [Some(0x11), Some(0), Some(0), Some(0x33)]);
        assert!(disk.notes.is_empty());
    }

    #[test]
    fn one_changed_field_is_an_error_that_names_it() {
        let crypt = |method: u32| method.to_be_bytes();
        let rows: &[(usize, &[u8], Code, &str)] = &[
            (4, &1u32.to_be_bytes(), Code::UnsupportedDiskFormat, "version 1"),
            (4, &4u32.to_be_bytes(), Code::UnsupportedDiskFormat, "version 4"),
            (8, &600u64.to_be_bytes(), Code::CorruptStructure, "backing file name"),
            (8, &u64::MAX.to_be_bytes(), Code::CorruptStructure, "backing file name"),
            (20, &8u32.to_be_bytes(), Code::CorruptStructure, "cluster_bits 8"),
            (20, &22u32.to_be_bytes(), Code::CorruptStructure, "cluster_bits 22"),
            (24, &u64::MAX.to_be_bytes(), Code::CorruptStructure, "L1 entries"),
            (24, &32_769u64.to_be_bytes(), Code::CorruptStructure, "1 L1 entries"),
            (32, &crypt(1), Code::EncryptedVolume, "AES"),
            (32, &crypt(2), Code::EncryptedVolume, "LUKS"),
            (32, &crypt(3), Code::CorruptStructure, "crypt_method 3"),
            (36, &0u32.to_be_bytes(), Code::CorruptStructure, "0 L1 entries"),
            (40, &513u64.to_be_bytes(), Code::CorruptStructure, "L1 table"),
            (40, &0u64.to_be_bytes(), Code::CorruptStructure, "L1 table"),
            (40, &(1u64 << 40).to_be_bytes(), Code::CorruptStructure, "past the end"),
            (79, &[8], Code::CorruptStructure, "compression type 0"),
            (79, &[16], Code::CorruptStructure, "extended L2"),
            (72, &[0x80], Code::UnsupportedFeature, "bit 63"),
            (79, &[4], Code::BackingFileNotGiven, "external data file"),
            (100, &96u32.to_be_bytes(), Code::CorruptStructure, "header_length 96"),
            (100, &513u32.to_be_bytes(), Code::CorruptStructure, "header_length 513"),
            (104, &[1], Code::CorruptStructure, "compression type 1"),
            (104, &[2], Code::UnsupportedFeature, "compression type 2"),
            (112, &[1, 0, 0, 0, 0xff, 0, 0, 0], Code::CorruptStructure, "does not fit"),
        ];
        for (at, value, code, words) in rows {
            let error = opened(changed(&[(*at, value)]), &Files::default(), None).err();
            let error = error.unwrap_or_else(|| panic!("{at}: {value:?}"));
            assert_eq!(
                (error.code(), error.detail().contains(words)),
                (*code, true),
                "{at}: {}",
                error.detail()
            );
        }
    }

    #[test]
    fn a_damaged_table_loses_only_what_it_maps() {
        type Row = (usize, &'static [u8], [Option<u8>; 4]);
        let rows: &[Row] = &[
            // Reserved bits are not looked at.
            (518, &[0x05], [Some(0x11), Some(0), Some(0), Some(0x33)]),
            (518, &[0x40], [None; 4]),
            (1030, &[0x70], [None, Some(0), Some(0), Some(0x33)]),
            (1054, &[0x70], [Some(0x11), Some(0), Some(0), None]),
            (2048, &[0xff], [Some(0x11), Some(0), Some(0), None]),
        ];
        for (at, value, expected) in rows {
            let disk = opened(changed(&[(*at, value)]), &Files::default(), None).unwrap();
            assert_eq!(read(&disk), expected, "{at}");
        }
    }

    #[test]
    fn dirty_and_corrupt_images_are_read_and_noted() {
        let disk = opened(changed(&[(79, &[3])]), &Files::default(), None).unwrap();
        let notes: Vec<Code> = disk.notes.iter().map(FormatError::code).collect();
        assert_eq!(notes, [Code::DirtyImage, Code::CorruptStructure]);
        assert_eq!(read(&disk)[0], Some(0x11));
    }

    #[test]
    fn a_backing_file_is_opened_only_if_it_was_given() {
        let mut files = Files::default();
        let error = opened(over("base.raw", Some("raw")), &files, None).err().unwrap();
        assert_eq!(error.code(), Code::BackingFileNotGiven);
        assert!(error.detail().contains("\"base.raw\""), "{}", error.detail());
        files.0.insert("base.raw", vec![0x77; 1200]);
        let disk = opened(over("base.raw", Some("raw")), &files, None).unwrap();
        assert_eq!(read(&disk), [Some(0x11), Some(0), Some(0), Some(0x33)]);
        let mut cluster = [0xee; 512];
        disk.source.read_at(&mut cluster, 1024).unwrap();
        assert_eq!((cluster[..176].to_vec(), cluster[176..].to_vec()), (vec![0x77; 176], vec![0; 336]));
        let other = opened(over("base.raw", Some("qed")), &files, None).err().unwrap();
        assert_eq!(other.code(), Code::UnsupportedDiskFormat);
        let network = opened(over("nbd://host/x", Some("raw")), &files, None).err().unwrap();
        assert!(network.detail().contains("nbd://host/x"));
    }

    #[test]
    fn chains_that_never_end_are_refused() {
        let mut files = Files::default();
        files.0.insert("a", over("b", Some("qcow2")));
        files.0.insert("b", over("a", None));
        let error = opened(over("a", Some("qcow2")), &files, None).err().unwrap();
        assert!(error.detail().contains("backing file of itself"), "{}", error.detail());
    }

    #[test]
    fn a_snapshot_that_is_not_there_is_an_error() {
        let error = opened(image(), &Files::default(), Some("x")).err().unwrap();
        assert_eq!(error.detail(), "no snapshot \"x\": the image has none");
    }
}
