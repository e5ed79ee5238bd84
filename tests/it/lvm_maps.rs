//! The maps of thin pools and caches, each chunk of them, against what `thin_dump` and `cache_dump` say
//! (`scripts/make-thin.py`). `$ICECORE_DM` is a directory of such metadata; small ones are fixtures, one written by a kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    block::{ReadAt, Source},
    gap::Code,
    volume::{self, Assembled},
};

use crate::judged;

const CHUNK: u64 = 65_536;
/// Where the first extent lies.
const START: u64 = 1 << 20;

fn directory() -> PathBuf {
    let fixtures = || Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/dm");
    std::env::var_os("ICECORE_DM").map_or_else(fixtures, PathBuf::from)
}

fn file(name: &str) -> Vec<u8> {
    zstd::decode_all(&*std::fs::read(directory().join(format!("{name}.zst"))).unwrap()).unwrap()
}

/// The names of what the directory has of a kind.
fn names(prefix: &[&str]) -> Vec<String> {
    let names = std::fs::read_dir(directory()).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".img.zst")?.to_owned();
        prefix.iter().any(|prefix| name.starts_with(prefix)).then_some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A physical volume: LVM2's text, then metadata, then extents that hold their number from one on, again and again.
struct Disk {
    head: Vec<u8>,
    metadata: Vec<u8>,
}

impl ReadAt for Disk {
    fn size(&self) -> u64 {
        1 << 60
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let behind = START + u64::try_from(self.metadata.len()).unwrap();
        for (byte, at) in buf.iter_mut().zip(offset..) {
            let index = |from| usize::try_from(at - from).unwrap();
            *byte = match at {
                _ if at < START => self.head.get(index(0)).copied().unwrap_or(0),
                _ if at < behind => self.metadata[index(START)],
                _ => ((at - behind) / CHUNK + 1).to_le_bytes()[index(behind) % 8],
            };
        }
        Ok(())
    }
}

/// lvm2's checksum.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new_with_initial(!0xf597_a6cf);
    hasher.update(bytes);
    (!hasher.finalize()).to_le_bytes()
}

/// Label, metadata area and text of a group of one physical volume.
fn head(volumes: &str) -> Vec<u8> {
    let text = format!(
        "vg {{ id=\"g\" seqno=1 extent_size=128 physical_volumes {{ pv0 {{ id=\"{}\" pe_start=2048 pe_count={} }} \
         pv1 {{ id=\"away\" device=\"/dev/sdz\" pe_start=2048 pe_count=8192 }} }} \
         logical_volumes {{ {volumes} }} }}\n\0",
        "p".repeat(32),
        1u64 << 40
    );
    let mut bytes = vec![0; 1 << 20];
    let mut put = |at: usize, with: &[u8]| bytes[at..at + with.len()].copy_from_slice(with);
    let areas = [0u64, 0, 4096, START - 4096, 0, 0].map(u64::to_le_bytes).concat();
    let label = [&32u32.to_le_bytes()[..], b"LVM2 001", "p".repeat(32).as_bytes(), &[0; 8], &areas].concat();
    let mut sector = [&label[..], &vec![0; 492 - label.len()]].concat();
    put(512, &[b"LABELONE", &1u64.to_le_bytes()[..], &crc(&sector), &sector].concat());
    let numbers =
        [4096, START - 4096, 512, u64::try_from(text.len()).unwrap()].map(u64::to_le_bytes).concat();
    sector = [b" LVM2 x[5A%r0N*>", &1u32.to_le_bytes()[..], &numbers, &crc(text.as_bytes())].concat();
    sector.resize(508, 0);
    put(4096, &[&crc(&sector)[..], &sector].concat());
    put(4608, text.as_bytes());
    bytes
}

pub(crate) fn assemble(metadata: Vec<u8>, volumes: &str) -> Assembled {
    let source: Source = Arc::new(Disk { head: head(volumes), metadata });
    volume::assemble(volume::volumes(&source, 0).unwrap().volumes)
}

fn plain(name: &str, first: u64, count: u64) -> String {
    format!(
        "{name} {{ status=[\"READ\"] segment1 {{ start_extent=0 extent_count={count} type=\"striped\" stripes=[\"pv0\", {first}] }} }} "
    )
}

fn visible(name: &str, count: u64, segment: &str) -> String {
    format!("{name} {{ status=[\"VISIBLE\"] segment1 {{ start_extent=0 extent_count={count} {segment} }} }} ")
}

/// The number that a chunk shows, read somewhere in it.
fn number(source: &Source, chunk: u64) -> Result<u64, String> {
    let mut bytes = [0; 8];
    let inside = chunk * 7919 % (CHUNK / 8) * 8;
    source.read_at(&mut bytes, chunk * CHUNK + inside).map_err(|error| error.to_string())?;
    Ok(u64::from_le_bytes(bytes))
}

