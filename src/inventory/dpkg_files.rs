//! The files that dpkg's packages installed: deb(5), dpkg-query(1) `--listfiles`. `var/lib/dpkg/info` has a list for each
//! package, a path a line; distroless images have its checksums beside the package in `status.d`. opkg has dpkg's lists in
//! directories of its own; Yocto's adds a file's mode, and the target of a link, after tabs.

use super::{
    Extraction, Extractor, File, Owner,
    dpkg::{MD5SUMS, STATUS_D},
    lines::Lines,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Stat},
    limits,
};

const INFO: &[u8] = b"var/lib/dpkg/info/";
const OPKG_INFO: [&[u8]; 3] = [b"usr/lib/opkg/info/", b"var/lib/opkg/info/", b"opt/lib/opkg/info/"];
const LIST: &[u8] = b".list";

/// How a list names a file on its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The path alone.
    Path,
    /// The path, then other fields after tabs.
    Fields,
    /// `digest  path`, the path without the slash before it.
    Digest,
}

/// Lists of files of Debian's and its relatives' packages, and of opkg's.
pub(super) struct DpkgFiles;

impl Extractor for DpkgFiles {
    fn name(&self) -> &'static str {
        "dpkg-files"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && package(path).is_some()
    }

    /// Distroless images have empty ones. A list whose data is lost has no owners to tell, which loses no package.
    fn accepts(&self, _: &GuestPath, stat: &Stat) -> bool {
        stat.size > 0
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some((name, form)) = package(file.path()) else { return Ok(found) };
        let mut owner = Owner::new(String::from_utf8_lossy(name));
        let mut lines =
            Lines::new(file.content(), "dpkg list of files", 16 * 1024, limits::TEXT_DATABASE_BYTES);
        while let Some(line) = lines.next()? {
            let path = match form {
                Form::Path => Some(line.bytes),
                Form::Fields => line.bytes.split(|byte| *byte == b'\t').next(),
                Form::Digest => line.bytes.get(34..),
            };
            if let Some(path) = path.filter(|path| !path.is_empty() && !line.cut) {
                owner.take(path);
            }
        }
        found.own(owner);
        Ok(found)
    }
}

/// The package whose list is at a path, and the list's form.
fn package(path: &GuestPath) -> Option<(&[u8], Form)> {
    let path = path.as_bytes();
    let list = |dir: &[u8]| path.strip_prefix(dir).and_then(|name| name.strip_suffix(LIST));
    let opkg = || OPKG_INFO.into_iter().find_map(list).map(|name| (name, Form::Fields));
    let named = list(INFO).map(|name| (name, Form::Path)).or_else(opkg);
    let (name, form) = match named {
        Some(named) => named,
        None => (path.strip_prefix(STATUS_D)?.strip_suffix(MD5SUMS)?, Form::Digest),
    };
    // The names of packages that may be there for several architectures have one.
    let name = name.split(|byte| *byte == b':').next().unwrap_or(name);
    (!name.is_empty() && !name.contains(&b'/')).then_some((name, form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{owned::key, testing};

    #[test]
    fn wants_lists_of_files() {
        testing::wants(
            &DpkgFiles,
            &[
                "var/lib/dpkg/info/libc6:amd64.list",
                "var/lib/dpkg/status.d/libc6.md5sums",
                "usr/lib/opkg/info/busybox.list",
            ],
            &[
                "var/lib/dpkg/info/libc6:amd64.md5sums",
                "var/lib/dpkg/info/x/a.list",
                "usr/lib/opkg/info/busybox.control",
                "var/lib/dpkg/info/.list",
                "var/lib/dpkg/status.d/libc6",
                "x/var/lib/dpkg/info/a.list",
            ],
        );
    }

    #[test]
    fn files_of_a_package() {
        let owned =
            |path: &str, text: &str| testing::extract(&DpkgFiles, path, text.as_bytes(), &[]).unwrap().owners;
        let owner = |name: &str, paths: &[&str]| {
            let files = paths.iter().map(|path| key(&GuestPath::new(path))).collect();
            [Owner { files, ..Owner::new(name) }]
        };
        let list = "/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n";
        let files = ["", "lib", "usr/lib/x86_64-linux-gnu/libc.so.6"];
        assert_eq!(owned("var/lib/dpkg/info/libc6:amd64.list", list), owner("libc6", &files));
        let sums = "d41d8cd98f00b204e9800998ecf8427e  usr/share/doc/x y\n";
        assert_eq!(owned("var/lib/dpkg/status.d/base.md5sums", sums), owner("base", &["usr/share/doc/x y"]));
        assert_eq!(owned("var/lib/dpkg/info/empty.list", ""), []);
        let list = "/bin/busybox\n/bin/sh\t0120777\tbusybox\n";
        assert_eq!(
            owned("usr/lib/opkg/info/busybox.list", list),
            owner("busybox", &["bin/busybox", "bin/sh"])
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = testing::extract(&DpkgFiles, "var/lib/dpkg/status.d/a.md5sums", &bytes, &[]);
        }
    }
}
