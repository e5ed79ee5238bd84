//! NTFS against what ntfs-3g lists and a corpus of damaged images.

use proptest::prelude::*;

use crate::tree;

#[test]
fn images_read_as_ntfs_3g_shows_them() {
    tree::check_matrix("ICECORE_NTFS", 15);
}

#[test]
fn small_images_read_as_ntfs_3g_shows_them() {
    tree::check_small("ntfs", 2);
}

#[test]
fn every_name_is_found_by_look_up() {
    tree::check_look_up("ntfs");
}

#[test]
fn a_failed_read_loses_only_what_it_hit() {
    tree::check_failed_reads("ntfs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_mutation_panics_or_hangs(which in any::<usize>(), changes in tree::changes()) {
        tree::check_mutation("ntfs", which, &changes);
    }
}
