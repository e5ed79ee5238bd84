//! MD arrays, volume groups and partitions on one another, and superblocks that were made to hurt.

use super::*;

/// A member of the fixture `node` by its number, as a list of changes to its superblock makes it: places and values of 1, 2, 4
/// or 8 bytes.
fn member(number: usize, changes: &[(usize, u64, usize)]) -> Vec<u8> {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    with(variant.members().swap_remove(number), changes)
}

fn with(mut member: Vec<u8>, changes: &[(usize, u64, usize)]) -> Vec<u8> {
    for (at, value, length) in changes {
        member[4096 + at..4096 + at + length].copy_from_slice(&value.to_le_bytes()[..*length]);
    }
    summed(&mut member[4096..8192]);
    member
}

/// A RAID 1 of one member around some bytes; `number` makes it another array.
fn around(number: u64, data: &[u8]) -> Vec<u8> {
    let sectors = u64::try_from(data.len() / 512).unwrap();
    let mut member = member(0, &[])[..64 * 512].to_vec();
    member = with(
        member,
        &[
            (16, number, 8),
            (32, 0, 8),
            (72, 1, 4),
            (76, 0, 4),
            (80, sectors, 8),
            (92, 1, 4),
            (128, 64, 8),
            (136, sectors, 8),
        ],
    );
    member.extend_from_slice(data);
    member
}

fn told(all: &Assembled) -> String {
    all.notes.iter().map(|(id, note)| format!("{id}: {}\n", note.detail())).collect()
}

/// The physical volumes of the fixture of LVM2.
fn physical() -> Vec<Vec<u8>> {
    let file = |number| fixtures().join(format!("../lvm/pv{number}.img.zst"));
    [1, 2, 3].map(|number| zstd::decode_all(&*std::fs::read(file(number)).unwrap()).unwrap()).into()
}

/// The disks after the first bytes of `vg-one/root` were written over, which begins with a superblock and is in one piece there.
fn logical_holding(data: &[u8], mut disks: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let all = assemble(disks.iter().map(|disk| memory(disk)).collect());
    let root = all.volumes.iter().find(|volume| volume.id == "vg-one/root").unwrap();
    let held = block::read_vec(&root.source, "volume", 0, 4096).unwrap();
    let find = |bytes: &Vec<u8>| bytes.chunks(4096).position(|page| page == held);
    let found = disks.iter().position(|bytes| find(bytes).is_some()).unwrap();
    let at = find(&disks[found]).unwrap() * 4096;
    disks[found][at..at + data.len()].copy_from_slice(data);
    disks
}

#[test]
fn arrays_on_arrays_are_put_together_up_to_a_depth() {
    let inner = b"what lies innermost".repeat(1000)[..16_384].to_vec();
    let mut disk = inner.clone();
    for depth in 1..=6u64 {
        disk = around(depth, &disk);
        let all = assemble(vec![memory(&disk)]);
        if depth <= 4 {
            assert_eq!(codes(&all), [], "{depth}");
            assert_eq!(read(&only(&all).source).unwrap(), inner, "{depth}");
        } else {
            assert!(
                codes(&all).iter().any(|(_, code)| *code == Code::LimitReached),
                "{depth} {}",
                told(&all)
            );
            assert!(told(&all).contains("5 on one another"), "{}", told(&all));
        }
    }
}

#[test]
fn an_array_of_logical_volumes_is_put_together() {
    let inner = b"on a logical volume ".repeat(1000)[..4096].to_vec();
    let member = around(77, &inner);
    let disks = logical_holding(&member, physical());
    let all = assemble(disks.iter().map(|disk| memory(disk)).collect());
    let found = all.volumes.iter().find(|volume| volume.parts == ["vg-one/root"]).unwrap();
    assert_eq!(read(&found.source).unwrap(), inner);
    assert!(all.members.iter().any(|(volume, _)| volume.id == "vg-one/root"));
}

#[test]
fn counts_offsets_and_chunks_that_no_array_has_are_refused() {
    for (changes, what) in [
        (&[(92, 0, 4)][..], "of role 0, the array has 0 members"),
        (&[(92, 65_535, 4)], "more than 1024"),
        (&[(92, 0xffff_ffff, 4)], "more than 1024"),
        (&[(88, 0, 4)], "level 5 with chunks of 0 bytes"),
        (&[(88, 1, 4)], "level 5 with chunks of 512 bytes"),
        (&[(88, 0xffff_ffff, 4)], "with chunks of"),
        (&[(80, 0, 8)], "of 0 bytes"),
        (&[(80, u64::MAX / 512, 8)], "members of"),
        (&[(80, u64::MAX, 8)], "members of 18446744073709551615 sectors"),
        (&[(128, 1 << 40, 8)], "its data ends at"),
        (&[(128, u64::MAX / 512, 8)], "its data ends at"),
        (&[(128, u64::MAX, 8)], "data offset of"),
        (&[(76, 99, 4)], "RAID 5 of layout 99"),
        (&[(72, 7, 4)], "of level 7"),
        (&[(220, 2000, 4)], "2000 members, more than it has room for"),
        (&[(8, 8, 4), (186, 0xffff, 2)], "bad block list of 65535 sectors"),
        (&[(8, 8, 4), (186, 8, 2), (188, 0x8000_0000, 4)], "bad block list of 8 sectors"),
    ] {
        let members: Vec<Vec<u8>> = (0..4).map(|number| member(number, changes)).collect();
        let all = without(&members, &[]);
        assert!(told(&all).contains(what), "{changes:?} {}", told(&all));
        for volume in &all.volumes {
            let length = volume.source.size().min(65_536);
            let _ = block::read_vec(&volume.source, "volume", 0, usize::try_from(length).unwrap());
        }
    }
    // A bitmap of writes under way changes nothing, wherever it is said to be.
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    let members: Vec<Vec<u8>> =
        (0..4).map(|number| member(number, &[(8, 1, 4), (96, 0xffff_ffff, 4)])).collect();
    let all = without(&members, &[]);
    assert_eq!((codes(&all), sum(&read(&only(&all).source).unwrap())), (vec![], variant.sum));
}

#[test]
fn of_two_members_of_one_role_the_newer_is_used() {
    let variant = variants(&fixtures()).into_iter().find(|variant| variant.name == "node").unwrap();
    for newer in [1, 5] {
        // All but the copy, which lies elsewhere and was changed since, know the array's last state.
        let mut members: Vec<Vec<u8>> =
            (0..4).map(|number| member(number, &[(200, 20 + newer, 8)])).collect();
        let mut behind = member(1, &[(200, 20, 8)]);
        behind[64 * 512..].fill(0xdb);
        members.push(behind);
        let all = without(&members, &[]);
        assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum, "{newer}");
        assert_eq!(codes(&all), [("disk4", Code::CorruptStructure)], "{newer}");
        members.rotate_right(1);
        let all = without(&members, &[]);
        assert_eq!(codes(&all), [("disk0", Code::CorruptStructure)], "{newer}");
        assert_eq!(sum(&read(&only(&all).source).unwrap()), variant.sum, "{newer}");
    }
}

#[test]
fn arrays_that_are_members_of_each_other_end() {
    // Each of two arrays lies on the other: the data of a member begins with the superblock of the other array.
    let inner = around(1, &[0; 8192]);
    let outer = around(2, &inner);
    let again = around(1, &outer);
    let all = assemble(vec![memory(&again)]);
    assert!(told(&all).contains("its array is put together without it"), "{}", told(&all));
    assert_eq!(all.volumes.len(), 0);
}
