//! A file system of any format against the kernel's listing of it (`scripts/tree.py`), against look-ups, failed reads
//! and damage: each `check_…` is one test of a format.

mod failed_reads;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{read, read_dir, read_to_string},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub(crate) use failed_reads::{check_failed_reads, check_flipped_bits};
use icecore::{
    FormatError,
    block::{self, Memory, Source},
    fs::{self, FileKind, FileSystem, Ino, Opened, Stat},
    gap::Code,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::judged;

/// The samples of `scripts/tree.py`, by which the content of a large file is known.
pub(crate) const SAMPLE: u64 = 64 << 10;
pub(crate) const STRIDE: u64 = 16 << 20;
pub(crate) const WHOLE: u64 = 64 << 20;

/// A tree as `scripts/tree.py` lists it: a line for each path.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) lines: BTreeMap<String, String>,
    pub(crate) errors: Vec<FormatError>,
}

/// Walks a file system level by level; what cannot be read is in `errors`, never silently missing.
pub(crate) fn walk(fs: &dyn FileSystem, bound: usize) -> Tree {
    walk_from(fs, fs.root(), bound)
}

/// The same of what lies below a directory.
pub(crate) fn walk_from(fs: &dyn FileSystem, top: Ino, bound: usize) -> Tree {
    let mut tree = Tree::default();
    let mut level = vec![(Vec::new(), top)];
    tree.add(fs, b"/", top, None);
    let mut seen = std::collections::HashSet::from([top]);
    while !level.is_empty() && tree.lines.len() < bound {
        let dirs: Vec<Ino> = level.iter().map(|(_, ino)| *ino).collect();
        let mut next = Vec::new();
        for ((path, _), listing) in level.into_iter().zip(fs.read_dirs(&dirs)) {
            let listing = match listing {
                Ok(listing) => listing,
                Err(error) => {
                    tree.errors.push(error);
                    continue;
                }
            };
            let encrypted = listing.damage.iter().any(|e| e.code() == Code::UnsupportedFeature);
            if encrypted {
                let line = tree.lines.get_mut(&text(&path)).unwrap();
                *line = line.trim_end_matches('-').to_owned() + "encrypted";
            } else {
                tree.errors.extend(listing.damage);
            }
            for entry in listing.entries {
                let path = [&path[..], b"/", &entry.name].concat();
                tree.add(fs, &path, entry.ino, Some(entry.kind));
                if entry.kind == FileKind::Directory && seen.insert(entry.ino) {
                    next.push((path, entry.ino));
                }
                if tree.lines.len() >= bound {
                    break;
                }
            }
        }
        level = next;
    }
    tree
}

impl Tree {
    fn add(&mut self, fs: &dyn FileSystem, path: &[u8], ino: Ino, kind: Option<FileKind>) {
        match describe(fs, path, ino, kind) {
            Ok(line) => {
                self.lines.insert(if path == b"/" { String::new() } else { text(path) }, line);
            }
            Err(error) => self.errors.push(error),
        }
    }
}

fn describe(
    fs: &dyn FileSystem,
    path: &[u8],
    ino: Ino,
    kind: Option<FileKind>,
) -> Result<String, FormatError> {
    let stat = fs.stat(ino)?;
    if kind.is_some_and(|kind| kind != stat.kind) {
        return Err(FormatError::corrupt("directory entry", 0, format!("kind of {}", text(path))));
    }
    let mut xattrs = fs.xattrs(ino)?;
    xattrs.sort();
    let xattrs: Vec<String> =
        xattrs.iter().map(|xattr| format!("{}={}", text(&xattr.name), hex(&xattr.value))).collect();
    let xattrs = if xattrs.is_empty() { "-".to_owned() } else { xattrs.join(",") };
    let content = match stat.kind {
        FileKind::Regular => digest(&fs.open(ino)?)?,
        FileKind::Symlink => text(&fs.read_link(ino)?),
        _ => "-".to_owned(),
    };
    let Stat { mode, uid, gid, size, links, rdev, mtime, .. } = stat;
    Ok(format!(
        "{}\t{}\t{mode:o}\t{uid}\t{gid}\t{size}\t{links}\t{}:{}\t{}.{:09}\t{xattrs}\t{content}",
        text(path),
        stat.kind.letter(),
        rdev.major,
        rdev.minor,
        mtime.seconds,
        mtime.nanos,
    ))
}

