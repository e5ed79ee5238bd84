//! What every reader asks of a symbolic link, wherever its format keeps the target.

use super::FileKind;
use crate::{error::FormatError, limits, num};

/// The target of an inode of this kind and size, which `read` gives; `corrupt` makes an error of what is wrong with the inode.
pub(in crate::fs) fn target(
    kind: FileKind,
    size: u64,
    corrupt: impl Fn(&str) -> FormatError,
    read: impl FnOnce(usize) -> Result<Vec<u8>, FormatError>,
) -> Result<Vec<u8>, FormatError> {
    if kind != FileKind::Symlink {
        return Err(corrupt("is not a symbolic link"));
    }
    if size > limits::SYMLINK_BYTES {
        return Err(FormatError::limit(format!("symbolic link of {size} bytes")));
    }
    let target = read(num::to_usize(size))?;
    match target.contains(&0) || target.is_empty() {
        true => Err(corrupt("the target of the symbolic link is empty or has a NUL")),
        false => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_that_a_path_can_be_are_given() {
        let of = |kind, size, bytes: &[u8]| {
            let found = target(
                kind,
                size,
                |problem| FormatError::corrupt("inode", 1, problem),
                |length| {
                    assert_eq!(num::to_u64(length), size);
                    Ok(bytes.to_vec())
                },
            );
            found.map_err(|error| error.detail())
        };
        let link = FileKind::Symlink;
        assert_eq!(of(link, 4, b"../a").unwrap(), b"../a");
        for (kind, size, bytes, problem) in [
            (FileKind::Regular, 1, &b"a"[..], "is not a symbolic link"),
            (link, limits::SYMLINK_BYTES + 1, b"a", "symbolic link of 65537 bytes"),
            (link, 0, b"", "empty or has a NUL"),
            (link, 3, b"a\0b", "empty or has a NUL"),
        ] {
            let found = of(kind, size, bytes).unwrap_err();
            assert!(found.contains(problem), "{found}");
        }
    }
}
