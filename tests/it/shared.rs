//! The large data that the repository does not hold: tests that need it are ignored but where it is.

use std::{io::Read, path::PathBuf};

/// A file or directory below `$ICECORE_SHARED`.
pub(crate) fn path(name: &str) -> PathBuf {
    directory("ICECORE_SHARED").join(name)
}

/// The directory that a variable of the environment names.
pub(crate) fn directory(variable: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| panic!("${variable} is not set"), PathBuf::from)
}

/// The lines of a table, split at tabs; comments left out.
pub(crate) fn table(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Calls `test` with each input of the corpus whose path begins with one of `kinds`, decompressed, and those
/// in archives one by one.
pub(crate) fn corpus(kinds: &[&str], mut test: impl FnMut(&str, Vec<u8>)) {
    packed_corpus(kinds, |name, mut bytes| {
        if name.ends_with(".zst") {
            bytes = zstd::decode_all(&bytes[..]).unwrap();
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        if !name.ends_with(".tar.zst") {
            return test(name, bytes);
        }
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let inner = format!("{name}/{}", entry.path().unwrap().display());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            test(&inner, bytes);
        }
    })
}

/// The same inputs as the corpus stores them: for readers that decompress by themselves.
pub(crate) fn packed_corpus(kinds: &[&str], mut test: impl FnMut(&str, Vec<u8>)) {
    let file = std::fs::File::open(path("data/corpus/corpus.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
        if !entry.header().entry_type().is_file() || !kinds.iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        test(&name, bytes);
    }
}