pub(crate) fn text(raw: &[u8]) -> String {
    raw.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'\\' => text.push_str("\\x5c"),
            0x21..=0x7e => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
        text
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn digest(file: &Source) -> Result<String, FormatError> {
    let mut sha = Sha256::new();
    let size = file.size();
    let mut add = |offset: u64, length: u64| {
        let bytes = block::read_vec(file, "file", offset, usize::try_from(length).unwrap())?;
        sha.update(&bytes);
        Ok::<_, FormatError>(())
    };
    if size > WHOLE {
        // A hostile size has no end; an honest one has not so many samples.
        for at in (0..size).step_by(usize::try_from(STRIDE).unwrap()).take(1000) {
            add(at, SAMPLE.min(size - at))?;
        }
        add(size - SAMPLE, SAMPLE)?;
    } else {
        for at in (0..size).step_by(1 << 20) {
            add(at, (size - at).min(1 << 20))?;
        }
    }
    Ok(hex(&sha.finalize()))
}

fn unpacked(path: &Path) -> Vec<u8> {
    let packed = read(path).unwrap();
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

pub(crate) fn open(source: Source) -> Result<Opened, FormatError> {
    fs::open(&source).unwrap_or_else(|| Err(FormatError::unsupported("no file system")))
}

/// An image and the further volumes of its file system: `NAME.img.2` and so on beside `NAME.img`.
fn volumes(image: &Path) -> Vec<Source> {
    let further = (2..).map(|n| PathBuf::from(format!("{}.{n}", image.display())));
    let paths = std::iter::once(image.to_owned()).chain(further.take_while(|path| path.exists()));
    paths.map(|path| block::open(&path).unwrap()).collect()
}

/// Compares an image with the kernel's listing of it; the differences, a line each.
pub(crate) fn differences(name: &str, source: Source, listing: &str) -> Vec<String> {
    compare(name, &[source], listing)
}

/// The same for a file system of several volumes.
pub(crate) fn compare(name: &str, volumes: &[Source], listing: &str) -> Vec<String> {
    let opened = fs::open_set(volumes).unwrap_or_else(|| Err(FormatError::unsupported("no file system")));
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return vec![format!("{name}: {}", error.detail())],
    };
    let mut differences: Vec<String> = Vec::new();
    if name.starts_with("unreplayed-") {
        let codes: Vec<Code> = opened.notes.iter().map(FormatError::code).collect();
        let named = codes == [Code::JournalNotReplayed];
        return if named { Vec::new() } else { vec![format!("{name}: notes {codes:?}")] };
    }
    let in_use: Vec<Code> = opened.notes.iter().map(FormatError::code).collect();
    // Copied while it was mounted: that is told, and nothing else.
    let told = if name.contains("ntfs") { Code::JournalNotReplayed } else { Code::DirtyImage };
    if !name.starts_with("in-use-") || in_use != [told] {
        differences.extend(opened.notes.iter().map(|note| format!("{name}: note: {}", note.detail())));
        differences.extend(name.starts_with("in-use-").then(|| format!("{name}: notes {in_use:?}")));
    }
    let tree = walk(&*opened.fs, usize::MAX);
    // Of a volume that was in use, what the kernel cannot read either.
    let unreadable = listing.lines().filter(|line| line.starts_with("# unreadable: ")).count();
    let refused = |error: &&FormatError| unreadable > 0 && error.detail().ends_with("it is not in use");
    let refusals = tree.errors.iter().filter(refused).count();
    differences
        .extend((refusals < unreadable).then(|| format!("{name}: {refusals} of {unreadable} refused")));
    let errors = tree.errors.iter().filter(|error| !refused(error));
    differences.extend(errors.map(|error| format!("{name}: {}", error.detail())));
    let approximate = listing.starts_with("# approximate");
    // The kernel replays fast commits as changes of directories that it makes now.
    let fast = name.starts_with("dirty-fast-commit");
    let times = listing.starts_with("# approximate, times too");
    let dir_times = listing.starts_with("# approximate, directories' times too");
    let comparable = |line: &str| comparable(line, approximate, times, fast || dir_times);
    let ours = tree.lines.into_values().filter_map(|line| comparable(&line));
    let theirs = listing.lines().filter(|line| !line.starts_with('#'));
    let theirs = theirs.filter_map(comparable);
    let mut both: BTreeMap<String, i32> = BTreeMap::new();
    ours.for_each(|line| *both.entry(line).or_default() += 1);
    theirs.for_each(|line| *both.entry(line).or_default() -= 1);
    for (line, count) in both.into_iter().filter(|(_, count)| *count != 0) {
        let side = if count > 0 { "ours" } else { "kernel" };
        differences.push(format!("{name}: {side}: {}", line.chars().take(400).collect::<String>()));
    }
    differences
}

/// A line as it is compared. A tree that mkfs copied has its own sizes and links of directories and its own root; one that mkfs.xfs
/// copied has its own times, and links to one file are files of their own, without extended attributes.
fn comparable(line: &str, approximate: bool, times: bool, fast: bool) -> Option<String> {
    let mut fields: Vec<&str> = line.split('\t').collect();
    if approximate && (fields[0] == "/" || fields[0] == "/lost+found") {
        return None;
    }
    if approximate && fields[1] == "d" {
        fields[5] = "*";
        fields[6] = "*";
    }
    if times {
        fields[6] = "*";
        fields[8] = "*";
        fields[9] = "*";
    }
    if fast && fields[1] == "d" {
        fields[5] = "*";
        fields[8] = "*";
    }
    Some(fields.join("\t"))
}

pub(crate) fn assert_same(differences: &[String]) {
    let shown = differences.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
}

fn named(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    paths.sort();
    paths
}

/// The images that a script made, in the folder that the environment's `variable` names, equal their listings.
pub(crate) fn check_matrix(variable: &str, at_least: usize) {
    let lists = named(&crate::shared::directory(variable), ".tsv");
    assert!(lists.len() >= at_least, "{} images", lists.len());
    let (mut all, mut files, mut differ) = (Vec::new(), 0, 0);
    for list in &lists {
        let volumes = volumes(&list.with_extension("img"));
        let name = list.file_stem().unwrap().to_str().unwrap();
        let listing = read_to_string(list).unwrap();
        let found = compare(name, &volumes, &listing);
        files += listing.lines().filter(|line| !line.starts_with('#')).count();
        differ += found.len();
        all.extend(found.into_iter().take(10));
    }
    let format = variable.trim_start_matches("ICECORE_").to_lowercase();
    judged::tell(&format, &[(lists.len(), "images"), (files, "files")], differ);
    assert_same(&all);
}

/// A small image: its name, its bytes, the kernel's listing of it.
type Image = (String, Vec<u8>, String);

/// The images of `disk-fixtures/FOLDER`, unpacked once.
pub(crate) fn small(folder: &str) -> Arc<Vec<Image>> {
    static UNPACKED: Mutex<BTreeMap<String, Arc<Vec<Image>>>> = Mutex::new(BTreeMap::new());
    let mut folders = UNPACKED.lock().unwrap();
    let images = folders.entry(folder.to_owned()).or_insert_with(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures").join(folder);
        let images = named(&dir, ".img.zst").into_iter().map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".img.zst").to_owned();
            let listing = unpacked(&dir.join(format!("{name}.tsv.zst")));
            (name, unpacked(&path), String::from_utf8(listing).unwrap())
        });
        Arc::new(images.collect())
    });
    Arc::clone(images)
}