/// A pool's devices with their runs of chunks: first, in the data, how many.
type Devices = BTreeMap<u64, Vec<[u64; 3]>>;

fn devices(name: &str) -> Devices {
    let mut devices = Devices::new();
    for line in String::from_utf8(file(&format!("{name}.tsv"))).unwrap().lines() {
        match line.split('\t').map(|word| word.parse().unwrap()).collect::<Vec<u64>>()[..] {
            [device] => _ = devices.insert(device, Vec::new()),
            [device, first, data, count] => devices.get_mut(&device).unwrap().push([first, data, count]),
            _ => panic!("{line}"),
        }
    }
    devices
}

fn pool(metadata: &[u8], devices: &Devices) -> Assembled {
    let extents = u64::try_from(metadata.len()).unwrap() / CHUNK;
    let mut text = plain("meta", 0, extents) + &plain("data", extents, 1 << 30);
    let transaction = u64::from_le_bytes(metadata[48..56].try_into().unwrap());
    let segment = format!("type=\"thin-pool\" metadata=\"meta\" pool=\"data\" transaction_id={transaction}");
    text += &visible("pool", 1 << 30, &segment);
    for (device, runs) in devices {
        let count = runs.last().map_or(9, |[first, _, count]| first + count + 9);
        let segment = format!("type=\"thin\" thin_pool=\"pool\" device_id={device}");
        text += &visible(&format!("t{device}"), count, &segment);
    }
    assemble(metadata.to_vec(), &text)
}

/// Chunks that were compared, those that are not mapped among them; a chunk may fail if `spare` says so.
fn compare(all: &Assembled, devices: &Devices, mut spare: impl FnMut(&str) -> bool) -> (u64, u64) {
    let (mut same, mut failed) = (0, 0);
    for (device, runs) in devices {
        let id = format!("vg/t{device}");
        let Some(volume) = all.volumes.iter().find(|volume| volume.id == id) else {
            let note = all.notes.iter().find(|(noted, _)| *noted == id).unwrap();
            assert!(spare(&note.1.detail()), "{id}: {}", note.1.detail());
            continue;
        };
        let mut check = |chunk: u64, expected: u64| match number(&volume.source, chunk) {
            Ok(found) => {
                assert_eq!(found, expected, "{id} chunk {chunk}");
                same += 1;
            }
            Err(error) => {
                assert!(spare(&error), "{id} chunk {chunk}: {error}");
                failed += 1;
            }
        };
        let starts: BTreeSet<u64> = runs.iter().map(|[first, ..]| *first).collect();
        let mut end = 0;
        for [first, data, count] in runs {
            if *first > end {
                check(end, 0);
                check(first - 1, 0);
            }
            (0..*count).for_each(|chunk| check(first + chunk, data + chunk + 1));
            end = first + count;
        }
        assert!(!starts.contains(&end));
        check(end, 0);
    }
    (same, failed)
}

#[test]
fn every_chunk_of_a_thin_volume_is_where_thin_dump_says() {
    let (mut images, mut chunks) = (0, 0);
    for name in names(&["thin", "tree"]) {
        let devices = devices(&name);
        let all = pool(&file(&format!("{name}.img")), &devices);
        assert!(all.notes.is_empty(), "{name}: {:?}", all.notes);
        assert_eq!(all.volumes.len(), devices.len(), "{name}: {:?}", all.notes);
        let (same, _) = compare(&all, &devices, |_| false);
        assert!(same > 3000, "{name}: {same} chunks of {} devices", devices.len());
        images += 1;
        chunks += usize::try_from(same).unwrap();
    }
    judged::tell("thin pools", &[(images, "images"), (chunks, "chunks")], 0);
}

#[test]
fn a_damaged_node_costs_its_range_and_nothing_is_wrong() {
    let devices = devices("thin-small");
    let sound = file("thin-small.img");
    let (whole, _) = compare(&pool(&sound, &devices), &devices, |_| false);
    let mut hurt = 0;
    for block in 0..sound.len() / 4096 {
        if sound[block * 4096..][..4096].iter().all(|byte| *byte == 0) {
            continue;
        }
        for at in [5, 8, 21, 40, 2100] {
            let mut metadata = sound.clone();
            metadata[block * 4096 + at] ^= 1;
            let all = pool(&metadata, &devices);
            let place = format!("at offset {:#x}: checksum", block * 4096);
            let (same, failed) = compare(&all, &devices, |error| error.contains(&place));
            hurt += u32::from(failed > 0 && same > whole / 4);
        }
    }
    // Leaves, of which each costs a part.
    assert!(hurt > 30, "{hurt}");
}

