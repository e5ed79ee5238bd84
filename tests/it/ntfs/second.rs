//! The same images by another reader, the crate `ntfs`: names, and size and content of every file. It reads compressed data as it lies on
//! the disk, and of files with more attributes than a record holds nothing: these are left out and counted.

use std::{
    collections::BTreeMap,
    io::{BufReader, Cursor, Read, Seek, SeekFrom},
};

use icecore::block::{self, Source};
use ntfs::{
    Ntfs, NtfsError, NtfsReadSeek,
    attribute_value::NtfsAttributeValue,
    structured_values::NtfsFileNamespace,
    {NtfsAttributeFlags, NtfsAttributeType, NtfsFile},
};
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    judged,
    tree::{SAMPLE, STRIDE, WHOLE, hex, text, walk},
};

/// Records that hold the volume's own files, which are not shown.
const OWN: u64 = 24;

/// What it cannot list: clusters that are larger than the blocks of an index, and a table of files in pieces.
const REFUSED: [&str; 9] = [
    "ntfs-1048576",
    "ntfs-131072",
    "ntfs-16384",
    "ntfs-2m",
    "ntfs-32768",
    "ntfs-65536",
    "ntfs-8192",
    "ntfs-scattered",
    "ntfs-scattered-512",
];

/// A file as it reads it.
#[derive(Debug, PartialEq)]
enum Seen {
    Directory,
    LeftOut,
    File { size: u64, sum: String },
}

/// The places of a file that are hashed, as in `scripts/tree.py`.
fn pieces(size: u64) -> Vec<(u64, u64)> {
    let step = |step| usize::try_from(step).unwrap();
    match size > WHOLE {
        true => {
            let samples = (0..size).step_by(step(STRIDE)).map(|at| (at, SAMPLE.min(size - at)));
            samples.chain([(size - SAMPLE, SAMPLE)]).collect()
        }
        false => (0..size).step_by(1 << 20).map(|at| (at, (size - at).min(1 << 20))).collect(),
    }
}

fn sum<T: Read + Seek>(fs: &mut T, mut value: NtfsAttributeValue<'_, '_>) -> Seen {
    let size = value.len();
    let mut sha = Sha256::new();
    for (at, length) in pieces(size) {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        value.seek(fs, SeekFrom::Start(at)).unwrap();
        value.read_exact(fs, &mut bytes).unwrap();
        sha.update(&bytes);
    }
    Seen::File { size, sum: hex(&sha.finalize()) }
}

fn seen<T: Read + Seek>(fs: &mut T, file: &NtfsFile<'_>) -> Seen {
    if file.is_directory() {
        return Seen::Directory;
    }
    if file.attributes_raw().any(|one| one.unwrap().ty().unwrap() == NtfsAttributeType::AttributeList) {
        return Seen::LeftOut;
    }
    let Some(data) = file.data(fs, "") else { return Seen::File { size: 0, sum: hex(&Sha256::digest([])) } };
    let data = data.unwrap();
    let data = data.to_attribute().unwrap();
    if data.flags().contains(NtfsAttributeFlags::COMPRESSED) {
        return Seen::LeftOut;
    }
    let value = data.value(fs).unwrap();
    sum(fs, value)
}

/// All files of a volume, by path; the error if it cannot list them all.
fn theirs<T: Read + Seek>(fs: &mut T) -> Result<BTreeMap<String, Seen>, NtfsError> {
    let ntfs = Ntfs::new(fs)?;
    let mut files = BTreeMap::new();
    let mut todo = vec![(String::new(), ntfs.root_directory(fs)?)];
    while let Some((path, dir)) = todo.pop() {
        let index = dir.directory_index(fs)?;
        let mut entries = index.entries();
        while let Some(entry) = entries.next(fs) {
            let entry = entry?;
            let name = entry.key().unwrap()?;
            let number = entry.file_reference().file_record_number();
            if name.namespace() == NtfsFileNamespace::Dos || number < OWN {
                continue;
            }
            let path = format!("{path}/{}", text(name.name().to_string().unwrap().as_bytes()));
            let file = ntfs.file(fs, number)?;
            files.insert(path.clone(), seen(fs, &file));
            if file.is_directory() {
                todo.push((path, file));
            }
        }
    }
    Ok(files)
}

/// How many files there are, and how many of these it does not read.
fn compare<T: Read + Seek>(name: &str, source: Source, fs: &mut T) -> Result<(usize, usize), NtfsError> {
    let theirs = theirs(fs)?;
    let ours = walk(&*open(source).unwrap().fs, usize::MAX);
    let names = ours.lines.keys().filter(|path| !path.is_empty());
    assert!(names.eq(theirs.keys()), "{name}: other names");
    let mut left_out = 0;
    for (path, line) in ours.lines.iter().filter(|(path, _)| !path.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let seen = &theirs[path];
        let is_directory = *seen == Seen::Directory;
        // Junctions are directories with it, and links and devices files.
        match fields[1] {
            "d" => assert!(is_directory, "{name}: {path}"),
            "-" if *seen == Seen::LeftOut => left_out += 1,
            "-" => {
                let ours = Seen::File { size: fields[5].parse().unwrap(), sum: fields[10].to_owned() };
                assert_eq!(seen, &ours, "{name}: {path}");
            }
            _ => {}
        }
    }
    Ok((theirs.len(), left_out))
}

#[test]
fn another_reader_sees_the_same_files() {
    for (name, bytes, _) in &*tree::small("ntfs") {
        let source = Arc::new(Memory::new(bytes.clone()));
        let (files, left_out) = compare(name, source, &mut Cursor::new(bytes.clone())).unwrap();
        assert!(files > 150 && left_out < 20, "{name}: {files}, {left_out} of them left out");
    }
}

#[test]
#[ignore = "needs $ICECORE_NTFS, made by scripts/make-ntfs.sh"]
fn another_reader_sees_the_same_files_of_every_image() {
    let (mut all, mut left_out, mut refused) = (Vec::new(), 0, Vec::new());
    for entry in std::fs::read_dir(crate::shared::directory("ICECORE_NTFS")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "img") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        // Names without files.
        if name.starts_with("in-use-") {
            continue;
        }
        let mut file = BufReader::new(std::fs::File::open(&path).unwrap());
        match compare(name, block::open(&path).unwrap(), &mut file) {
            Ok((files, not_read)) => {
                all.push(files - not_read);
                left_out += not_read;
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    let files = all.iter().sum();
    let compared = [
        (all.len(), "images"),
        (files, "files"),
        (left_out, "files left out"),
        (refused.len(), "images refused"),
    ];
    judged::tell("ntfs by the crate ntfs", &compared, 0);
    let mut names: Vec<&str> = refused.iter().map(|told| told.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, REFUSED, "{refused:#?}");
}
