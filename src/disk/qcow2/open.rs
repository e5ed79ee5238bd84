//! From a file to an opened image and the chain of files that it lies on.

use std::{io, sync::Arc};

use super::{
    header::{BackingFile, Header, first_cluster},
    image::Image,
    inflate::Inflater,
    reference, snapshot,
    tables::Tables,
};
use crate::{
    block::{ReadAt, Source, read_vec},
    disk::{self, Disk, NoSiblings, Options, Siblings, cache::Cache},
    error::FormatError,
    gap::Code,
    limits, num,
};

/// What the images of one chain share.
struct Chain<'a> {
    siblings: &'a dyn Siblings,
    tables: Arc<Cache>,
    clusters: Arc<Cache>,
    /// The names that were followed so far.
    names: Vec<String>,
    notes: Vec<FormatError>,
}

/// Opens an image and everything that it lies on.
pub(in crate::disk) fn open(source: Source, options: &Options<'_>) -> Result<Disk, FormatError> {
    let mut chain = Chain {
        siblings: options.siblings,
        tables: Arc::new(Cache::new(limits::QCOW2_TABLE_CACHE_BYTES)),
        clusters: Arc::new(Cache::new(limits::QCOW2_CLUSTER_CACHE_BYTES)),
        names: Vec::new(),
        notes: Vec::new(),
    };
    let source = chain.image(source, options.snapshot)?;
    Ok(Disk { source, format: "qcow2", notes: chain.notes })
}

impl Chain<'_> {
    fn image(&mut self, file: Source, snapshot: Option<&str>) -> Result<Source, FormatError> {
        let number = num::to_u64(self.names.len());
        let mut header = header(&file)?;
        self.note(&header);
        if let Some(wanted) = snapshot {
            let found = snapshot::find(&file, header.snapshots, header.geometry, wanted)?;
            header.l1 = found.l1;
            header.size = found.size.unwrap_or(header.size);
        }
        let Header { geometry, size, l1, compression, .. } = header;
        let tables = Tables::open(&file, geometry, l1, size, (&self.tables, number))?;
        let data = match &header.data_file {
            Some(name) => self.sibling("external data file", name)?,
            None => Arc::clone(&file),
        };
        let backing = header.backing.map(|backing| self.backing(&backing)).transpose()?;
        let clusters = Arc::clone(&self.clusters);
        let inflater = Inflater::new(compression);
        Ok(Arc::new(Image { geometry, size, tables, inflater, file, data, backing, clusters, number }))
    }

    fn backing(&mut self, backing: &BackingFile) -> Result<Source, FormatError> {
        let BackingFile { name, format } = backing;
        if self.names.contains(name) {
            let problem = format!("{name:?} is a backing file of itself");
            return Err(FormatError::corrupt("qcow2 header", 8, problem));
        }
        if self.names.len() >= limits::BACKING_CHAIN {
            let what = format!("more than {} backing files below each other", limits::BACKING_CHAIN);
            return Err(FormatError::limit(what));
        }
        let source = self.sibling("backing file", name)?;
        self.names.push(name.clone());
        let is_qcow2 = match format.as_deref() {
            Some(format) => format == "qcow2",
            None => super::probe(&source),
        };
        if is_qcow2 {
            return self.image(source, None);
        }
        let options = Options { siblings: &NoSiblings, snapshot: None };
        let disk = disk::open(source, format.as_deref(), &options)?;
        self.notes.extend(disk.notes);
        Ok(disk.source)
    }

    fn sibling(&self, what: &str, name: &str) -> Result<Source, FormatError> {
        let wanted = reference::file(name)?;
        self.siblings.open(&wanted).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let what = format!("the disk image needs its {what} {name:?}, which was not given");
                FormatError::Unsupported { code: Code::BackingFileNotGiven, what }
            }
            _ => FormatError::reading("backing file", 0)(error),
        })
    }

    fn note(&mut self, header: &Header) {
        if header.dirty {
            let what = "the qcow2 image is marked dirty: its writer did not close it".to_owned();
            self.notes.push(FormatError::Unsupported { code: Code::DirtyImage, what });
        }
        if header.corrupt {
            let problem = "the corrupt bit is set: the image's own writer found it damaged";
            self.notes.push(FormatError::corrupt("qcow2 header", 72, problem));
        }
    }
}

fn header(file: &Source) -> Result<Header, FormatError> {
    let begin = |length: u64| read_vec(file, "qcow2 header", 0, num::to_usize(length.min(file.size())));
    let first = begin(512)?;
    Header::parse(&begin(first_cluster(&first)?)?)
}
