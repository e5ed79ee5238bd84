//! btrfs against the kernel's own listings and a corpus of damaged images.

use crate::tree;

#[test]
fn images_read_as_the_kernel_shows_them() {
    tree::check_matrix("ICECORE_BTRFS", 50);
}
