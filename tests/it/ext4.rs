//! ext2, ext3 and ext4 against the kernel's own listings and the corpus of damaged images.

use std::{fmt::Write, io::Read, sync::Arc};

use icecore::{
    block::{Memory, Source, Stream},
    fs::{self, FileKind, GuestPath, Handle, Opened, Root},
};
use sha2::{Digest, Sha256};

/// What `ICECORE_SHARED` holds of the corpus, unpacked below `ICECORE_CORPUS` or packed.
fn corpus() -> Option<std::path::PathBuf> {
    let Some(path) = std::env::var_os("ICECORE_CORPUS") else {
        eprintln!("skipped: ICECORE_CORPUS is not set");
        return None;
    };
    Some(path.into())
}

fn unpacked(path: &std::path::Path) -> Vec<u8> {
    let packed = std::fs::read(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "zst" => zstd::decode_all(&packed[..]).unwrap(),
        "gz" => {
            let mut bytes = Vec::new();
            flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
            bytes
        }
        _ => packed,
    }
}

fn open(bytes: Vec<u8>) -> Opened {
    let source: Source = Arc::new(Memory::new(bytes));
    fs::open(&source).expect("a file system").expect("opens")
}

/// Every path with its content's digest, as the corpus's `expected.tsv` has them.
fn contents(root: &Root) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![root.top()];
    while let Some(dir) = todo.pop() {
        let listing = dir.read_dir().unwrap();
        assert!(listing.damage.is_empty(), "{:?}", listing.damage);
        for entry in listing.entries {
            let child = Handle { fs: Arc::clone(&dir.fs), ino: entry.ino, path: dir.path.join(&entry.name) };
            match entry.kind {
                FileKind::Directory => todo.push(child),
                FileKind::Regular => lines.push(line(&child)),
                _ => {}
            }
        }
    }
    lines.sort();
    lines
}

fn line(file: &Handle) -> String {
    format!("{}\t{}\t{}", file.path, file.stat().unwrap().size, sha256(&file.open().unwrap()))
}

fn sha256(source: &Source) -> String {
    let mut hash = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    let mut stream = Stream::new(Arc::clone(source));
    loop {
        let n = stream.read(&mut buf).unwrap();
        if n == 0 {
            break;
        }
        hash.update(&buf[..n]);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn files_of_a_valid_image_are_read() {
    let Some(corpus) = corpus() else { return };
    let root = Root::new(open(unpacked(&corpus.join("ext4/ext4-view/test_disk1.bin.zst"))).fs);
    let lines = contents(&root);
    assert!(lines.len() > 100, "{}", lines.len());
    let path = GuestPath::new(lines[0].split('\t').next().unwrap());
    assert!(root.find(path.as_bytes()).unwrap().is_some());
}
