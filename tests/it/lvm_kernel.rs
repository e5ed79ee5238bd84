//! LVM2 volumes that a kernel's device mapper made and wrote (`scripts/make-lvm-kernel.sh`), against what that kernel
//! read: thin volumes, snapshots, caches, RAID, mirrors. `$ICECORE_LVM` is a directory of such disks; some are fixtures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    block::{self, Memory, Source},
    gap::Code,
    volume::{self, Assembled},
};
use sha2::{Digest, Sha256};

use crate::judged;

fn directory() -> PathBuf {
    let fixtures = || Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/lvm");
    std::env::var_os("ICECORE_LVM").map_or_else(fixtures, PathBuf::from)
}

fn disk(name: &str) -> Vec<u8> {
    zstd::decode_all(&*std::fs::read(directory().join(format!("{name}.img.zst"))).unwrap()).unwrap()
}

/// The five disks of a set.
fn set(name: &str) -> Vec<Vec<u8>> {
    (0..5).map(|number| disk(&format!("{name}.{number}"))).collect()
}

fn assemble(disks: impl IntoIterator<Item = Vec<u8>>) -> Assembled {
    let volumes = disks.into_iter().enumerate().flat_map(|(number, bytes)| {
        let source: Source = Arc::new(Memory::new(bytes));
        volume::volumes(&source, number).unwrap().volumes
    });
    volume::assemble(volumes.collect())
}

type Found = BTreeMap<String, Result<(u64, String), String>>;

/// Bytes and SHA-256 of each volume, as the kernel saw it.
fn truth(name: &str) -> Found {
    let text = std::fs::read_to_string(directory().join(format!("{name}.tsv"))).unwrap();
    let lines = text.lines().map(|line| {
        let [name, size, sum] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (name.to_owned(), Ok((size.parse().unwrap(), sum.to_owned())))
    });
    lines.collect()
}