/// One of them.
pub(crate) fn image(folder: &str, name: &str) -> (Vec<u8>, String) {
    let images = small(folder);
    let (_, bytes, listing) = images.iter().find(|(small, ..)| small == name).expect(name);
    (bytes.clone(), listing.clone())
}

/// They equal their listings.
pub(crate) fn check_small(folder: &str, at_least: usize) {
    let images = small(folder);
    assert!(images.len() >= at_least, "{} images", images.len());
    for (name, bytes, listing) in &*images {
        assert_same(&differences(name, Arc::new(Memory::new(bytes.clone())), listing));
    }
}

/// That every image of a folder tells when its end (of so many parts the last) was cut off, and no whole one does.
pub(crate) fn check_cut(folder: &str, parts: usize) {
    for (name, bytes, _) in small(folder).iter() {
        // Some need what lies at their end to be opened at all.
        let is_whole = |bytes: &[u8]| {
            let opened = open(Arc::new(Memory::new(bytes.to_vec())));
            opened.is_ok_and(|opened| opened.notes.iter().all(|note| note.code() != Code::Truncated))
        };
        let cut = bytes.len() - bytes.len() / parts;
        assert!(is_whole(bytes), "{name}");
        assert!(!is_whole(&bytes[..cut]), "{name} cut at {cut}");
    }
}

/// Names and extended attributes that are listed are found one by one, and no others.
pub(crate) fn check_look_up(folder: &str) {
    for (name, bytes, _) in &*small(folder) {
        let fs = open(Arc::new(Memory::new(bytes.clone()))).unwrap().fs;
        let mut todo = vec![fs.root()];
        let mut found = 0;
        while let Some(dir) = todo.pop() {
            assert_eq!(fs.lookup(dir, b"not there").unwrap(), None, "{name}");
            for entry in fs.read_dir(dir).unwrap().entries {
                assert_eq!(fs.lookup(dir, &entry.name).unwrap(), Some(entry.ino), "{name}");
                for xattr in fs.xattrs(entry.ino).unwrap() {
                    assert_eq!(fs.xattr(entry.ino, &xattr.name).unwrap(), Some(xattr.value), "{name}");
                }
                assert_eq!(fs.xattr(entry.ino, b"user.none").unwrap(), None, "{name}");
                found += 1;
                if entry.kind == FileKind::Directory {
                    todo.push(entry.ino);
                }
            }
        }
        assert!(found > 70, "{name}: {found}");
    }
}

