//! ext2, ext3 and ext4 against the kernel's own listings and a corpus of damaged images.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{read, read_dir, read_to_string},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    FormatError,
    block::{self, Memory, ReadAt, Source},
    fs::{self, FileKind, FileSystem, Ino, Opened, Stat},
    gap::Code,
};
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
    let mut xattrs: Vec<String> =
        fs.xattrs(ino)?.iter().map(|xattr| format!("{}={}", text(&xattr.name), hex(&xattr.value))).collect();
    xattrs.sort();
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
    if name == "dirty-fast-commit" {
        let codes: Vec<Code> = opened.notes.iter().map(FormatError::code).collect();
        let named = codes == [Code::JournalNotReplayed];
        return if named { Vec::new() } else { vec![format!("{name}: notes {codes:?}")] };
    }
    differences.extend(opened.notes.iter().map(|note| format!("{name}: note: {}", note.detail())));
    let tree = walk(&*opened.fs, usize::MAX);
    differences.extend(tree.errors.iter().map(|error| format!("{name}: {}", error.detail())));
    let approximate = listing.starts_with("# approximate");
    let ours = tree.lines.into_values().filter_map(|line| comparable(&line, approximate));
    let theirs = listing.lines().filter(|line| !line.starts_with('#'));
    let theirs = theirs.filter_map(|line| comparable(line, approximate));
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
fn comparable(line: &str, approximate: bool) -> Option<String> {
    let mut fields: Vec<&str> = line.split('\t').collect();
    if approximate && (fields[0] == "/" || fields[0] == "/lost+found") {
        return None;
    }
    if approximate && fields[1] == "d" {
        fields[5] = "*";
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
