//! Windows nodes: hives of the registry against what hivex lists of them, and the verdict by what they say.

use std::{
    collections::{BTreeSet, HashSet},
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    block::{Memory, Source},
    database::registry::{Hive, Key, Value},
    fs::Root,
    gap::Code,
    node::Machine,
    scan,
};
use proptest::prelude::*;

use crate::{
    shared,
    tree::{hex, open},
};

fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/windows");
    zstd::decode_all(&std::fs::read(path.join(format!("{name}.zst"))).unwrap()[..]).unwrap()
}

fn hive(bytes: Vec<u8>) -> Result<Hive, icecore::FormatError> {
    Hive::open(Arc::new(Memory::new(bytes)))
}

/// All keys and values, as `scripts/hive.py` lists them, and how many could not be read.
fn list(hive: &Hive, bound: usize) -> (BTreeSet<String>, usize) {
    let (mut lines, mut errors) = (BTreeSet::new(), 0);
    let mut todo: Vec<(String, Key)> = Vec::new();
    match hive.root() {
        Ok(root) => todo.push((String::new(), root)),
        Err(_) => errors += 1,
    }
    while let Some((path, key)) = todo.pop().filter(|_| lines.len() < bound) {
        match hive.values(&key) {
            Ok(values) => {
                let line = |one: &Value| format!("{path}\t{}\t{}\t{}", one.name, one.kind, hex(&one.data));
                lines.extend(values.list.iter().map(line));
                errors += values.damage.len();
            }
            Err(_) => errors += 1,
        }
        match hive.children(&key) {
            Ok(children) => {
                errors += children.damage.len();
                for child in children.list {
                    let path = format!("{path}\\{}", child.name);
                    lines.insert(format!("{path}\t\t\t"));
                    todo.push((path, child));
                }
            }
            Err(_) => errors += 1,
        }
    }
    (lines, errors)
}

#[test]
fn hives_read_as_hivex_lists_them() {
    for (name, at_least) in [("software", 17), ("system", 13), ("many", 500)] {
        let hive = hive(fixture(&format!("{name}.hiv"))).unwrap();
        assert!(hive.notes.is_empty());
        let truth = String::from_utf8(fixture(&format!("{name}.tsv"))).unwrap();
        let truth: BTreeSet<String> = truth.lines().map(str::to_owned).collect();
        assert!(truth.len() >= at_least, "{name}: {}", truth.len());
        assert_eq!(list(&hive, usize::MAX), (truth, 0), "{name}");
    }
}

#[test]
fn keys_and_values_are_found_in_any_case_of_their_letters() {
    let hive = hive(fixture("many.hiv")).unwrap();
    assert!(hive.key(&["LETTERS", "\u{c4}", "\u{20ac}"]).unwrap().is_some());
    assert!(hive.key(&["letters", "a"]).unwrap().is_none());
    let key = hive.key(&["Many"]).unwrap().unwrap();
    assert_eq!(hive.value(&key, "VALUE 007").unwrap().unwrap().data, [7; 7]);
    assert!(hive.value(&key, "value").unwrap().is_none());
}

#[test]
fn a_hive_that_was_in_use_is_told() {
    let mut bytes = fixture("software.hiv");
    // The first number is one more than the second; so is the checksum, which is an exclusive or.
    let (first, sum) = (u32::from(bytes[4]), u32::from_le_bytes(bytes[508..512].try_into().unwrap()));
    bytes[4] += 1;
    bytes[508..512].copy_from_slice(&(sum ^ first ^ (first + 1)).to_le_bytes());
    let hive = hive(bytes).unwrap();
    assert_eq!(hive.notes.iter().map(|note| note.code()).collect::<Vec<_>>(), [Code::JournalNotReplayed]);
}

