use std::sync::Arc;

use proptest::prelude::*;

use super::{
    format::{BRANCH, BUCKET, LEAF, MAGIC, META, VERSION},
    meta::fnv1a,
    *,
};
use crate::block::Memory;

const PAGE: usize = 4096;

fn meta(id: u64, transaction: u64, root: u64) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[0..8].copy_from_slice(&id.to_le_bytes());
    page[8..10].copy_from_slice(&META.to_le_bytes());
    page[16..20].copy_from_slice(&MAGIC.to_le_bytes());
    page[20..24].copy_from_slice(&VERSION.to_le_bytes());
    page[24..28].copy_from_slice(&4096u32.to_le_bytes());
    page[32..40].copy_from_slice(&root.to_le_bytes());
    page[48..56].copy_from_slice(&u64::MAX.to_le_bytes());
    page[56..64].copy_from_slice(&8u64.to_le_bytes());
    page[64..72].copy_from_slice(&transaction.to_le_bytes());
    let sum = fnv1a(&page[16..72]);
    page[72..80].copy_from_slice(&sum.to_le_bytes());
    page
}

fn leaf(id: u64, elements: &[(u32, &[u8], &[u8])], length: usize) -> Vec<u8> {
    let mut page = Vec::new();
    page.extend(id.to_le_bytes());
    page.extend(LEAF.to_le_bytes());
    page.extend(u16::try_from(elements.len()).unwrap().to_le_bytes());
    page.extend(0u32.to_le_bytes());
    let mut data = Vec::new();
    for (number, (flags, key, value)) in elements.iter().enumerate() {
        let position = (elements.len() - number) * 16 + data.len();
        for field in [*flags, position as u32, key.len() as u32, value.len() as u32] {
            page.extend(field.to_le_bytes());
        }
        data.extend_from_slice(key);
        data.extend_from_slice(value);
    }
    page.extend(data);
    page.resize(page.len().max(length), 0);
    page
}

fn branch(id: u64, pages: &[u64]) -> Vec<u8> {
    let mut page = Vec::new();
    page.extend(id.to_le_bytes());
    page.extend(BRANCH.to_le_bytes());
    page.extend((pages.len() as u16).to_le_bytes());
    page.extend(0u32.to_le_bytes());
    for child in pages {
        page.extend([0; 8]);
        page.extend(child.to_le_bytes());
    }
    page.resize(PAGE, 0);
    page
}

fn inline(elements: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
    [vec![0; 16], leaf(0, elements, 0)].concat()
}

fn sample() -> Vec<u8> {
    let small = inline(&[(0, b"k", b"v")]);
    let tree = [3u64.to_le_bytes(), [0; 8]].concat();
    let root = leaf(2, &[(0, b"a", b"1"), (BUCKET, b"in", &small), (BUCKET, b"tree", &tree)], PAGE);
    let parts = [
        meta(0, 1, 7),
        meta(1, 2, 2),
        root,
        branch(3, &[4, 5]),
        leaf(4, &[(0, b"x", b"10")], PAGE),
        leaf(5, &[(0, b"y", b"20")], PAGE),
    ];
    parts.concat()
}

fn parse(bytes: Vec<u8>) -> Result<Database, FormatError> {
    read(Arc::new(Memory::new(bytes)))
}

#[test]
fn the_newer_meta_page_and_every_kind_of_bucket() {
    let db = parse(sample()).unwrap();
    assert!(db.damage.is_empty(), "{:?}", db.damage);
    assert_eq!(db.root.value("a"), Some(&b"1"[..]));
    assert_eq!(db.root.bucket("in").unwrap().value("k"), Some(&b"v"[..]));
    assert_eq!(
        db.root.bucket("tree").unwrap().texts().into_iter().collect::<Vec<_>>(),
        [("x".to_owned(), "10".to_owned()), ("y".to_owned(), "20".to_owned())]
    );
}

#[test]
fn a_damaged_first_meta_page_is_replaced_by_the_second() {
    let mut bytes = sample();
    bytes[17] ^= 1;
    assert_eq!(parse(bytes).unwrap().root.value("a"), Some(&b"1"[..]));
}

#[test]
fn a_bad_page_loses_only_what_it_holds() {
    for (at, seen) in [(4 * PAGE, "page id"), (4 * PAGE + 8, "flags"), (4 * PAGE + 20, "passes")] {
        let mut bytes = sample();
        bytes[at] = 0xfc;
        bytes[at + 1] = 0xff;
        let db = parse(bytes).unwrap();
        assert_eq!(db.root.bucket("tree").unwrap().texts().len(), 1, "{seen}");
        assert_eq!(db.damage.len(), 1);
        assert!(db.damage[0].detail().contains(seen), "{}", db.damage[0].detail());
    }
}

#[test]
fn a_cycle_ends() {
    let mut bytes = sample();
    bytes[3 * PAGE + 24..3 * PAGE + 32].copy_from_slice(&3u64.to_le_bytes());
    let db = parse(bytes).unwrap();
    assert!(db.damage[0].detail().contains("reached twice"));
}

#[test]
fn pages_that_claim_each_others_bytes_are_refused() {
    // Each of 60 nested branch pages claims the whole rest of the file as its overflow.
    let mut parts = vec![meta(0, 1, 2), meta(1, 2, 2)];
    for id in 2..62u64 {
        let mut page = branch(id, &[id + 1]);
        page[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        parts.push(page);
    }
    for page in parts.iter_mut().take(2) {
        page[56..64].copy_from_slice(&1000u64.to_le_bytes());
        let sum = fnv1a(&page[16..72]);
        page[72..80].copy_from_slice(&sum.to_le_bytes());
    }
    let db = parse(parts.concat()).unwrap();
    assert!(db.damage[0].detail().contains("overflow"), "{:?}", db.damage);
}

#[test]
fn damage_is_bounded() {
    let mut page = leaf(2, &[], 0);
    page[10..12].copy_from_slice(&5000u16.to_le_bytes());
    page[12..16].copy_from_slice(&19u32.to_le_bytes());
    // 5000 elements whose data lie outside the page.
    page.resize(20 * PAGE, 0xff);
    let mut parts = vec![meta(0, 1, 2), meta(1, 2, 2)];
    for page in &mut parts {
        page[56..64].copy_from_slice(&22u64.to_le_bytes());
        let sum = fnv1a(&page[16..72]);
        page[72..80].copy_from_slice(&sum.to_le_bytes());
    }
    parts.push(page);
    let db = parse(parts.concat()).unwrap();
    assert!(db.damage.len() <= limits::DAMAGE_NOTES + 1, "{}", db.damage.len());
    assert!(db.damage.last().unwrap().detail().contains("more"));
}

proptest! {
    #[test]
    fn never_panics(at in 0usize..6 * PAGE, value: u8, cut in 0usize..6 * PAGE) {
        let mut bytes = sample();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut / 8);
        let _ = parse(bytes);
    }
}
