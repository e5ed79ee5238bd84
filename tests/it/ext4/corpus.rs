//! A second opinion, and the corpus of damaged images.

use std::{collections::BTreeMap, sync::Arc};

use icecore::block::Memory;
use sha2::{Digest, Sha256};

use crate::tree::{Survived, WHOLE, corpus, decoded, hex, image, open, survive_corpus, text, walk};

/// The files of an image as the `ext4-view` crate reads them.
fn second_opinion(bytes: Vec<u8>) -> BTreeMap<String, (u64, String)> {
    let fs = ext4_view::Ext4::load(Box::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    let mut todo = vec![ext4_view::PathBuf::new("/")];
    while let Some(dir) = todo.pop() {
        let entries = match fs.read_dir(&dir) {
            Err(ext4_view::Ext4Error::Encrypted) => continue,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if [b"." as &[u8], b".."].contains(&entry.file_name().as_ref()) {
                continue;
            }
            if kind.is_dir() {
                todo.push(path);
            } else if kind.is_regular_file() {
                let size = fs.metadata(&path).unwrap().len();
                if size <= WHOLE {
                    files.insert(text(path.as_ref()), (size, hex(&Sha256::digest(fs.read(&path).unwrap()))));
                }
            }
        }
    }
    files
}

fn our_files(bytes: Vec<u8>) -> BTreeMap<String, (u64, String)> {
    let tree = walk(&*open(Arc::new(Memory::new(bytes))).unwrap().fs, usize::MAX);
    assert!(tree.errors.is_empty(), "{:?}", tree.errors);
    let fields = tree.lines.values().map(|line| line.split('\t').collect::<Vec<_>>());
    let files = fields.filter(|fields| fields[1] == "-" && fields[5].parse::<u64>().unwrap() <= WHOLE);
    files.map(|f| (f[0].to_owned(), (f[5].parse().unwrap(), f[10].to_owned()))).collect()
}

#[test]
fn ext4_view_reads_the_same_files() {
    // Not the dirty ones: there it differs from the kernel.
    for name in ["ext2-1k", "ext4-1k"] {
        let bytes = image("ext4", name).0;
        let theirs = second_opinion(bytes.clone());
        assert!(theirs.len() > 60, "{name}: {}", theirs.len());
        assert_eq!(our_files(bytes), theirs, "{name}");
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn damaged_images_of_the_corpus_are_survived() {
    let Survived { opened, files, errors } = survive_corpus("ext4");
    assert!(opened > 120 && files > 10_000 && errors > 100);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn valid_images_of_the_corpus_read_as_ext4_view_reads_them() {
    let images = corpus("ext4");
    let mut files = 0;
    for name in ["test_disk1", "test_disk_4k_block_journal", "test_disk_ext2", "test_disk_ext3"] {
        let bytes = decoded("x.zst", &images[&format!("ext4/ext4-view/{name}.bin.zst")]).unwrap();
        let theirs = second_opinion(bytes.clone());
        files += theirs.len();
        assert_eq!(our_files(bytes), theirs, "{name}");
    }
    assert!(files > 1000, "{files}");
}
