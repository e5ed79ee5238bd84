//! What a kernel's image says of its version: the x86 boot protocol ("The Linux/x86 Boot Protocol", `kernel_version`), a
//! unified kernel image (UKI specification, `.uname`), and the kernel's own banner in an arm64 `Image` ("Booting AArch64
//! Linux"), one that gzip packed or that unpacks itself (`zboot-header.S`), or in an ELF.

use std::{
    io::{self, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use memchr::memmem;

use crate::{
    block::{self, Slice, Source, Stream},
    bytes::{le16, le32, part},
    error::FormatError,
    limits, num,
};

const IMAGE: &str = "kernel image";
const BANNER: &[u8] = b"Linux version ";
/// Bytes of what `uname -r` prints: the kernel's own bound.
const RELEASE: usize = 64;
const HEAD: usize = 4096;
const STEP: usize = 64 << 10;

/// A kernel's image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// What `uname -r` prints when it runs, if the image tells.
    pub(super) release: Option<String>,
}

/// What a file says as an image of a kernel; `None` if it is not known to be one. `budget` is what is left of the bytes that are
/// searched for a banner.
pub(super) fn read(file: &Source, budget: &mut u64) -> Result<Option<Image>, FormatError> {
    let length = num::to_usize(file.size()).min(HEAD);
    let head = block::read_vec(file, IMAGE, 0, length)?;
    let stream = || Stream::new(Arc::clone(file));
    let found = |release| Ok(Some(Image { release }));
    if head.get(0x202..0x206) == Some(b"HdrS") {
        let at = le16(&head, 0x20e).filter(|at| *at != 0).map(|at| u64::from(at).saturating_add(0x200));
        return found(at.map(|at| text_at(file, at, 256)).transpose()?.and_then(|text| release(&text)));
    }
    if head.starts_with(b"MZ") && head.get(4..8) == Some(b"zimg") {
        let (Some(at), Some(size)) = (le32(&head, 8), le32(&head, 12)) else { return found(None) };
        let payload = Stream::new(Arc::new(Slice::new(Arc::clone(file), at.into(), size.into())));
        return match head.get(24..56).and_then(|name| name.split(|byte| *byte == 0).next()) {
            Some(b"gzip") => found(banner(MultiGzDecoder::new(payload), budget)?),
            Some(name) if name.starts_with(b"zstd") => {
                let mut unpacked = zstd::Decoder::new(payload).map_err(FormatError::reading(IMAGE, 0))?;
                unpacked.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(FormatError::reading(IMAGE, 0))?;
                found(banner(unpacked, budget)?)
            }
            Some(b"xzkern") => {
                found(banner(XzReader::new_mem_limit(payload, false, limits::KERNEL_XZ_KIB), budget)?)
            }
            _ => found(None),
        };
    }
    if head.get(0x38..0x3c) == Some(b"ARM\x64") || head.starts_with(b"\x7fELF") {
        return found(banner(stream(), budget)?);
    }
    if head.starts_with(b"MZ") {
        return unified(file, &head);
    }
    if head.starts_with(b"\x1f\x8b\x08") {
        // Anything may be packed so: it is a kernel if it says so.
        return Ok(
            banner(MultiGzDecoder::new(stream()), budget)?.map(|release| Image { release: Some(release) })
        );
    }
    Ok(None)
}

/// A PE with a kernel in its section `.linux`, whose release is that of `.uname`.
fn unified(file: &Source, head: &[u8]) -> Result<Option<Image>, FormatError> {
    let sections = || {
        let header = num::index(le32(head, 0x3c)?);
        let optional = usize::from(le16(head, header.checked_add(20)?)?);
        let count = usize::from(le16(head, header.checked_add(6)?)?);
        let table = head.get(header.checked_add(24)?.checked_add(optional)?..)?;
        Some(table.chunks_exact(40).take(count))
    };
    let Some(sections) = sections() else { return Ok(None) };
    let (mut is_kernel, mut release_of) = (false, None);
    for section in sections {
        match section.get(..8) {
            Some(b".linux\0\0") => is_kernel = true,
            Some(b".uname\0\0") => {
                let (Some(size), Some(at)) = (le32(section, 8), le32(section, 20)) else { continue };
                release_of = release(&text_at(file, at.into(), num::index(size).min(256))?);
            }
            _ => {}
        }
    }
    Ok(is_kernel.then_some(Image { release: release_of }))
}

/// Bytes at an offset, fewer if the file ends before.
fn text_at(file: &Source, at: u64, length: usize) -> Result<Vec<u8>, FormatError> {
    let at = at.min(file.size());
    let length = num::to_usize(file.size().saturating_sub(at)).min(length);
    block::read_vec(file, IMAGE, at, length)
}

/// What `uname -r` prints, at the beginning of a text.
pub(super) fn release(text: &[u8]) -> Option<String> {
    let end = text.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(text.len());
    let word = text.get(..end).filter(|word| word.len() < RELEASE)?;
    word.first().filter(|first| first.is_ascii_digit())?;
    String::from_utf8(word.to_vec()).ok()
}

/// The release in the kernel's banner.
fn banner(mut stream: impl Read, budget: &mut u64) -> Result<Option<String>, FormatError> {
    let finder = memmem::Finder::new(BANNER);
    let mut window = Vec::with_capacity(STEP.saturating_mul(2));
    let keep = BANNER.len().saturating_add(RELEASE);
    loop {
        let before = window.len();
        let taken = (&mut stream).take(num::to_u64(STEP)).read_to_end(&mut window);
        // What is packed often ends in other bytes, and what came before them counts.
        let ended = match taken {
            Ok(taken) => taken == 0,
            Err(error) if is_of_the_source(&error) => return Err(FormatError::reading(IMAGE, 0)(error)),
            Err(_) => true,
        };
        for at in finder.find_iter(&window) {
            let behind = at.saturating_add(BANNER.len());
            let is_whole = ended || window.len().saturating_sub(behind) >= RELEASE;
            let text = part(&window, behind, RELEASE).or_else(|| window.get(behind..)).unwrap_or_default();
            if let Some(release) = release(text).filter(|_| is_whole) {
                return Ok(Some(release));
            }
        }
        if ended {
            return Ok(None);
        }
        let read = num::to_u64(window.len().saturating_sub(before));
        *budget = budget.checked_sub(read).ok_or_else(|| {
            FormatError::limit(format!(
                "kernels with more than {} bytes to search",
                limits::KERNEL_SEARCH_BYTES
            ))
        })?;
        window.drain(..window.len().saturating_sub(keep));
    }
}

/// Whether the file could not be read, as opposed to what it is packed with.
fn is_of_the_source(error: &io::Error) -> bool {
    error.raw_os_error().is_some() || error.get_ref().is_some_and(|inner| inner.is::<FormatError>())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::block::Memory;

    fn read(bytes: &[u8]) -> Option<Image> {
        let file: Source = Arc::new(Memory::new(bytes.to_vec()));
        super::read(&file, &mut (1 << 20)).unwrap()
    }

    fn image(release: &str) -> Option<Image> {
        Some(Image { release: Some(release.to_owned()) })
    }

    fn arm() -> Vec<u8> {
        let mut bytes = vec![0; STEP - 20];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x38..0x3c].copy_from_slice(b"ARM\x64");
        bytes.extend(b"Linux version %s (%s)\0Linux version 6.1.0-56-cloud-arm64 (debian-kernel@lists)\0");
        bytes.resize(2 * STEP, 0);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn zboot(name: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..8].copy_from_slice(b"MZ\0\0zimg");
        bytes[8..12].copy_from_slice(&64u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes[24..24 + name.len()].copy_from_slice(name);
        [&bytes, payload].concat()
    }

    #[test]
    fn a_bzimage_tells_its_release_in_its_header() {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        let text = b"6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP\0";
        bytes[0x300..0x300 + text.len()].copy_from_slice(text);
        assert_eq!(read(&bytes), image("6.1.0-56-amd64"));
        bytes[0x20e..0x210].fill(0);
        assert_eq!(read(&bytes), Some(Image { release: None }));
        bytes[0x20e..0x210].fill(0xff);
        assert_eq!(read(&bytes), Some(Image { release: None }));
    }

    #[test]
    fn other_images_tell_it_in_their_banner() {
        let expected = image("6.1.0-56-cloud-arm64");
        assert_eq!(read(&arm()), expected);
        assert_eq!(read(&gzip(&arm())), expected);
        assert_eq!(read(&[gzip(&arm()), vec![1; 9]].concat()), expected);
        assert_eq!(read(&zboot(b"gzip", &gzip(&arm()))), expected);
        assert_eq!(read(&zboot(b"zstd22", &zstd::encode_all(arm().as_slice(), 1).unwrap())), expected);
        assert_eq!(read(&zboot(b"lzo", b"x")), Some(Image { release: None }));
        assert_eq!(read(&[b"\x7fELF".as_slice(), b"Linux version 5.4.0 (a"].concat()), image("5.4.0"));
        assert_eq!((read(&gzip(b"Linux version of it")), read(b"#!/bin/sh"), read(b"")), (None, None, None));
    }

    #[test]
    fn a_unified_image_tells_it_in_a_section() {
        let mut bytes = vec![0; 0x200];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes[0x46] = 2;
        let section = |name: &[u8], size: u32, at: u32| {
            let mut raw = [0; 40];
            raw[..name.len()].copy_from_slice(name);
            raw[8..12].copy_from_slice(&size.to_le_bytes());
            raw[20..24].copy_from_slice(&at.to_le_bytes());
            raw
        };
        bytes[0x58..0x80].copy_from_slice(&section(b".uname", 13, 0x180));
        bytes[0x180..0x18d].copy_from_slice(b"6.6.54-talosx");
        assert_eq!(read(&bytes), None);
        bytes[0x80..0xa8].copy_from_slice(&section(b".linux", 1, 0));
        assert_eq!(read(&bytes), image("6.6.54-talosx"));
    }

    #[test]
    fn what_is_searched_is_bounded() {
        let file: Source = Arc::new(Memory::new(gzip(&vec![0; 1 << 20])));
        assert_eq!(super::read(&file, &mut (1 << 19)).unwrap_err().code(), crate::gap::Code::LimitReached);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 0usize..0x210, noise in proptest::collection::vec(proptest::num::u8::ANY, 0..64), kind in 0..4) {
            let mut bytes = match kind {
                0 => arm(),
                1 => gzip(&arm()),
                2 => zboot(b"gzip", &gzip(&arm())),
                _ => [b"MZ".as_slice(), &[0x40; 0x400]].concat(),
            };
            let end = bytes.len().min(at + noise.len());
            if at < end {
                bytes[at..end].copy_from_slice(&noise[..end - at]);
            }
            let file: Source = Arc::new(Memory::new(bytes));
            let _ = super::read(&file, &mut (1 << 20));
        }
    }
}
