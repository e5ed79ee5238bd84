//! ext2, ext3 and ext4 against the kernel's own listings and a corpus of damaged images.

mod corpus;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{read, read_dir, read_to_string},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    FormatError,
    block::{
        self, Memory, ReadAt, Source,
        fault::{Fault, Faulty, When},
    },
    fs::{self, FileKind, FileSystem, Ino, Opened, Stat},
    gap::Code,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// The samples of `make-ext4.sh`, by which the content of a large file is known.
const SAMPLE: u64 = 64 << 10;
const STRIDE: u64 = 16 << 20;
const WHOLE: u64 = 64 << 20;

/// A tree as `make-ext4.sh` lists it: a line for each path.
#[derive(Default)]
struct Tree {
    lines: BTreeMap<String, String>,
    errors: Vec<FormatError>,
}

/// Walks a file system level by level; what cannot be read is in `errors`, never silently missing.
fn walk(fs: &dyn FileSystem, bound: usize) -> Tree {
    let mut tree = Tree::default();
    let mut level = vec![(Vec::new(), fs.root())];
    tree.add(fs, b"/", fs.root(), None);
    let mut seen = std::collections::HashSet::from([fs.root()]);
    while !level.is_empty() && tree.lines.len() < bound {
        let dirs: Vec<Ino> = level.iter().map(|(_, ino)| *ino).collect();
        let mut next = Vec::new();
        for ((path, ino), listing) in level.into_iter().zip(fs.read_dirs(&dirs)) {
            let listing = match listing {
                Ok(listing) => listing,
                Err(error) => {
                    tree.errors.push(error);
                    continue;
                }
            };
            let _ = ino;
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

fn text(raw: &[u8]) -> String {
    raw.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'\\' => text.push_str("\\x5c"),
            0x21..=0x7e => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
        text
    })
}

fn hex(bytes: &[u8]) -> String {
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

fn open(source: Source) -> Result<Opened, FormatError> {
    fs::open(&source).unwrap_or_else(|| Err(FormatError::unsupported("no file system")))
}

/// Compares an image with the kernel's listing of it; the differences, a line each.
fn differences(name: &str, source: Source, listing: &str) -> Vec<String> {
    let opened = match open(source) {
        Ok(opened) => opened,
        Err(error) => return vec![format!("{name}: {}", error.detail())],
    };
    let mut differences: Vec<String> = Vec::new();
    if name.starts_with("unreplayed-") {
        let codes: Vec<Code> = opened.notes.iter().map(FormatError::code).collect();
        let named = codes == [Code::JournalNotReplayed];
        return if named { Vec::new() } else { vec![format!("{name}: notes {codes:?}")] };
    }
    differences.extend(opened.notes.iter().map(|note| format!("{name}: note: {}", note.detail())));
    let tree = walk(&*opened.fs, usize::MAX);
    differences.extend(tree.errors.iter().map(|error| format!("{name}: {}", error.detail())));
    let approximate = listing.starts_with("# approximate");
    // The kernel replays fast commits as changes of directories that it makes now.
    let fast = name.starts_with("dirty-fast-commit");
    let comparable = |line: &str| comparable(line, approximate, fast);
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

/// A line as it is compared. A tree that mke2fs copied has its own sizes of directories and its own root.
fn comparable(line: &str, approximate: bool, fast: bool) -> Option<String> {
    let mut fields: Vec<&str> = line.split('\t').collect();
    if approximate && (fields[0] == "/" || fields[0] == "/lost+found") {
        return None;
    }
    if approximate && fields[1] == "d" {
        fields[5] = "*";
    }
    if fast && fields[1] == "d" {
        fields[5] = "*";
        fields[8] = "*";
    }
    Some(fields.join("\t"))
}

fn assert_same(differences: &[String]) {
    let shown = differences.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
}

fn named(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    paths.sort();
    paths
}

/// The images that `scripts/make-ext4.sh` made, in the folder that `ICECORE_EXT4` names.
#[test]
fn images_read_as_the_kernel_shows_them() {
    let Some(dir) = std::env::var_os("ICECORE_EXT4") else {
        eprintln!("skipped: ICECORE_EXT4 is not set");
        return;
    };
    let lists = named(Path::new(&dir), ".tsv");
    assert!(lists.len() > 25, "{} images", lists.len());
    let mut all = Vec::new();
    for list in lists {
        let source = block::open(&list.with_extension("img")).unwrap();
        let name = list.file_stem().unwrap().to_str().unwrap();
        all.extend(differences(name, source, &read_to_string(&list).unwrap()).into_iter().take(10));
    }
    assert_same(&all);
}

fn small() -> Vec<(String, Vec<u8>, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/ext4");
    named(&dir, ".img.zst")
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".img.zst").to_owned();
            let listing = unpacked(&dir.join(format!("{name}.tsv.zst")));
            (name, unpacked(&path), String::from_utf8(listing).unwrap())
        })
        .collect()
}

