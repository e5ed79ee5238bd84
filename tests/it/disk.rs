//! Disk images of every kind against what qemu and others read of them (`scripts/make-disks.sh`).

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    block::{
        self, Memory, ReadAt, Source,
        fault::{Fault, Faulty, When},
    },
    disk::{self, Disk, Options, Sibling, Siblings},
    gap::Code,
    scan::{self, Inputs},
};
use sha2::{Digest, Sha256};

use crate::judged;

const MIB: u64 = 1 << 20;

/// What is in no format that another reader reads as it was written: compressed grains without markers that became larger.
const ALONE: [&str; 1] = ["unmarked-noise.vmdk"];

/// All files of one directory, by name.
struct Directory(PathBuf);

impl Siblings for Directory {
    fn open(&self, name: &str, _: Option<&Path>) -> io::Result<Sibling> {
        let place = self.0.join(Path::new(name).file_name().ok_or(io::ErrorKind::NotFound)?);
        Ok(Sibling { source: block::open(&place)?, place })
    }

    fn named(&self) -> io::Result<Vec<Sibling>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "vdi") {
                files.push(Sibling { source: block::open(&path)?, place: path });
            }
        }
        Ok(files)
    }
}

/// A line of truth.tsv.
struct Truth {
    name: String,
    options: HashMap<String, String>,
    size: u64,
    sums: Vec<String>,
    /// Who has read just that.
    judges: Vec<String>,
}

fn truths(dir: &Path) -> Vec<Truth> {
    let text = std::fs::read_to_string(dir.join("truth.tsv")).unwrap();
    let lines = text.lines().map(|line| {
        let [name, options, size, sums, judges] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let options = options.split(',').filter_map(|option| option.split_once('='));
        Truth {
            name: name.to_owned(),
            options: options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            size: size.parse().unwrap(),
            sums: sums.split(',').filter(|sum| !sum.is_empty()).map(str::to_owned).collect(),
            judges: judges.split(',').filter(|judge| *judge != "-").map(str::to_owned).collect(),
        }
    });
    lines.collect()
}

fn made() -> PathBuf {
    crate::shared::directory("ICECORE_DISKS")
}

fn open(dir: &Path, truth: &Truth) -> Disk {
    let siblings = Directory(dir.to_owned());
    let options =
        Options { siblings: &siblings, snapshot: truth.options.get("snapshot").map(String::as_str) };
    let source = block::open(&dir.join(&truth.name)).unwrap();
    disk::open(source, None, &options).unwrap_or_else(|error| panic!("{}: {}", truth.name, error.detail()))
}

/// The format of a disk by its name, as qemu calls it.
fn format(name: &str) -> &str {
    match name.rsplit('.').next().unwrap() {
        "vhd" => "vpc",
        other => other,
    }
}

fn read(source: &dyn ReadAt, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut buf = vec![0xa5; usize::try_from(length).unwrap()];
    source.read_at(&mut buf, offset).map(|()| buf)
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Reads of all sizes at pseudo-random places equal the same bytes of `whole`.
fn random_reads(name: &str, source: &dyn ReadAt, whole: &[u8], seed: u64) {
    let mut state = seed | 1;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below.max(1)
    };
    for _ in 0..300 {
        let limit = [1, 16, 512, 4096, 70_000, 300_000][usize::try_from(random(6)).unwrap()];
        let offset = random(whole.len() as u64);
        let length = (1 + random(limit)).min(whole.len() as u64 - offset);
        let (start, end) = (usize::try_from(offset).unwrap(), usize::try_from(offset + length).unwrap());
        source.will_need(offset, length);
        let bytes = read(source, offset, length).unwrap();
        assert!(bytes == whole[start..end], "{name}: {length} bytes at {offset:#x}");
    }
}

fn check(dir: &Path, truth: &Truth) {
    let disk = open(dir, truth);
    assert_eq!((disk.format, disk.source.size()), (format(&truth.name), truth.size), "{}", truth.name);
    let notes: Vec<&str> = disk.notes.iter().map(|note| note.code().text()).collect();
    assert_eq!(notes, Vec::from_iter(truth.options.get("note")), "{}", truth.name);
    if let Some(numbers) = truth.options.get("mib") {
        assert_eq!(numbers.split(':').count(), truth.sums.len(), "{}", truth.name);
        for (number, expected) in numbers.split(':').zip(&truth.sums) {
            let start = number.parse::<u64>().unwrap() * MIB;
            disk.source.will_need(start, MIB);
            let bytes = read(&disk.source, start, MIB.min(truth.size - start)).unwrap();
            assert_eq!(&sum(&bytes), expected, "{}: MiB {number}", truth.name);
        }
        return;
    }
    // Random reads first: the sequential ones would hide a cache that is never filled.
    let fresh = open(dir, truth);
    let mut whole = Vec::new();
    for (number, expected) in (0..).zip(&truth.sums) {
        let length = MIB.min(truth.size - number * MIB);
        let bytes = read(&disk.source, number * MIB, length).unwrap();
        assert_eq!(&sum(&bytes), expected, "{}: MiB {number}", truth.name);
        whole.extend(bytes);
    }
    assert_eq!(whole.len() as u64, truth.size, "{}", truth.name);
    random_reads(&truth.name, &fresh.source, &whole, truth.size);
    random_reads(&truth.name, &disk.source, &whole, truth.size + 2);
    assert!(read(&disk.source, truth.size, 1).is_err(), "{}: past the end", truth.name);
}

