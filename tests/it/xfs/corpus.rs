//! The corpus of damaged images, and a whole one.

use std::{collections::BTreeMap, sync::Arc};

use icecore::block::Memory;

use crate::{
    shared,
    tree::{Survived, corpus, decoded, open, survive_corpus, walk},
};

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn damaged_images_of_the_corpus_are_survived() {
    let Survived { opened, files, errors } = survive_corpus("xfs");
    assert!(opened > 20 && files > 5000 && errors > 10);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn a_whole_image_of_the_corpus_reads_as_expected() {
    const IMAGE: &str = "xfs/own/valid.img.zst";
    let (images, rows) = (corpus("xfs"), shared::table("data/corpus/expected.tsv"));
    let image = open(Arc::new(Memory::new(decoded(IMAGE, &images[IMAGE]).unwrap()))).unwrap();
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
    let expected = rows.iter().filter(|row| row[0] == IMAGE);
    let expected: BTreeMap<&str, (&str, &str)> =
        expected.map(|row| (row[1].as_str(), (row[2].as_str(), row[3].as_str()))).collect();
    assert!(expected.len() > 600);
    assert_eq!(ours, expected);
}