/// The same as it is read, in pieces that begin and end anywhere.
fn read(source: &Source) -> Result<(u64, String), String> {
    let mut hasher = Sha256::new();
    let (size, mut at) = (source.size(), 0);
    source.will_need(0, size);
    while at < size {
        let length = (size - at).min(1_000_003);
        let bytes = block::read_vec(source, "volume", at, usize::try_from(length).unwrap());
        hasher.update(bytes.map_err(|error| error.detail())?);
        at += length;
    }
    Ok((size, hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn found(all: &Assembled) -> Found {
    all.volumes.iter().map(|volume| (volume.id.clone(), read(&volume.source))).collect()
}

fn notes(all: &Assembled) -> Vec<(&str, Code, String)> {
    all.notes.iter().map(|(id, note)| (id.as_str(), note.code(), note.detail())).collect()
}

#[test]
fn thin_volumes_and_snapshots_are_what_the_kernel_read() {
    let all = assemble([disk("thin")]);
    assert_eq!(notes(&all), []);
    assert_eq!(found(&all), truth("thin"));
}

#[test]
fn caches_are_what_the_kernel_read_in_use_and_after() {
    for name in ["cache-live", "cache"] {
        let all = assemble([disk(name)]);
        assert_eq!(notes(&all), [], "{name}");
        assert_eq!(found(&all), truth("cache"), "{name}");
    }
}

/// Mirrors from before there was RAID. The first leg holds everything, the others do so where the log says it.
#[test]
fn mirrors_are_what_the_kernel_read_and_what_may_be_older_is_told() {
    let disks = set("mirror");
    let truth = truth("mirror");
    let without = |away: &[usize]| {
        let given = disks.iter().enumerate().filter(|(number, _)| !away.contains(number));
        assemble(given.map(|(_, bytes)| bytes.clone()))
    };
    const IN_MEMORY: &str = "its log was in memory only";
    for (away, told) in [
        (&[][..], &[][..]),
        (&[0], &[("core", IN_MEMORY), ("striped", IN_MEMORY)]),
        (&[1], &[("striped", IN_MEMORY)]),
        (&[2], &[]),
        (&[4], &[]),
        (&[2, 4], &[]),
        (
            &[0, 3],
            &[
                ("core", IN_MEMORY),
                ("striped", IN_MEMORY),
                ("three", "its log cannot be read: physical volume"),
            ],
        ),
    ] {
        let all = without(away);
        let mut found = found(&all);
        let mut expected = truth.clone();
        if away.contains(&3) {
            // Below.
            found.remove("vgo/late");
            expected.remove("vgo/late");
        }
        assert_eq!(found, expected, "{away:?}");
        let notes = notes(&all);
        let stale: Vec<_> = notes.iter().filter(|(_, code, _)| *code == Code::DirtyImage).collect();
        let stale: Vec<_> = stale.into_iter().filter(|(id, ..)| *id != "vgo/late").collect();
        assert_eq!(stale.len(), told.len(), "{away:?}: {notes:?}");
        for ((id, _, note), (name, why)) in stale.iter().zip(told) {
            assert!(*id == format!("vgo/{name}") && note.contains(why), "{away:?}: {id} {note}");
        }
        assert!(away.contains(&3) || notes.len() == told.len(), "{away:?}: {notes:?}");
    }
    // Of one that was never in use nothing was copied to the second leg.
    let all = without(&[3]);
    let [(id, Code::DirtyImage, ref note)] = notes(&all)[..] else { panic!("{:?}", notes(&all)) };
    assert!(id == "vgo/late" && note.ends_with("its log names 6 regions in which they differ"), "{note}");
    assert_ne!(found(&all)["vgo/late"], truth["vgo/late"]);
    // Without any leg.
    let all = without(&[0, 1]);
    let missing: Vec<_> = notes(&all).into_iter().filter(|(_, code, _)| *code == Code::MissingDisk).collect();
    let missing: Vec<_> = missing.iter().map(|(id, ..)| *id).collect();
    assert_eq!(missing, ["vgo/core", "vgo/core", "vgo/logged", "vgo/logged"]);
    let found = found(&all);
    assert!(found["vgo/core"].is_err() && found["vgo/logged"].is_err());
    assert_eq!(found["vgo/three"], truth["vgo/three"]);
}

#[test]
fn raid_of_every_layout_is_what_the_kernel_read() {
    let disks = set("raid");
    let all = assemble(disks.clone());
    assert_eq!(notes(&all), []);
    assert_eq!(found(&all), truth("raid"));
    assert_eq!(truth("raid").len(), 18);
    let all = assemble(disks.into_iter().rev());
    assert_eq!(found(&all), truth("raid"));
}

#[test]
fn every_set_of_the_directory_is_what_the_kernel_read() {
    let names = std::fs::read_dir(directory()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter_map(|name| name.strip_suffix(".tsv").map(str::to_owned)).collect();
    let (mut sets, mut volumes) = (0, 0);
    for name in names.iter().filter(|name| !["truth", "pvck"].contains(&name.as_str())) {
        let numbers = (0..).map(|number| format!("{name}.{number}"));
        let numbers = numbers.take_while(|disk| directory().join(format!("{disk}.img.zst")).exists());
        let disks: Vec<_> = numbers.map(|name| disk(&name)).collect();
        let all = assemble(if disks.is_empty() { vec![disk(name)] } else { disks });
        let (found, truth) = (found(&all), truth(name));
        assert_eq!(found, truth, "{name}: {:?}", notes(&all));
        sets += 1;
        volumes += truth.len();
    }
    judged::tell("lvm", &[(sets, "sets of disks"), (volumes, "volumes")], 0);
}

/// How many legs a volume of the set has, and how many of them may be lost.
fn legs(name: &str) -> (usize, usize) {
    match &name["vgr/".len()..] {
        name if name.starts_with("r0") => (3, 0),
        "r1" => (3, 2),
        name if name.starts_with("r6") => (5, 2),
        "r10" => (4, 1),
        _ => (4, 1),
    }
}

#[test]
fn without_disks_all_is_read_that_the_layout_allows() {
    let (disks, truth) = (set("raid"), truth("raid"));
    let mut compared = 0;
    for lost in (0..5).flat_map(|one| (one..5).map(move |two| [one, two])) {
        let given = disks.iter().enumerate().filter(|(number, _)| !lost.contains(number));
        let all = assemble(given.map(|(_, bytes)| bytes.clone()));
        // The arrays were stopped, so that parity is that of the data.
        assert!(all.notes.iter().all(|(_, note)| note.code() == Code::MissingDisk), "{:?}", all.notes);
        let found = found(&all);
        for (name, expected) in &truth {
            // Legs are on the first disks.
            let (count, spare) = legs(name);
            let mut gone: Vec<usize> = lost.iter().copied().filter(|number| *number < count).collect();
            gone.dedup();
            let pairs = name == "vgr/r10" && gone.len() == 2 && gone[0] / 2 != gone[1] / 2;
            let noted = all.notes.iter().any(|(id, note)| id == name && note.code() == Code::MissingDisk);
            if gone.len() <= spare || pairs {
                assert_eq!(&found[name], expected, "{name} {lost:?}");
                assert!(!noted, "{name} {lost:?}");
                compared += 1;
            } else {
                assert!(found[name].is_err() && noted, "{name} {lost:?}");
            }
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn a_disk_that_was_away_is_not_read() {
    for name in ["behind", "reshape"] {
        let all = assemble(set(name));
        let truth = truth(name);
        let found = found(&all);
        for (name, expected) in &truth {
            assert_eq!(&found[name], expected, "{name}");
        }
    }
    let all = assemble(set("behind"));
    for (id, note) in &all.notes {
        assert!(note.detail().contains("_rimage_1 is behind the others"), "{id}: {}", note.detail());
    }
    assert_eq!(all.notes.len(), truth("behind").len());
}
