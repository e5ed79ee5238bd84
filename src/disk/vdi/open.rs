//! From a file to an opened disk and the parents that it lies on.

use std::sync::Arc;

use super::{
    header::{Header, NAME, Parent},
    image::Image,
};
use crate::{
    block::Source,
    disk::{Disk, Options, Sibling, chain::Chain, no_snapshots},
    error::FormatError,
    gap::Code,
};

/// Opens a disk and everything that it lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    no_snapshots("a VDI", options)?;
    let mut chain = Chain::new(options);
    let header = Header::read(&source)?;
    let source = image(&mut chain, source, header)?;
    Ok(Disk { source, format: "vdi", notes: chain.notes })
}

fn image(chain: &mut Chain<'_>, file: Source, header: Header) -> Result<Source, FormatError> {
    let pages = chain.pages(&file);
    let parent = header.parent.map(|parent| below(chain, parent)).transpose()?;
    Ok(Arc::new(Image { header, file, pages, parent }))
}

/// The parent among the files that the caller named: a VDI knows its identity, and no name.
fn below(chain: &mut Chain<'_>, parent: Parent) -> Result<Source, FormatError> {
    let mut found = None;
    let (file, above) = chain.descend((NAME, 0x1a8), &parent.create.to_string(), |chain| {
        let named = chain.siblings.named().map_err(FormatError::reading("parent disk", 0))?;
        let (header, file) = choose(named, &parent)?;
        found = Some(header);
        Ok(file)
    })?;
    let header = match found {
        Some(header) => header,
        None => Header::read(&file)?,
    };
    if let Some(modify) = parent.modify.filter(|modify| *modify != header.modify) {
        let problem = format!("the parent was changed: it is in state {}, not {modify}", header.modify);
        return Err(FormatError::corrupt(NAME, 0x198, problem));
    }
    let source = image(chain, file, header)?;
    chain.ascend(above);
    Ok(source)
}

/// Of the files with the parent's identity the one in its state: a copy that was changed has that identity, too.
fn choose(named: Vec<Sibling>, parent: &Parent) -> Result<(Header, Sibling), FormatError> {
    let images = named.into_iter().filter_map(|file| Some((Header::read(&file.source).ok()?, file)));
    let images: Vec<_> = images.filter(|(header, _)| header.create == parent.create).collect();
    let is_state = |header: &Header| parent.modify.is_none_or(|modify| modify == header.modify);
    let wanted = images.iter().filter(|(header, _)| is_state(header));
    let mut places: Vec<_> = wanted.map(|(_, file)| &file.place).collect();
    places.sort();
    places.dedup();
    if let [_, _, ..] = places.as_slice() {
        let (count, uuid) = (places.len(), parent.create);
        let what = format!(
            "{count} of the files that were given are the VDI with the UUID {uuid}; give only the right one"
        );
        return Err(FormatError::Unsupported { code: Code::BackingFileNotGiven, what });
    }
    let at = images.iter().position(|(header, _)| is_state(header)).unwrap_or(0);
    images.into_iter().nth(at).ok_or_else(|| {
        let what = format!(
            "the disk image needs its parent, the VDI with the UUID {}, which was not given; \
             a VDI does not say the name of its parent's file",
            parent.create
        );
        FormatError::Unsupported { code: Code::BackingFileNotGiven, what }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Memory, ReadAt},
        disk::{
            testing::Files,
            vdi::testing::{changed, child, image},
        },
    };

    fn opened(bytes: Vec<u8>, files: &Files) -> Result<Disk, FormatError> {
        open(Arc::new(Memory::new(bytes)), &Options { siblings: files, snapshot: None })
    }

    fn read(disk: &Disk) -> Vec<Option<u8>> {
        let mut block = [0xee; 512];
        let first = |at| disk.source.read_at(&mut block, at).is_ok().then_some(block[511]);
        (0..disk.source.size()).step_by(512).map(first).collect()
    }

    #[test]
    fn blocks_of_every_kind() {
        let disk = opened(image(), &Files::default()).unwrap();
        assert_eq!((read(&disk), disk.notes.len()), (vec![Some(1), Some(0), Some(0), Some(2)], 0));
        let past = opened(changed(image(), &[(512, &[9, 0, 0, 0])]), &Files::default()).unwrap();
        assert_eq!(read(&past), [None, Some(0), Some(0), Some(2)]);
    }

    #[test]
    fn one_changed_field_is_an_error_that_names_it() {
        let rows: &[(usize, &[u8], Code, &str)] = &[
            (0x44, &[0], Code::UnsupportedFeature, "version 0x10000"),
            (0x4c, &[3], Code::UnsupportedFeature, "image type 0x3"),
            (0x4c, &[4], Code::CorruptStructure, "image type 4"),
            (0x168, &[0, 16], Code::UnsupportedFeature, "sector size 0x1000"),
            (0x17c, &[1], Code::UnsupportedFeature, "extra bytes"),
            (0x178, &[1], Code::CorruptStructure, "block size 513"),
            (0x178, &[0; 4], Code::CorruptStructure, "block size 0"),
            (0x180, &[3], Code::CorruptStructure, "3 blocks"),
            (0x154, &[0, 0xff], Code::CorruptStructure, "a map of"),
            (0x158, &[0; 2], Code::CorruptStructure, "a map of"),
            (0x174, &[1], Code::CorruptStructure, "4 blocks"),
        ];
        for (at, value, code, words) in rows {
            let error = opened(changed(image(), &[(*at, value)]), &Files::default()).err();
            let error = error.unwrap_or_else(|| panic!("{at:#x}: {value:?}"));
            let found = (error.code(), error.detail().contains(words));
            assert_eq!(found, (*code, true), "{at:#x}: {}", error.detail());
        }
    }

    #[test]
    fn a_parent_is_found_by_its_identity_among_what_was_named() {
        let mut files = Files::default();
        files.0.insert("other", b"no image".to_vec());
        let error = opened(child(), &files).err().unwrap();
        assert_eq!(error.code(), Code::BackingFileNotGiven);
        assert!(error.detail().contains("07070707-0707-0707-0707-070707070707"), "{}", error.detail());
        files.0.insert("base.vdi", image());
        let disk = opened(child(), &files).unwrap();
        assert_eq!(read(&disk), [Some(0), Some(9), Some(0), Some(2)]);
        files.0.insert("base.vdi", changed(image(), &[(0x198, &[1])]));
        let error = opened(child(), &files).err().unwrap();
        assert!(error.detail().contains("the parent was changed"), "{}", error.detail());
        files.0.insert("base.vdi", changed(child(), &[(0x188, &[7; 16])]));
        let error = opened(child(), &files).err().unwrap();
        assert!(error.detail().contains("of itself"), "{}", error.detail());
    }
}
