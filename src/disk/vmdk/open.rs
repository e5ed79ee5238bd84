//! From a file to an opened disk, its extents and the parents that it lies on.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{
    descriptor::{self, Descriptor, Kind, Parent},
    extent::Extent,
    format::{COWD, SE_SPARSE},
    hosted::Header,
    joined::Joined,
    layout::{self, Layout},
    tables::Tables,
    vsphere,
};
use crate::{
    block::{ReadAt, Slice, Source, Zeros, read_vec},
    disk::{
        Disk, Options, begins,
        chain::{Chain, slashed},
        inflate::{Compression, Inflater},
        no_snapshots,
    },
    error::FormatError,
    gap::Code,
    limits, num,
};

const NAME: &str = "VMDK descriptor";

/// A chain of disks, and what its grain directories take together.
struct Opening<'a> {
    chain: Chain<'a>,
    directories: u64,
    /// The extents' files, by where the descriptor lies and what it calls them: it may name one many times.
    files: HashMap<(Option<PathBuf>, String), Source>,
}

/// Opens a disk and everything that it consists of and lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    no_snapshots("a VMDK", options)?;
    let mut opening = Opening { chain: Chain::new(options), directories: 0, files: HashMap::new() };
    let (_, source) = opening.disk(source)?;
    Ok(Disk { source, format: "vmdk", notes: opening.chain.notes })
}

