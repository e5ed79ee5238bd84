//! The header and its extensions (specification: Header, Header extensions, Feature name table).

use zerocopy::FromBytes;

use super::{
    extensions::Extensions,
    format::{
        COMPRESSION, COMPRESSION_TYPE, CORRUPT, DATA_FILE, DIRTY, EXTENDED_L2, LENGTH_2, LENGTH_3, MAGIC,
        RawFeatures, RawHeader,
    },
    geometry::Geometry,
};
use crate::{disk::inflate::Compression, error::FormatError, gap::Code, limits, num};

const NAME: &str = "qcow2 header";
/// The specification's largest backing file name.
const BACKING_NAME_BYTES: u64 = 1023;

/// A table in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// Where it begins.
    pub(super) offset: u64,
    /// How many entries it has.
    pub(super) entries: u32,
}

/// What a file refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BackingFile {
    /// As the image spells it.
    pub(super) name: String,
    /// As `qemu-img -f` spells it, if the image says so.
    pub(super) format: Option<String>,
}

/// A checked header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// How the image is divided.
    pub(super) geometry: Geometry,
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    /// The active L1 table.
    pub(super) l1: Table,
    /// The table of internal snapshots.
    pub(super) snapshots: Table,
    /// How compressed clusters are compressed.
    pub(super) compression: Compression,
    /// What the image lies on.
    pub(super) backing: Option<BackingFile>,
    /// The external data file's name; empty if the image does not say it.
    pub(super) data_file: Option<String>,
    /// The image was not closed.
    pub(super) dirty: bool,
    /// The image's own writer found it corrupt.
    pub(super) corrupt: bool,
}

/// Bytes of the first cluster, as the first 512 bytes of the file tell.
pub(super) fn first_cluster(bytes: &[u8]) -> Result<u64, FormatError> {
    raw(bytes).and_then(cluster_bits).map(|bits| 1u64.unbounded_shl(bits))
}

fn raw(bytes: &[u8]) -> Result<&RawHeader, FormatError> {
    let (header, _) = RawHeader::ref_from_prefix(bytes).map_err(|_| corrupt(0, "the file ends in it"))?;
    if header.magic != MAGIC {
        return Err(corrupt(0, format!("magic {:02x?}", header.magic)));
    }
    match header.version.get() {
        2 | 3 => Ok(header),
        version => {
            let what = format!("a qcow image of version {version}; 2 and 3 are read");
            Err(FormatError::Unsupported { code: Code::UnsupportedDiskFormat, what })
        }
    }
}

fn cluster_bits(header: &RawHeader) -> Result<u32, FormatError> {
    match header.cluster_bits.get() {
        bits @ 9..=21 => Ok(bits),
        bits => Err(corrupt(20, format!("cluster_bits {bits}, not 9 to 21"))),
    }
}

impl Header {
    /// Parses the first cluster.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let header = raw(bytes)?;
        let cluster_bits = cluster_bits(header)?;
        match header.crypt_method.get() {
            0 => {}
            1 => return Err(encrypted("AES")),
            2 => return Err(encrypted("LUKS")),
            other => return Err(corrupt(32, format!("crypt_method {other}"))),
        }
        let version = header.version.get();
        let (features, length) = features(header, bytes)?;
        let end = match header.backing_file_offset.get() {
            0 => num::to_u64(bytes.len()),
            offset => offset,
        };
        let extensions = Extensions::parse(bytes, length, num::to_usize(end))?;
        extensions.refuse_unknown(features, DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2)?;
        let geometry = Geometry {
            cluster_bits,
            extended: features & EXTENDED_L2 != 0,
            zero_flag: version >= 3,
            data_file: features & DATA_FILE != 0,
        };
        if geometry.extended && cluster_bits < 14 {
            return Err(corrupt(20, format!("cluster_bits {cluster_bits} with extended L2 entries")));
        }
        let l1 = Table { offset: header.l1_table_offset.get(), entries: header.l1_size.get() };
        let size = header.size.get();
        check_l1(geometry, l1, size, 36)?;
        let snapshots = Table { offset: header.snapshots_offset.get(), entries: header.nb_snapshots.get() };
        Ok(Self {
            geometry,
            size,
            l1,
            snapshots,
            compression: compression(features, bytes.get(..length).unwrap_or_default())?,
            backing: backing(header, bytes, extensions.backing_format)?,
            data_file: geometry.data_file.then(|| extensions.data_file.unwrap_or_default()),
            dirty: features & DIRTY != 0,
            corrupt: features & CORRUPT != 0,
        })
    }
}