#[test]
fn small_images_read_as_the_kernel_shows_them() {
    let images = small();
    assert!(images.len() >= 6, "{}", images.len());
    for (name, bytes, listing) in images {
        assert_same(&differences(&name, Arc::new(Memory::new(bytes)), &listing));
    }
}

fn image(name: &str) -> (Vec<u8>, String) {
    let found = small().into_iter().find(|(small, ..)| small == name);
    found.map(|(_, bytes, listing)| (bytes, listing)).expect(name)
}

#[test]
fn every_name_is_found_by_look_up() {
    for (name, bytes, _) in small() {
        let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
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

#[test]
fn without_its_journal_a_dirty_image_is_another_tree() {
    let (mut bytes, listing) = image("ext3-dirty");
    // s_feature_incompat; ext3 has no checksum on it.
    assert_eq!(bytes[1024 + 0x60] & 4, 4, "needs_recovery");
    bytes[1024 + 0x60] &= !4;
    assert!(!differences("ext3-dirty", Arc::new(Memory::new(bytes)), &listing).is_empty());
}

#[test]
fn a_feature_that_is_not_read_is_refused_by_name() {
    let (mut bytes, _) = image("ext2-1k");
    bytes[1024 + 0x61] |= 0x10;
    let Err(error) = open(Arc::new(Memory::new(bytes))) else { panic!("opened") };
    assert_eq!(error.code(), Code::UnsupportedFeature);
    assert_eq!(error.detail(), "ext4 feature dirdata");
}

#[test]
fn a_block_that_a_directory_has_many_times_is_listed_once() {
    let (mut bytes, listing) = image("ext2-1k");
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let inode_size = word(&bytes, 1024 + 0x58) & 0xffff;
    let root = word(&bytes, 2048 + 8) * 1024 + inode_size;
    let block: [u8; 4] = bytes[root + 0x28..root + 0x2c].try_into().unwrap();
    bytes[root + 4..root + 8].copy_from_slice(&(12 * 1024u32).to_le_bytes());
    (0..12).for_each(|n| bytes[root + 0x28 + 4 * n..root + 0x2c + 4 * n].copy_from_slice(&block));
    let fs = open(Arc::new(Memory::new(bytes))).unwrap().fs;
    let root = fs.read_dir(fs.root()).unwrap();
    let names = listing.lines().filter(|line| line.split('\t').next().unwrap().matches('/').count() == 1);
    assert_eq!(root.entries.len(), names.count() - 1, "all of the root but itself");
    assert_eq!(root.damage.len(), 11);
    assert!(root.damage[0].detail().contains("belongs to a directory twice"), "{:?}", root.damage);
}

#[test]
fn a_wiped_superblock_is_replaced_by_its_copy() {
    let (mut bytes, listing) = image("ext4-1k");
    bytes[1024..2048].fill(0);
    let differences = differences("ext4-1k", Arc::new(Memory::new(bytes)), &listing);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("the copy in group 1 is used"), "{differences:?}");
}

#[test]
fn wiped_descriptors_are_replaced_by_their_copies() {
    let (mut bytes, listing) = image("ext4-1k");
    bytes[2048..3072].fill(0);
    let differences = differences("ext4-1k", Arc::new(Memory::new(bytes)), &listing);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("2 damaged, 0 without a sound backup copy"), "{differences:?}");
}