impl Opening<'_> {
    /// The disk that a file describes, and the identity of its content.
    fn disk(&mut self, file: Source) -> Result<(Option<u32>, Source), FormatError> {
        if descriptor::begins(&file) {
            let length = file.size();
            if length > limits::VMDK_DESCRIPTOR_BYTES {
                let limit = limits::VMDK_DESCRIPTOR_BYTES;
                return Err(FormatError::limit(format!(
                    "a VMDK descriptor of {length} bytes, more than {limit}"
                )));
            }
            let descriptor = Descriptor::parse(&read_vec(&file, NAME, 0, num::to_usize(length))?, 0)?;
            return Ok((Some(descriptor.cid), self.described(descriptor)?));
        }
        let (layout, within) = self.header(&file)?;
        let Some((at, length)) = within else {
            let what = "a VMDK extent without a descriptor: what may come before and behind it is not read";
            self.chain
                .notes
                .push(FormatError::Unsupported { code: Code::MissingDisk, what: what.to_owned() });
            return Ok((None, self.sparse(file, layout, None)?));
        };
        let descriptor = Descriptor::parse(&read_vec(&file, NAME, at, num::to_usize(length))?, at)?;
        if descriptor.extents.len() > 1 {
            let count = descriptor.extents.len();
            return Err(FormatError::unsupported(format!("a VMDK extent that describes {count} extents")));
        }
        let parent = descriptor.parent.map(|parent| self.below(&parent)).transpose()?;
        Ok((Some(descriptor.cid), self.sparse(file, layout, parent)?))
    }

    /// A disk whose extents are files of their own.
    fn described(&mut self, descriptor: Descriptor) -> Result<Source, FormatError> {
        if descriptor.extents.is_empty() {
            return Err(FormatError::corrupt(NAME, 0, "it names no extent"));
        }
        let parent = descriptor.parent.map(|parent| self.below(&parent)).transpose()?;
        let mut joined = Joined::default();
        for extent in &descriptor.extents {
            let start = joined.size();
            let length = layout::bytes(NAME, "an extent", extent.sectors)?;
            if start.checked_add(length).is_none_or(|end| end >= 1 << 63) {
                return Err(FormatError::corrupt(NAME, 0, format!("extents of more than {start} bytes")));
            }
            let below = parent.as_ref().map(|parent| {
                let held = parent.size().saturating_sub(start).min(length);
                let below: Source = Arc::new(Slice::new(Arc::clone(parent), start, held));
                below
            });
            joined.push(self.extent(extent, length, below)?);
        }
        Ok(Arc::new(joined))
    }

    fn extent(
        &mut self,
        extent: &descriptor::Extent,
        length: u64,
        parent: Option<Source>,
    ) -> Result<Source, FormatError> {
        let file = match extent.kind {
            Kind::Zero => return Ok(Arc::new(Zeros(length))),
            _ => self.file(&slashed(&extent.name))?,
        };
        if let Kind::Flat(first) = extent.kind {
            return Ok(Arc::new(Slice::new(file, layout::bytes(NAME, "a first sector", first)?, length)));
        }
        let (layout, _) = self.header(&file)?;
        if layout.capacity != length {
            let (name, capacity) = (&extent.name, layout.capacity);
            let problem = format!("extent {name:?} of {length} bytes holds {capacity}");
            return Err(FormatError::corrupt(NAME, 0, problem));
        }
        self.sparse(file, layout, parent)
    }

    fn file(&mut self, name: &str) -> Result<Source, FormatError> {
        let key = (self.chain.at().map(Into::into), name.to_owned());
        if let Some(file) = self.files.get(&key) {
            return Ok(Arc::clone(file));
        }
        let file = self.chain.sibling("extent", name)?.source;
        self.files.insert(key, Arc::clone(&file));
        Ok(file)
    }

    /// The layout of a sparse extent, and where its descriptor is, if it has one.
    fn header(&mut self, file: &Source) -> Result<(Layout, Option<(u64, u64)>), FormatError> {
        if begins(file, &COWD, 0) {
            return Ok((vsphere::cowd(file)?, None));
        }
        if begins(file, &SE_SPARSE, 0) {
            return Ok((vsphere::se_sparse(file)?, None));
        }
        let header = Header::read(file)?;
        if header.dirty {
            let what = "the VMDK is marked as in use: its writer did not close it".to_owned();
            self.chain.notes.push(FormatError::Unsupported { code: Code::DirtyImage, what });
        }
        Ok((header.layout, header.descriptor))
    }

    fn sparse(
        &mut self,
        file: Source,
        layout: Layout,
        parent: Option<Source>,
    ) -> Result<Source, FormatError> {
        self.directories = self.directories.saturating_add(layout.directory_bytes());
        if self.directories > limits::VMDK_DIRECTORY_BYTES {
            let (bytes, limit) = (self.directories, limits::VMDK_DIRECTORY_BYTES);
            return Err(FormatError::limit(format!(
                "VMDK grain directories of {bytes} bytes, more than {limit}"
            )));
        }
        let (tables, note) = Tables::open(&file, layout, self.chain.pages(&file))?;
        self.chain.notes.extend(note);
        let inflater = Inflater::new(Compression::Zlib);
        let (grains, number) = (Arc::clone(&self.chain.blocks), self.chain.number());
        Ok(Arc::new(Extent { layout, tables, file, parent, inflater, grains, number }))
    }

    /// The parent of a delta disk; it is the right one if its content is what the child was made on.
    fn below(&mut self, parent: &Parent) -> Result<Source, FormatError> {
        let Parent { cid, name } = parent;
        let (file, above) =
            self.chain.descend((NAME, 0), name, |chain| chain.sibling("parent", &slashed(name)))?;
        if !super::probe(&file) {
            return Err(FormatError::unsupported(format!("a VMDK whose parent {name:?} is no VMDK")));
        }
        let (found, source) = self.disk(file)?;
        self.chain.ascend(above);
        if found != Some(*cid) {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| format!("{found:08x}"));
            let problem = format!("the parent {name:?} was changed: its CID is {found}, not {cid:08x}");
            return Err(FormatError::corrupt(NAME, 0, problem));
        }
        Ok(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::Memory,
        disk::{
            testing::Files,
            vmdk::testing::{changed, cowd, described, se_sparse, sparse, stream},
        },
    };

    fn opened(bytes: Vec<u8>, files: &Files) -> Result<Disk, FormatError> {
        open(Arc::new(Memory::new(bytes)), &Options { siblings: files, snapshot: None })
    }

    /// The last byte of each sector, if it can be read.
    fn read(disk: &Disk) -> Vec<Option<u8>> {
        let mut sector = [0xee; 512];
        let last = |at| disk.source.read_at(&mut sector, at).is_ok().then_some(sector[511]);
        (0..disk.source.size()).step_by(512).map(last).collect()
    }

    fn notes(disk: &Disk) -> Vec<Code> {
        disk.notes.iter().map(FormatError::code).collect()
    }

    const WHOLE: [Option<u8>; 6] = [Some(1), Some(0), Some(0), Some(2), Some(3), Some(0)];

    #[test]
    fn grains_of_every_kind() {
        let disk = opened(sparse(), &Files::default()).unwrap();
        assert_eq!((read(&disk), notes(&disk)), (WHOLE.to_vec(), vec![]));
        let disk = opened(stream(), &Files::default()).unwrap();
        assert_eq!((read(&disk), notes(&disk)), (WHOLE.to_vec(), vec![]));
        let mut first = [0; 100];
        disk.source.read_at(&mut first, 512 * 4).unwrap();
        assert_eq!(first, [3; 100]);
    }

    #[test]
    fn one_changed_field_is_an_error_that_names_it() {
        let rows: &[(usize, &[u8], Code, &str)] = &[
            (4, &[4], Code::UnsupportedFeature, "version 4"),
            (8, &[0x0f], Code::UnsupportedFeature, "flags 0x8"),
            (12, &[0; 8], Code::CorruptStructure, "capacity of 0"),
            (12, &[0xff; 8], Code::CorruptStructure, "a capacity of"),
            (12, &[0, 0, 0, 0, 0, 0, 1], Code::LimitReached, "grain directories"),
            (20, &[3], Code::CorruptStructure, "grains of 1536"),
            (20, &[0], Code::CorruptStructure, "grains of 0"),
            (36, &[0xff; 4], Code::LimitReached, "descriptor of"),
            (44, &[0; 4], Code::CorruptStructure, "tables of 0"),
            (44, &[0xff; 4], Code::CorruptStructure, "tables of 4294967295"),
            (73, b"\r", Code::CorruptStructure, "transferred as text"),
            (77, &[1], Code::Truncated, "compressed VMDK grain"),
            (77, &[2], Code::UnsupportedFeature, "compression algorithm 2"),
            (512 + 30, b"9", Code::UnsupportedFeature, "version \"9\""),
        ];
        for (at, value, code, words) in rows {
            let disk = opened(changed(sparse(), &[(*at, value)]), &Files::default());
            let error = disk
                .and_then(|disk| disk.source.read_at(&mut [0], 0).map_err(FormatError::reading("disk", 0)));
            let error = error.err().unwrap_or_else(|| panic!("{at}: {value:?}"));
            let found = (error.code(), error.detail().contains(words));
            assert_eq!(found, (*code, true), "{at}: {}", error.detail());
        }
    }

    #[test]
    fn a_damaged_directory_is_replaced_by_the_other_and_noted() {
        let damages: [(usize, &[u8]); 3] = [(4 * 512, &[0; 8]), (4 * 512 + 4, &[0xff; 4]), (56, &[0xff; 4])];
        for (at, value) in damages {
            let disk = opened(changed(sparse(), &[(at, value)]), &Files::default()).unwrap();
            assert_eq!((read(&disk), notes(&disk)), (WHOLE.to_vec(), vec![Code::CorruptStructure]), "{at}");
        }
        let both = changed(sparse(), &[(4 * 512 + 4, &[0xff; 4]), (3 * 512 + 4, &[0xff; 4])]);
        let disk = opened(both, &Files::default()).unwrap();
        assert_eq!(read(&disk), [Some(1), Some(0), Some(0), Some(2), None, None]);
        assert_eq!(notes(&disk), [Code::CorruptStructure]);
    }

    #[test]
    fn a_stream_that_was_cut_or_changed_is_an_error() {
        for length in 0..stream().len() {
            let cut = stream()[..length].to_vec();
            assert!(
                open(Arc::new(Memory::new(cut)), &Options { siblings: &Files::default(), snapshot: None })
                    .is_err()
            );
        }
        let at = 3 * 512;
        for (at, value, words) in [
            (at, [7], "that of sector 7, not 0"),
            (at + 8, [0], "0 bytes"),
            (at + 11, [0xff], "bytes of compressed data"),
            (at + 12, [0], ""),
            (at + 20, [0xff], ""),
        ] {
            let disk = opened(changed(stream(), &[(at, &value)]), &Files::default()).unwrap();
            assert_eq!(read(&disk)[1..], WHOLE[1..], "{at}");
            let error = disk.source.read_at(&mut [0; 512], 0).unwrap_err().to_string();
            assert!(error.contains(words), "{at}: {error}");
        }
    }

    #[test]
    fn extents_of_all_forms_are_one_disk() {
        let mut files = Files::default();
        let text = described(
            "ffffffff",
            "RW 2 FLAT \"d-flat.vmdk\" 1\nRW 6 SPARSE \"/x/s001.vmdk\"\nRW 1 ZERO\n\
             RW 3 VMFSSPARSE \"c.vmdk\"\nRW 16 SESPARSE \"se.vmdk\"",
        );
        let error = opened(text.clone(), &files).err().unwrap();
        assert_eq!(error.code(), Code::BackingFileNotGiven);
        files.0.insert("d-flat.vmdk", [[8; 512], [9; 512]].concat());
        files.0.insert("s001.vmdk", sparse());
        files.0.insert("c.vmdk", cowd());
        files.0.insert("se.vmdk", se_sparse());
        let disk = opened(text.clone(), &files).unwrap();
        let mut expected = vec![Some(9), None];
        expected.extend(WHOLE);
        expected.extend([Some(0), Some(0), Some(5), Some(0)]);
        expected.extend([[Some(6); 8], [Some(0); 8]].concat());
        assert_eq!(read(&disk), expected);
        files.0.insert("s001.vmdk", changed(sparse(), &[(12, &[7])]));
        assert!(opened(text, &files).err().unwrap().detail().contains("holds 3584"));
    }

    #[test]
    fn an_extent_alone_is_read_and_noted() {
        for bytes in [cowd(), se_sparse(), changed(sparse(), &[(28, &[0])])] {
            let disk = opened(bytes, &Files::default()).unwrap();
            assert_eq!(notes(&disk), [Code::MissingDisk]);
        }
        let open = changed(sparse(), &[(72, &[1])]);
        assert_eq!(notes(&opened(open, &Files::default()).unwrap()), [Code::DirtyImage]);
    }

    #[test]
    fn a_delta_lies_on_the_parent_that_it_knows() {
        let delta = |cid: &str| {
            let parent = format!("{cid}\nparentFileNameHint=\"C:\\x\\base.vmdk\"");
            described(&parent, "RW 1 ZERO\nRW 3 VMFSSPARSE \"c.vmdk\"")
        };
        let mut files = Files::default();
        files.0.insert("c.vmdk", cowd());
        assert_eq!(opened(delta("beef"), &files).err().unwrap().code(), Code::BackingFileNotGiven);
        files.0.insert("base.vmdk", sparse());
        assert_eq!(read(&opened(delta("beef"), &files).unwrap()), [Some(0), Some(0), Some(5), Some(2)]);
        let error = opened(delta("beee"), &files).err().unwrap();
        assert!(error.detail().contains("its CID is 0000beef, not 0000beee"), "{}", error.detail());
        files.0.insert("base.vmdk", delta("beef"));
        assert!(opened(delta("beef"), &files).err().unwrap().detail().contains("of itself"));
        files.0.insert("base.vmdk", vec![0; 4096]);
        assert!(opened(delta("beef"), &files).err().unwrap().detail().contains("is no VMDK"));
    }
}