#[test]
fn every_block_behind_a_cache_is_read_where_it_counts() {
    let (mut images, mut compared) = (0, 0);
    for name in names(&["cache"]) {
        let metadata = file(&format!("{name}.img"));
        let extents = u64::try_from(metadata.len()).unwrap() / CHUNK;
        // As the superblock says.
        let blocks = u64::from(u32::from_le_bytes(metadata[240..244].try_into().unwrap()));
        let is_clean = metadata[4] & 1 == 1;
        assert_eq!(is_clean, !name.ends_with("used"));
        let mut cached = BTreeMap::new();
        for line in String::from_utf8(file(&format!("{name}.tsv"))).unwrap().lines() {
            let [block, origin, _dirty] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            cached.insert(origin.parse::<u64>().unwrap(), block.parse::<u64>().unwrap());
        }
        let size = blocks * 10;
        let mode = |mode: &str| {
            let parts = plain("meta", 0, extents)
                + &plain("data", extents, blocks)
                + &plain("slow", extents + blocks, size)
                + &visible(
                    "pool",
                    blocks,
                    &format!("type=\"cache-pool\" data=\"data\" metadata=\"meta\" cache_mode=\"{mode}\""),
                )
                + &visible("fast", size, "type=\"cache\" cache_pool=\"pool\" origin=\"slow\"");
            assemble(metadata.clone(), &parts)
        };
        for (mode, counts) in
            [(mode("writeback"), true), (mode("writethrough"), true), (mode("passthrough"), false)]
        {
            let [volume] = &mode.volumes[..] else { panic!("{:?}", mode.notes) };
            let mut moved = 0;
            for block in 0..size {
                let expected = match cached.get(&block) {
                    // Also of a clean block the kernel reads the cache's copy.
                    Some(place) if counts => place + 1,
                    _ => blocks + block + 1,
                };
                moved += u64::from(expected <= blocks);
                assert_eq!(number(&volume.source, block), Ok(expected), "{name} {block}");
            }
            assert_eq!(moved > 0, counts, "{name}: {size} blocks, {moved} of them in the cache");
            compared += usize::try_from(size).unwrap();
        }
        images += 1;
    }
    judged::tell("caches", &[(images, "images"), (compared, "blocks")], 0);
}

#[test]
fn a_pool_without_a_disk_loses_the_chunks_on_it() {
    let devices = devices("thin-small");
    let metadata = file("thin-small.img");
    let extents = u64::try_from(metadata.len()).unwrap() / CHUNK;
    let there = 1 << 19;
    let text = plain("meta", 0, extents)
        + &format!(
            "data {{ status=[\"READ\"] \
             segment1 {{ start_extent=0 extent_count={there} type=\"striped\" stripes=[\"pv0\", {extents}] }} \
             segment2 {{ start_extent={there} extent_count=8192 type=\"striped\" stripes=[\"pv1\", 0] }} \
             segment3 {{ start_extent={} extent_count={there} type=\"striped\" stripes=[\"pv0\", {}] }} }} ",
            there + 8192,
            extents + there + 8192
        )
        + &visible("pool", 1 << 20, "type=\"thin-pool\" metadata=\"meta\" pool=\"data\" transaction_id=7")
        + &visible("t0", 1 << 17, "type=\"thin\" thin_pool=\"pool\" device_id=0");
    let all = assemble(metadata, &text);
    let [(id, note)] = &all.notes[..] else { panic!("{:?}", all.notes) };
    assert_eq!((id.as_str(), note.code()), ("vg/t0", Code::MissingDisk));
    let only = Devices::from([(0, devices[&0].clone())]);
    let (same, failed) = compare(&all, &only, |error| error.contains("/dev/sdz"));
    let lost = devices[&0].iter().flat_map(|[_, data, count]| *data..data + count);
    let lost = lost.filter(|chunk| (there..there + 8192).contains(chunk)).count();
    assert_eq!(failed, u64::try_from(lost).unwrap());
    assert!(failed > 0 && same > 1000, "{failed} {same}");
}