#[test]
fn versions_that_are_not_known_are_refused_by_name() {
    for (at, value, what) in [
        (20, 2u32, "registry hive version 2.3"),
        (24, 2, "registry hive version 1.2"),
        (24, 7, "registry hive version 1.7"),
        (28, 1, "registry file of type 1, format 1"),
        (32, 0, "registry file of type 0, format 0"),
    ] {
        let mut bytes = fixture("software.hiv");
        let old = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let sum = u32::from_le_bytes(bytes[508..512].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes[508..512].copy_from_slice(&(sum ^ old ^ value).to_le_bytes());
        let Err(error) = hive(bytes) else { panic!("{what}") };
        assert_eq!((error.code(), error.detail()), (Code::UnsupportedFeature, what.to_owned()));
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn hives_of_the_corpus_are_survived() {
    let (mut seen, mut opened, mut values, mut errors) = (0, 0, 0, 0);
    shared::corpus(&["registry/"], |name, bytes| {
        let started = Instant::now();
        seen += 1;
        match hive(bytes) {
            Ok(hive) => {
                let (lines, lost) = list(&hive, 100_000);
                opened += 1;
                values += lines.len();
                errors += lost;
                let told = lost > 0 || !hive.notes.is_empty();
                let damaged = ["cell_size_0", "dirty_seq", "ri_self", "root_off_max", "root_subkey_self"];
                assert!(told || !damaged.iter().any(|one| name.contains(one)), "{name} is silently read");
            }
            Err(_) => errors += 1,
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
    });
    eprintln!("{seen} seen, {opened} opened, {values} keys and values, {errors} errors");
    assert!(seen > 110 && opened > 50 && values > 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_mutation_of_a_hive_panics_or_hangs(
        changes in proptest::collection::vec((512usize.., any::<u8>(), 1usize..5), 1..20),
    ) {
        let mut bytes = fixture("system.hiv");
        for (at, value, length) in changes {
            let at = 512 + at % (bytes.len() - 512);
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = value);
        }
        if let Ok(hive) = hive(bytes) {
            list(&hive, 10_000);
        }
    }
}

/// The machine that an image of a disk makes.
fn machine(bytes: &[u8]) -> (Machine, Vec<icecore::Gap>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let disks = vec![file.path().to_owned()];
    let node = scan::open(&scan::Inputs { disks, ..scan::Inputs::default() }).unwrap();
    (node.machine, node.gaps)
}

#[test]
fn a_windows_node_is_told_with_its_version() {
    let (machine, gaps) = machine(&fixture("windows.img"));
    let reasons: Vec<(Code, &str)> =
        machine.reasons.iter().map(|reason| (reason.code, reason.evidence.as_str())).collect();
    let evidence = "disk0 holds Windows/System32/config; its registry says Windows Server 2022 Datacenter, 21H2, \
                    10.0.20348.2340";
    assert_eq!(reasons, [(Code::WindowsNode, evidence)]);
    assert_eq!(machine.hostname.as_deref(), Some("AKSWIN000002"));
    let os = machine.os.unwrap();
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("windows", Some("10.0.20348.2340")));
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn a_windows_node_whose_registry_cannot_be_read_is_told_too() {
    let mut bytes = fixture("windows.img");
    let at = bytes.windows(4).position(|window| window == b"regf").unwrap();
    bytes[at + 100] ^= 1;
    let (machine, gaps) = machine(&bytes);
    assert_eq!(machine.reasons[0].code, Code::WindowsNode);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].path.as_deref().is_some_and(|path| path.starts_with("/Windows/System32/config/")));
}

/// A value of another type, or whose data is nowhere, is told by its name, and what the others say stays.
#[test]
fn a_value_that_is_not_what_it_should_be_is_told_and_loses_nothing_else() {
    let image = fixture("windows.img");
    let at = image.windows(11).position(|window| window == b"ProductName").unwrap() - 20;
    assert_eq!(image[at..at + 2], *b"vk");
    for (field, value, what) in [
        (12, 4u32, "ProductName is of type 4 and has 62 bytes"),
        (8, u32::MAX - 7, "registry cell at offset"),
        (4, 0x4000_0000, "registry value of 1073741824 bytes"),
    ] {
        let mut bytes = image.clone();
        bytes[at + field..at + field + 4].copy_from_slice(&value.to_le_bytes());
        let (machine, gaps) = machine(&bytes);
        let os = machine.os.unwrap();
        assert_eq!((os.name, os.version_id.as_deref()), (None, Some("10.0.20348.2340")), "{what}");
        assert_eq!(machine.hostname.as_deref(), Some("AKSWIN000002"));
        assert!(gaps.len() == 1 && gaps[0].detail.contains(what), "{gaps:?}");
        assert_eq!(gaps[0].path.as_deref(), Some("/Windows/System32/config/SOFTWARE"));
    }
}

#[test]
fn links_to_drives_lead_where_windows_goes_or_are_refused() {
    let fs = open(Arc::new(Memory::new(fixture("windows.img")))).unwrap().fs;
    let root = Root::new(Arc::clone(&fs));
    let link = |path: &str| {
        let found = root.find_no_follow(path.as_bytes()).unwrap().unwrap();
        fs.read_link(found.ino).map(|path| String::from_utf8(path).unwrap()).map_err(|error| error.detail())
    };
    assert_eq!(link("Documents and Settings").as_deref(), Ok("/Users"));
    assert_eq!(link("absolute").as_deref(), Ok("/Users/file"));
    assert_eq!(link("drive d").unwrap_err(), r"NTFS link to \??\D:\file, another volume's name");
    assert!(link("other volume").unwrap_err().contains("Volume{01234567"));
    let read = |path: &str| root.read(path.as_bytes(), "file").map_err(|error| error.detail());
    assert_eq!(read("documents AND settings/FILE"), Ok(Some(b"found\n".to_vec())));
    for (path, what) in [
        ("system compressed", "0x80000017, WOF (compressed by the system)"),
        ("cloud", "0x9000301a, CLOUD (kept in a cloud)"),
        ("unknown", "0x00001234, unknown"),
    ] {
        assert!(read(path).unwrap_err().contains(what), "{path}");
    }
}

/// Every read of a scan of a Windows node fails once: the verdict stays or what failed is told.
#[test]
fn a_failed_read_does_not_hide_windows_silently() {
    use icecore::block::fault::{Fault, Faulty, When};
    let image: Source = Arc::new(Memory::new(fixture("windows.img")));
    let counted = Arc::new(Faulty::new(Arc::clone(&image), Fault::Error, When::Nth(u64::MAX)));
    let machine = |source: Source| {
        let opened = open(source)?;
        let notes = opened.notes.len();
        let source: Source = Arc::new(Memory::default());
        let (names, parts) = (Vec::new(), Vec::new());
        let id = "disk0".to_owned();
        let volume = icecore::volume::Volume { id, disk: 0, start: 0, source, partition: None, names, parts };
        Ok::<_, icecore::FormatError>((
            icecore::node::assemble(&[icecore::node::NodeVolume { volume, opened }], &[]),
            notes,
        ))
    };
    let (whole, _) = machine(Arc::clone(&counted) as Source).unwrap();
    let mut outcomes = HashSet::new();
    for n in 0..counted.reads() {
        let faulty = Faulty::new(Arc::clone(&image), Fault::Error, When::Nth(n));
        let Ok((machine, notes)) = machine(Arc::new(faulty)) else { continue };
        let same = machine.reasons == whole.reasons && machine.hostname == whole.hostname;
        assert!(same || notes > 0 || !machine.gaps.is_empty(), "read {n}");
        outcomes.insert(same);
    }
    assert_eq!(outcomes.len(), 2);
}