/// A change of an image: where, as a number that is reduced to a byte in use; to which value; over how many bytes.
pub(crate) type Change = (usize, u8, usize);

/// Some changes.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec((any::<usize>(), any::<u8>(), 1usize..9), 1..30)
}

/// A changed image of a folder is opened and walked in bounded time, whatever it then shows.
pub(crate) fn check_mutation(folder: &str, which: usize, changes: &[Change]) {
    let images = small(folder);
    let mut bytes = images[which % images.len()].1.clone();
    // Metadata is where the image is not blank.
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    for (at, value, length) in changes {
        bytes.iter_mut().skip(used[at % used.len()]).take(*length).for_each(|byte| *byte = *value);
    }
    let started = Instant::now();
    if let Ok(opened) = open(Arc::new(Memory::new(bytes))) {
        walk(&*opened.fs, 5000);
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// The files of one folder of the shared corpus, by path.
pub(crate) fn corpus(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let packed = std::fs::File::open(crate::shared::path("data/corpus/corpus.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(packed).unwrap());
    let mut images = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if path.split('/').next() == Some(folder) && entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            images.insert(path, bytes);
        }
    }
    images
}

/// A file of the corpus, unpacked.
pub(crate) fn decoded(path: &str, packed: &[u8]) -> Option<Vec<u8>> {
    const BOUND: u64 = 1 << 30;
    let mut bytes = Vec::new();
    match path.rsplit_once('.').unwrap().1 {
        "zst" => zstd::Decoder::new(packed).unwrap().take(BOUND).read_to_end(&mut bytes).unwrap(),
        "gz" => flate2::read::MultiGzDecoder::new(packed).take(BOUND).read_to_end(&mut bytes).unwrap(),
        "bin" => return Some(packed.to_vec()),
        // No bzip2 among the dependencies.
        _ => return None,
    };
    Some(bytes)
}

/// What came of a folder of damaged images.
pub(crate) struct Survived {
    pub(crate) opened: usize,
    pub(crate) files: usize,
    pub(crate) errors: usize,
}

/// That a whole image of the corpus reads as the corpus says; how many files and links that are.
pub(crate) fn check_expected(folder: &str, name: &str) -> usize {
    let (images, rows) = (corpus(folder), crate::shared::table("data/corpus/expected.tsv"));
    let image = open(Arc::new(Memory::new(decoded(name, &images[name]).unwrap()))).unwrap();
    let tree = walk(&*image.fs, usize::MAX);
    assert!(image.notes.is_empty() && tree.errors.is_empty(), "{:?} {:?}", image.notes, tree.errors);
    let fields = tree.lines.values().map(|line| line.split('\t').collect::<Vec<_>>());
    let ours: BTreeMap<&str, (&str, &str)> = fields
        .filter_map(|fields| match fields[1] {
            "-" => Some((fields[0], (fields[5], fields[10]))),
            "l" => Some((fields[0], ("link", fields[10]))),
            _ => None,
        })
        .collect();
    let expected = rows.iter().filter(|row| row[0] == name);
    let expected: BTreeMap<&str, (&str, &str)> =
        expected.map(|row| (row[1].as_str(), (row[2].as_str(), row[3].as_str()))).collect();
    assert_eq!(ours, expected, "{name}");
    expected.len()
}

/// Opens and walks every image of a folder of the shared corpus, each in bounded time.
pub(crate) fn survive_corpus(folder: &str) -> Survived {
    let mut all = Survived { opened: 0, files: 0, errors: 0 };
    for (path, packed) in corpus(folder) {
        let Some(bytes) = decoded(&path, &packed) else { continue };
        let started = Instant::now();
        if let Ok(image) = open(Arc::new(Memory::new(bytes))) {
            let tree = walk(&*image.fs, 20_000);
            all.opened += 1;
            all.files += tree.lines.len();
            all.errors += tree.errors.len() + image.notes.len();
        }
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{path} took {took:?}");
    }
    eprintln!("{} opened, {} files, {} errors and notes", all.opened, all.files, all.errors);
    all
}