#[test]
#[ignore = "needs $ICECORE_DISKS, made by scripts/make-disks.sh"]
fn every_byte_of_every_disk_is_what_others_read() {
    let dir = made();
    let truths = truths(&dir);
    assert!(truths.len() >= 100, "{} disks", truths.len());
    // The images of each format, the MiB of them that were compared, and how many of them who has read.
    let mut formats: BTreeMap<&str, (usize, usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for truth in truths.iter().filter(|truth| !truth.options.contains_key("cut")) {
        check(&dir, truth);
        assert!(!truth.judges.is_empty() || ALONE.contains(&&*truth.name), "{}: by nobody", truth.name);
        let (images, mebibytes, judges) = formats.entry(truth.name.rsplit('.').next().unwrap()).or_default();
        *images += 1;
        *mebibytes += truth.sums.len();
        truth.judges.iter().for_each(|judge| *judges.entry(judge).or_default() += 1);
    }
    for (format, (images, mebibytes, judges)) in formats {
        let mut compared = vec![(images, "images".to_owned()), (mebibytes, "MiB".to_owned())];
        compared.extend(judges.into_iter().map(|(judge, images)| (images, format!("read by {judge}"))));
        let compared: Vec<(usize, &str)> = compared.iter().map(|(count, what)| (*count, &**what)).collect();
        judged::tell(format, &compared, 0);
    }
}

#[test]
#[ignore = "needs $ICECORE_DISKS, made by scripts/make-disks.sh"]
fn a_cut_file_is_right_or_an_error() {
    let dir = made();
    let truths = truths(&dir);
    let whole = std::fs::read(dir.join("base.raw")).unwrap();
    for truth in truths.iter().filter(|truth| truth.options.contains_key("cut")) {
        let disk = open(&dir, truth);
        let (mut right, mut wrong) = (0, 0);
        for (expected, at) in whole.chunks(512).zip((0..).step_by(512)) {
            match read(&disk.source, at, expected.len() as u64) {
                Ok(bytes) => {
                    assert!(bytes == expected, "{}: {at:#x}", truth.name);
                    right += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{}: {error}", truth.name);
                    wrong += 1;
                }
            }
        }
        assert!(right > 1000 && wrong > 0, "{}: {right} right, {wrong} errors", truth.name);
    }
}

/// The small disks of the repository, unpacked.
fn fixtures() -> tempfile::TempDir {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/disk");
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(packed).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let (name, bytes) = match path.extension().is_some_and(|e| e == "zst") {
            true => (path.file_stem().unwrap(), zstd::decode_all(&*bytes).unwrap()),
            false => (path.file_name().unwrap(), bytes),
        };
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn the_small_disks_are_what_others_read() {
    let dir = fixtures();
    let truths = truths(dir.path());
    assert_eq!(truths.len(), 17);
    for truth in &truths {
        assert!(!truth.judges.is_empty(), "{}: by nobody", truth.name);
        check(dir.path(), truth);
    }
}

#[test]
fn a_failing_read_is_an_error_or_changes_nothing() {
    let dir = fixtures();
    for truth in truths(dir.path()) {
        let whole = read(&open(dir.path(), &truth).source, 0, truth.size).unwrap();
        let file = block::open(&dir.path().join(&truth.name)).unwrap();
        let siblings = Directory(dir.path().to_owned());
        let snapshot = truth.options.get("snapshot").map(String::as_str);
        let mut errors = 0;
        for fault in [Fault::Error, Fault::Short] {
            for n in 0.. {
                let faulty = Arc::new(Faulty::new(Arc::clone(&file), fault, When::Nth(n)));
                let source: Source = faulty.clone();
                let options = Options { siblings: &siblings, snapshot };
                match disk::open(source, Some(format(&truth.name)), &options) {
                    Err(_) => errors += 1,
                    Ok(disk) => {
                        for (expected, at) in whole.chunks(5000).zip((0..).step_by(5000)) {
                            match read(&disk.source, at, expected.len() as u64) {
                                Ok(bytes) => assert!(bytes == expected, "{} {n} {at:#x}", truth.name),
                                Err(_) => errors += 1,
                            }
                        }
                    }
                }
                if faulty.reads() <= n {
                    break;
                }
            }
        }
        // A descriptor alone is read twice.
        assert!(errors > 3, "{}: {errors} errors", truth.name);
    }
}

/// Bytes of the small disks are changed where there are any; `$ICECORE_MUTATIONS` asks for more than a few.
#[test]
fn a_changed_disk_is_read_or_refused() {
    let count = std::env::var("ICECORE_MUTATIONS").map_or(60, |count| count.parse::<u64>().unwrap());
    let dir = fixtures();
    let siblings = Directory(dir.path().to_owned());
    let options = Options { siblings: &siblings, snapshot: None };
    let mut buf = vec![0; 1 << 20];
    for truth in truths(dir.path()) {
        let mut bytes = std::fs::read(dir.path().join(&truth.name)).unwrap();
        let used: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at / 512 * 512..][..16] != [0; 16]).collect();
        let mut state = truth.size | 1;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut opened = 0;
        for _ in 0..count {
            let changes: Vec<(usize, u8)> = (0..1 + random(4))
                .map(|_| {
                    let at = if random(4) == 0 { random(bytes.len()) } else { used[random(used.len())] };
                    (at, [0, 0xff, 1, 0x80, bytes[at] ^ 1 << random(8)][random(5)])
                })
                .collect();
            let before: Vec<u8> = changes.iter().map(|(at, _)| bytes[*at]).collect();
            changes.iter().for_each(|(at, value)| bytes[*at] = *value);
            let source: Source = Arc::new(Memory::new(bytes.clone()));
            let start = Instant::now();
            if let Ok(disk) = disk::open(source, Some(format(&truth.name)), &options) {
                opened += 1;
                let size = disk.source.size();
                for at in [0, 4095, size / 3, size.saturating_sub(1 << 20)] {
                    let length = usize::try_from(size.saturating_sub(at)).unwrap().min(buf.len());
                    disk.source.will_need(at, length as u64);
                    let _ = disk.source.read_at(&mut buf[..length], at);
                }
            }
            assert!(start.elapsed() < Duration::from_secs(5), "{}: {changes:?}", truth.name);
            changes.iter().zip(before).rev().for_each(|((at, _), before)| bytes[*at] = before);
        }
        assert!(opened > 0, "{}", truth.name);
    }
}

