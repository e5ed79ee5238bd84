//! MD arrays whose reshape is not finished, against what was written to them and what the kernel that began it reads
//! (`scripts/make-md-kernel.sh`). `$ICECORE_MD_RESHAPE` is a directory of all variants; a few are fixtures.

use super::*;

struct Halfway {
    name: String,
    count: usize,
    /// The array's bytes halfway, and what was written to it.
    written: Vec<u8>,
    members: Vec<Vec<u8>>,
}

/// The line of the guest's text that is sector number `number`.
fn line(name: &str, number: usize) -> String {
    format!("{:<511}\n", format!("{name} {number}"))
}

fn all_halfway() -> Vec<Halfway> {
    let dir =
        std::env::var_os("ICECORE_MD_RESHAPE").map_or_else(|| fixtures().join("reshape"), PathBuf::from);
    let table = std::fs::read_to_string(dir.join("reshape.tsv")).unwrap();
    let of = |row: &str| {
        let [name, count, _, first, _, half, wrote, seen] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let (first, half): (usize, usize) = (first.parse().unwrap(), half.parse().unwrap());
        let mut written: Vec<u8> =
            (1..=first / 512).flat_map(|number| line(name, number).into_bytes()).collect();
        written.resize(half, 0);
        assert_eq!(sum(&written), wrote, "{name}: the text is the guest's");
        assert!([wrote, "ended", "lost"].contains(&seen), "{name}: the kernel reads what was written");
        // What has come to its end may have grown since.
        written.truncate(first);
        let count = count.parse().unwrap();
        let member = |number| {
            zstd::decode_all(&*std::fs::read(dir.join(format!("{name}.{number}.img.zst"))).unwrap()).unwrap()
        };
        Halfway { name: name.to_owned(), count, written, members: (0..count).map(member).collect() }
    };
    // The kernel itself loses what that holds.
    let is_read = |row: &&str| !row.starts_with("r10-offset\t");
    table.lines().filter(is_read).map(of).collect()
}

fn halfway(name: &str) -> Halfway {
    all_halfway().into_iter().find(|one| one.name == name).unwrap()
}

/// How many bytes are what was written; what fails must be told to.
fn agreed(one: &Halfway, source: &Source, lost: &[usize]) -> usize {
    let mut read = 0;
    for (number, page) in one.written.chunks(4096).enumerate() {
        let at = u64::try_from(number * 4096).unwrap();
        match block::read_vec(source, "volume", at, page.len()) {
            Ok(bytes) => {
                assert!(bytes == page, "{} without {lost:?} at {at:#x}", one.name);
                read += page.len();
            }
            Err(error) => assert!(error.detail().contains(&format!("md/{}", &one.id())), "{error:?}"),
        }
    }
    read
}

impl Halfway {
    /// What the array's id has behind `md/`.
    fn id(&self) -> &str {
        if self.name.contains("-old") { "9" } else { &self.name }
    }