/// Every read fails once, in turn: what is shown is true, and what is missing is told.
#[test]
fn a_failed_read_loses_only_what_it_hit() {
    for (name, bytes, _) in small() {
        let source: Source = Arc::new(Memory::new(bytes));
        let counted = Arc::new(Faulty::new(Arc::clone(&source), Fault::Error, When::Nth(u64::MAX)));
        let whole = walk(&*open(Arc::clone(&counted) as Source).unwrap().fs, usize::MAX);
        let reads = counted.reads();
        assert!(reads > 10, "{name}: {reads}");
        let mut lost_much = 0;
        for n in 0..reads {
            for fault in [Fault::Error, Fault::Short] {
                let faulty = Faulty::new(Arc::clone(&source), fault, When::Nth(n));
                let Ok(opened) = open(Arc::new(faulty)) else {
                    lost_much += 1;
                    continue;
                };
                let tree = walk(&*opened.fs, usize::MAX);
                let told = !tree.errors.is_empty() || !opened.notes.is_empty();
                if opened.notes.iter().any(|note| note.code() == Code::JournalNotReplayed) {
                    lost_much += 1;
                    continue;
                }
                for (path, line) in &tree.lines {
                    assert_eq!(whole.lines.get(path), Some(line), "{name}: read {n}");
                }
                assert!(told || tree.lines.len() == whole.lines.len(), "{name}: read {n} is silently lost");
                lost_much += u64::from(tree.lines.len() + 20 < whole.lines.len());
            }
        }
        // What a journal cannot give back may be much.
        let clean = !name.contains("dirty");
        assert!(!clean || lost_much < reads, "{name}: {lost_much} of {reads} reads lose more than 20 files");
    }
}

/// With metadata checksums a flipped bit of metadata is never believed; data has no checksum.
#[test]
fn a_flipped_bit_of_metadata_is_noticed() {
    let attributes = |line: &str| line.rsplit_once('\t').unwrap().0.to_owned();
    for name in ["ext4-1k", "ext4-4k-inline", "ext4-bigalloc", "ext4-64k"] {
        let source: Source = Arc::new(Memory::new(image(name).0));
        let counted = Arc::new(Faulty::new(Arc::clone(&source), Fault::Error, When::Nth(u64::MAX)));
        let whole = walk(&*open(Arc::clone(&counted) as Source).unwrap().fs, usize::MAX);
        for n in 0..counted.reads() {
            let Ok(opened) = open(Arc::new(Faulty::new(Arc::clone(&source), Fault::Flip, When::Nth(n))))
            else {
                continue;
            };
            let tree = walk(&*opened.fs, usize::MAX);
            for (path, line) in &tree.lines {
                let truth = whole.lines.get(path).map(|line| attributes(line));
                assert_eq!(truth, Some(attributes(line)), "{name}: read {n}");
            }
            let told = !tree.errors.is_empty() || !opened.notes.is_empty();
            assert!(told || tree.lines.len() == whole.lines.len(), "{name}: read {n} is silently lost");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_mutation_panics_or_hangs(
        which in 0usize..8,
        changes in proptest::collection::vec((0usize..1 << 20, any::<u8>(), 1usize..9), 1..30),
    ) {
        let images = &*SMALL;
        let (_, bytes, _) = &images[which % images.len()];
        // Metadata is where the image is not blank.
        let used: Vec<usize> = (1024..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let mut bytes = bytes.clone();
        for (at, value, length) in changes {
            let at = used[at % used.len()];
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = value);
        }
        let started = Instant::now();
        if let Ok(opened) = open(Arc::new(Memory::new(bytes))) {
            walk(&*opened.fs, 5000);
        }
        prop_assert!(started.elapsed() < Duration::from_secs(20));
    }
}

static SMALL: std::sync::LazyLock<Vec<(String, Vec<u8>, String)>> = std::sync::LazyLock::new(small);