#[test]
fn what_an_image_refers_to_is_opened_only_if_it_was_named() {
    let dir = fixtures();
    let beside = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let needs = |inputs: &Inputs| {
        let node = scan::open(inputs).unwrap();
        let missing = node.gaps.iter().filter(|gap| gap.code == Code::BackingFileNotGiven);
        (missing.map(|gap| gap.detail.clone()).next(), node.disks[0].format.clone())
    };
    for (name, other, format) in [
        ("child.vhd", "dynamic.vhd", "vpc"),
        ("child.vhdx", "dynamic.vhdx", "vhdx"),
        ("delta.vmdk", "sparse.vmdk", "vmdk"),
        ("split.vmdk", "split-f001.vmdk", "vmdk"),
        ("over.qcow2", "zlib.qcow2", "qcow2"),
    ] {
        let alone = Inputs { disks: vec![at(name)], ..Inputs::default() };
        let (missing, unknown) = needs(&alone);
        assert!(missing.is_some_and(|detail| detail.contains(other)), "{name}");
        assert_eq!(unknown, "unknown", "{name}");
        assert_eq!(needs(&Inputs { siblings: true, ..alone.clone() }), (None, format.to_owned()), "{name}");
        // A name of another directory is enough; a directory without it is not.
        let named = beside.path().join(other);
        std::fs::copy(at(other), &named).unwrap();
        assert_eq!(
            needs(&Inputs { backing: vec![named], ..alone.clone() }),
            (None, format.to_owned()),
            "{name}"
        );
        let moved = beside.path().join("moved");
        std::fs::create_dir_all(&moved).unwrap();
        std::fs::copy(at(name), moved.join(name)).unwrap();
        let alone = Inputs { disks: vec![moved.join(name)], siblings: true, ..Inputs::default() };
        assert!(needs(&alone).0.is_some(), "{name}");
    }
}

#[test]
#[ignore = "needs $ICECORE_DISKS, made by scripts/make-disks.sh"]
fn threads_share_a_disk() {
    let dir = made();
    let others =
        ["streamOptimized.vmdk", "delta-2.vmdk", "child-1048576.vhd", "child-3.vhdx", "dirty-torn.vhdx"];
    let packed = |name: &str| name.starts_with('c') && name.contains("-z");
    for truth in truths(&dir).iter().filter(|t| packed(&t.name) || others.contains(&&*t.name)) {
        if truth.options.contains_key("cut") {
            continue;
        }
        let disk = open(&dir, truth);
        let whole = Arc::new(read(&open(&dir, truth).source, 0, truth.size).unwrap());
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (source, whole) = (Arc::clone(&disk.source), Arc::clone(&whole));
                scope.spawn(move || random_reads(&truth.name, &source, &whole, seed * 77));
            }
        });
    }
}