    /// The range that is told to be lost, in bytes.
    fn lost(&self, all: &Assembled) -> std::ops::Range<usize> {
        let told =
            all.notes.iter().map(|(_, note)| note.detail()).find(|told| told.contains("being reshaped"));
        let Some(told) = told else { return 0..0 };
        let words: Vec<usize> = told
            .split_whitespace()
            .filter_map(|word| usize::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            .collect();
        assert!(told.starts_with("bytes 0x") && told.contains("which only a backup file may hold"), "{told}");
        words[0]..words[1]
    }
}

#[test]
fn an_array_in_two_shapes_is_what_was_written_to_it() {
    for one in all_halfway() {
        let mut members = one.members.clone();
        for _ in 0..2 {
            let all = without(&members, &[]);
            let array = only(&all);
            let lost = one.lost(&all);
            assert_eq!(codes(&all).len(), usize::from(!lost.is_empty()), "{} {:?}", one.name, all.notes);
            assert_eq!(array.id, format!("md/{}", one.id()));
            assert_eq!(array.source.size(), u64::try_from(one.written.len()).unwrap(), "{}", one.name);
            assert_eq!(agreed(&one, &array.source, &[]), one.written.len() - lost.len(), "{}", one.name);
            assert_eq!(all.members.len(), one.count, "{}", one.name);
            members.reverse();
        }
    }
}

#[test]
fn what_only_a_backup_may_hold_is_named_with_its_range() {
    for one in all_halfway() {
        let all = without(&one.members, &[]);
        let lost = one.lost(&all);
        // Those that have no room before their data are the only ones that need a backup.
        let may = ["-old", "-10", "shrink"].iter().any(|part| one.name.contains(part));
        assert!(may || lost.is_empty(), "{} {lost:?}", one.name);
        if lost.is_empty() {
            continue;
        }
        let source = &only(&all).source;
        for (at, is_lost) in [(lost.start, true), (lost.end - 1, true), (lost.end, false)] {
            if at < one.written.len() {
                let read = block::read_vec(source, "volume", u64::try_from(at).unwrap(), 1);
                assert_eq!(read.is_err(), is_lost, "{} {at:#x}", one.name);
            }
        }
        assert!(codes(&all).contains(&(&*format!("md/{}", one.id()), Code::UnsupportedFeature)));
    }
}

#[test]
fn without_a_member_both_shapes_are_computed() {
    let mut whole = 0;
    for one in all_halfway() {
        for lost in 0..one.count {
            let all = without(&one.members, &[lost]);
            assert!(codes(&all).iter().any(|(_, code)| *code == Code::MissingDisk), "{} {lost}", one.name);
            let Some(array) = all.volumes.first() else {
                panic!("{} without {lost}: {:?}", one.name, all.notes)
            };
            let range = one.lost(&all).len();
            let read = agreed(&one, &array.source, &[lost]);
            // A RAID 0 has no parity, and of one that becomes a RAID 6 the new member is no loss.
            if !one.name.starts_with("r0") {
                assert_eq!(read, one.written.len() - range, "{} without {lost}", one.name);
                whole += 1;
            }
        }
    }
    assert!(whole >= 10, "{whole}");
}

#[test]
fn reads_across_the_shapes_agree() {
    for one in all_halfway() {
        let all = without(&one.members, &[]);
        let (source, lost) = (&only(&all).source, one.lost(&all));
        source.will_need(0, u64::MAX);
        for number in 0..200usize {
            let at = number * 7919 * 13 % one.written.len();
            let length = (number * 911 % 90_000 + 1).min(one.written.len() - at);
            let read = block::read_vec(source, "volume", u64::try_from(at).unwrap(), length);
            let hits = at < lost.end && at + length > lost.start;
            match read {
                Ok(bytes) => {
                    assert!(!hits && bytes == one.written[at..at + length], "{} {at} {length}", one.name)
                }
                Err(error) => assert!(hits, "{} {at} {length} {error:?}", one.name),
            }
        }
    }
}

/// Changes 32-bit words of the superblocks of metadata 1.2 of all members.
fn changed(members: &[Vec<u8>], words: &[(usize, u32)]) -> Vec<Vec<u8>> {
    let mut members = members.to_vec();
    for member in &mut members {
        for (at, word) in words {
            member[4096 + at..4100 + at].copy_from_slice(&word.to_le_bytes());
        }
        summed(&mut member[4096..8192]);
    }
    members
}

#[test]
fn reshapes_that_make_no_sense_are_refused_by_name() {
    let one = halfway("r5-grow");
    for (words, what) in [
        // Feature bits, new level, position, members that are added, new layout, new chunk.
        (&[(8, 32 | 64)][..], "MD feature_map bits 0x60 of a reshape that is not active"),
        (&[(104, u32::MAX)], "reshaped to byte"),
        (&[(108, u32::MAX)], "reshape position of"),
        (&[(104, 769)], "at byte 0x60200"),
        (&[(112, 4)], "0 parts"),
        (&[(112, 5)], "4 members, of which 5 were added"),
        (&[(116, 7)], "RAID 5 of layout 7"),
        (&[(120, 0)], "chunks of 0 bytes"),
        (&[(120, 33)], "chunks of 16896 bytes"),
        (&[(100, 6)], "reshaped from level 5 to 6"),
        (&[(72, 10), (100, 10), (76, 0x102), (116, 0x10201)], "reshaped from layout 0x102 to 0x10201"),
        (&[(72, 10), (100, 10), (76, 0x102), (116, 0x102), (124, 0)], "whose data moves by 0 bytes only"),
        (&[(72, 1), (100, 1)], "MD array of level 1 that is being reshaped"),
    ] {
        let all = without(&changed(&one.members, words), &[]);
        let told = all.notes.iter().map(|(_, note)| note.detail()).collect::<Vec<_>>();
        assert!(told.iter().any(|told| told.contains(what)), "{words:?} {told:?}");
        assert!(all.volumes.iter().all(|volume| volume.id != "md/r5-grow"), "{words:?}");
    }
}