#[test]
fn what_is_not_read_is_named_and_the_rest_is_read() {
    let metadata = || file("thin-small.img");
    let raid = |kind: &str, legs: &str| visible("v", 4, &format!("type=\"{kind}\" stripe_size=8 {legs}"));
    let pool = plain("meta", 0, 32)
        + &plain("data", 32, 1 << 20)
        + &visible("pool", 1 << 20, "type=\"thin-pool\" metadata=\"meta\" pool=\"data\" transaction_id=7");
    let thin = |device: u64| format!("type=\"thin\" thin_pool=\"pool\" device_id={device}");
    for (text, code, words) in [
        (visible("v", 4, "type=\"vdo\" vdo_pool=\"x\""), Code::UnsupportedVolume, "type vdo"),
        (
            raid("raid5_ls", "raid0_lvs=[\"leg\", \"leg\", \"leg\"]")
                + "leg { segment1 { start_extent=0 extent_count=2 type=\"integrity\" } }",
            Code::UnsupportedVolume,
            "type integrity",
        ),
        (
            visible("v", 4, "type=\"striped\" stripes=[\"pv0\", 0]")
                + &visible("snapshot0", 4, "type=\"snapshot\" merging_store=\"s\" origin=\"v\" chunk_size=8"),
            Code::UnsupportedVolume,
            "being merged",
        ),
        (
            visible("v", 4, "type=\"cache\" cache_pool=\"c\" origin=\"v\""),
            Code::LimitReached,
            "nested deeper",
        ),
        (
            visible("v", 4, "type=\"raid6\" raids=[]"),
            Code::UnsupportedVolume,
            "raid6 with values that are not understood",
        ),
        (raid("raid5_ls", "raid0_lvs=[\"pv0\"]"), Code::CorruptStructure, "1 legs"),
        (pool.clone() + &visible("v", 4, &thin(3)), Code::CorruptStructure, "the pool has no device 3"),
        (
            pool.clone() + &visible("t", 4, &thin(0)) + &raid("raid0", "raid0_lvs=[\"t\", \"t\"]"),
            Code::UnsupportedFeature,
            "thin volume that other volumes are made of",
        ),
        (
            pool.replace("id=7", "id=8") + &visible("v", 4, &thin(0)),
            Code::CorruptStructure,
            "is at transaction 7, its group at 8",
        ),
    ] {
        let all =
            assemble(metadata(), &(text + &plain("hidden", 0, 1) + &visible("other", 4, "type=\"zero\"")));
        let [(id, note)] = &all.notes[..] else { panic!("{words}: {:?}", all.notes) };
        assert_eq!((id.as_str(), note.code()), ("vg/v", code), "{}", note.detail());
        assert!(note.detail().contains(words), "{}", note.detail());
        let seen: Vec<&str> = all.volumes.iter().map(|volume| volume.id.as_str()).collect();
        assert!(seen.contains(&"vg/other") && !seen.contains(&"vg/hidden"), "{seen:?}");
        assert_eq!(seen.contains(&"vg/v"), words.contains("transaction"), "{seen:?}");
    }
}

#[test]
fn superblocks_with_what_is_not_known_are_refused_by_name() {
    // Where, and what there is then: the checksum is made anew.
    let refused = |name: &str, salt: u32, at: usize, volumes: &dyn Fn(u64) -> String| {
        let mut metadata = file(name);
        metadata[at] ^= 0x10;
        let sum = !crc32c::crc32c(&metadata[4..4096]) ^ salt;
        metadata[..4].copy_from_slice(&sum.to_le_bytes());
        let extents = u64::try_from(metadata.len()).unwrap() / CHUNK;
        let all = assemble(
            metadata,
            &(plain("meta", 0, extents) + &plain("data", extents, 1 << 20) + &volumes(extents)),
        );
        assert!(all.volumes.is_empty());
        all.notes.iter().map(|(_, note)| note.detail()).collect::<Vec<_>>().join("; ")
    };
    let thin = |_| {
        visible("pool", 9, "type=\"thin-pool\" metadata=\"meta\" pool=\"data\" transaction_id=7")
            + &visible("v", 9, "type=\"thin\" thin_pool=\"pool\" device_id=0")
    };
    for (at, words) in [
        (4, "thin pool with flags 0x10"),
        (8, "says that it is block 16"),
        (32, "magic"),
        (40, "thin pool of version 17"),
        (336, "chunks of"),
        (340, "blocks of metadata of"),
        (352, "thin pool with compatible features 0x10"),
        (356, "thin pool with read-only compatible features 0x10"),
        (360, "thin pool with incompatible features 0x10"),
    ] {
        let said = refused("thin-small.img", 160_774, at, &thin);
        assert!(said.contains(words), "{at}: {said}");
    }
    let cache = |_| {
        visible("pool", 9, "type=\"cache-pool\" metadata=\"meta\" data=\"data\" cache_mode=\"writeback\"")
            + &visible("v", 9, "type=\"cache\" cache_pool=\"pool\" origin=\"data\"")
    };
    for (at, words) in [
        (4, "dm-cache with flags 0x10"),
        (32, "magic"),
        (40, "dm-cache of version 18"),
        (232, "blocks of"),
        (243, "more than 4194304"),
        (244, "dm-cache with compatible features 0x10"),
        (252, "dm-cache with incompatible features 0x10"),
    ] {
        let said = refused("cache-2.img", 9_031_977, at, &cache);
        assert!(said.contains(words), "{at}: {said}");
    }
}
