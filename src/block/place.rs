//! Where the places of inputs lie, to tell files of one name from each other.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Component, Path, PathBuf},
};

use super::url;
use crate::bytes;

/// Where a place lies: a host's file by the true path of its directory, a URL without its secrets and escapes. Only to be
/// compared, never to be opened.
pub fn location(place: &Path) -> PathBuf {
    if url::url(place).is_some() {
        return lexical(Path::new(&unescaped(&url::shown(place))));
    }
    let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_owned());
    place.file_name().map_or_else(|| dir.clone(), |name| dir.join(name))
}

/// Where the file at the location `from` says that `name` is. The host is not asked: a guest may have chosen the name.
pub fn referred(from: &Path, name: &Path) -> PathBuf {
    lexical(&from.parent().unwrap_or(Path::new("")).join(name))
}

/// How many components two paths have in common, from the last on.
pub fn common_end(one: &Path, other: &Path) -> usize {
    let ends = |path| -> Vec<OsString> {
        let parts = Path::components(path).rev().filter(|part| *part != Component::CurDir);
        parts
            .map_while(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                _ => None,
            })
            .collect()
    };
    ends(one).iter().zip(ends(other)).take_while(|(one, other)| *one == other).count()
}

/// Whether two places are the same file, as far as the host can say.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let truth = |place: &Path| match url::url(place) {
        Some(_) => place.to_owned(),
        None => place.canonicalize().unwrap_or_else(|_| place.to_owned()),
    };
    one == other || truth(one) == truth(other)
}

/// A path without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A name with its escapes (`%20`) as the bytes that they are.
pub(super) fn unescaped(name: &str) -> OsString {
    OsString::from_vec(bytes::unescaped(name, "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_where_their_directories_are() {
        let dir = tempfile::tempdir().unwrap();
        let (true_dir, link) = (dir.path().canonicalize().unwrap().join("true"), dir.path().join("link"));
        std::os::unix::fs::symlink(&true_dir, &link).unwrap();
        std::fs::DirBuilder::new().create(&true_dir).unwrap();
        assert_eq!(location(&link.join("x")), true_dir.join("x"));
        assert!(is_same(&link.join("../true"), &true_dir));
        let url = location(Path::new("https://u:p@h/my%20disks/./a.vhd?sig=x"));
        assert_eq!(url, Path::new("https:/h/my disks/a.vhd"));
        assert_eq!(referred(&url, Path::new("../b.vhd")), Path::new("https:/h/b.vhd"));
        assert_eq!(referred(Path::new("/a/b"), Path::new("/c/./d")), Path::new("/c/d"));
    }

    #[test]
    fn common_ends() {
        for (reference, common) in [
            ("disk", 1),
            ("./a/disk", 2),
            ("../b/disk", 1),
            ("../disk", 1),
            ("/x/a/disk", 2),
            ("C:/vms/a/disk", 3),
            ("other", 0),
        ] {
            assert_eq!(common_end(Path::new("/vms/a/disk"), Path::new(reference)), common, "{reference}");
        }
    }

    #[test]
    fn escapes_are_bytes() {
        for (name, expected) in
            [("my%20disk", "my disk"), ("a%2", "a%2"), ("%+1%zz", "%+1%zz"), ("%c3%A4", "ä")]
        {
            assert_eq!(unescaped(name), OsString::from(expected));
        }
    }
}
