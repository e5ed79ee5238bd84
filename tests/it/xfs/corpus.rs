//! The corpus of damaged images, and a whole one.

use crate::tree::{Survived, check_expected, survive_corpus};

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn damaged_images_of_the_corpus_are_survived() {
    let Survived { opened, files, errors } = survive_corpus("xfs");
    assert!(opened > 20 && files > 5000 && errors > 10);
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn a_whole_image_of_the_corpus_reads_as_expected() {
    assert!(check_expected("xfs", "xfs/own/valid.img.zst") > 600);
}