/// An L1 table begins at a cluster and maps the whole disk.
pub(super) fn check_l1(geometry: Geometry, l1: Table, size: u64, at: u64) -> Result<(), FormatError> {
    let Table { offset, entries } = l1;
    let needed = geometry.l1_entries(size);
    if u64::from(entries) < needed {
        let problem = format!("{entries} L1 entries, but a disk of {size} bytes needs {needed}");
        return Err(corrupt(at, problem));
    }
    if needed > limits::QCOW2_L1_ENTRIES {
        return Err(FormatError::limit(format!(
            "{needed} L1 entries, more than {}",
            limits::QCOW2_L1_ENTRIES
        )));
    }
    if needed > 0 && (geometry.within(offset) != 0 || offset == 0) {
        return Err(corrupt(at, format!("L1 table at {offset:#x}, which is not the start of a cluster")));
    }
    Ok(())
}

/// The incompatible features and the header's length.
fn features(header: &RawHeader, bytes: &[u8]) -> Result<(u64, usize), FormatError> {
    if header.version.get() == 2 {
        return Ok((0, LENGTH_2));
    }
    let rest = bytes.get(LENGTH_2..).unwrap_or_default();
    let (features, _) = RawFeatures::ref_from_prefix(rest).map_err(|_| corrupt(72, "the file ends in it"))?;
    let length = num::index(features.header_length.get());
    if !(LENGTH_3..=bytes.len()).contains(&length) {
        return Err(corrupt(100, format!("header_length {length}")));
    }
    Ok((features.incompatible_features.get(), length))
}

fn compression(features: u64, header: &[u8]) -> Result<Compression, FormatError> {
    let kind = header.get(COMPRESSION_TYPE).copied().unwrap_or(0);
    match (kind, features & COMPRESSION != 0) {
        (0, false) => Ok(Compression::Deflate),
        (1, true) => Ok(Compression::Zstd),
        (0 | 1, bit) => Err(corrupt(104, format!("compression type {kind} with its feature bit {bit}"))),
        (other, _) => Err(FormatError::unsupported(format!("qcow2 compression type {other}"))),
    }
}

fn backing(
    header: &RawHeader,
    bytes: &[u8],
    format: Option<String>,
) -> Result<Option<BackingFile>, FormatError> {
    let offset = header.backing_file_offset.get();
    if offset == 0 {
        return Ok(None);
    }
    let length = u64::from(header.backing_file_size.get());
    let name = offset.checked_add(length).and_then(|end| {
        bytes.get(num::to_usize(offset)..num::to_usize(end)).filter(|_| length <= BACKING_NAME_BYTES)
    });
    let name =
        name.ok_or_else(|| corrupt(8, format!("backing file name of {length} bytes at {offset:#x}")))?;
    // qemu treats an empty name as no backing file.
    let name = String::from_utf8_lossy(name).into_owned();
    Ok((!name.is_empty()).then_some(BackingFile { name, format }))
}

fn encrypted(method: &str) -> FormatError {
    let what = format!("the qcow2 image is encrypted ({method})");
    FormatError::Unsupported { code: Code::EncryptedVolume, what }
}

fn corrupt(offset: u64, problem: impl Into<String>) -> FormatError {
    FormatError::corrupt(NAME, offset, problem)
}
