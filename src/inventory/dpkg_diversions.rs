//! dpkg's diversions: dpkg-divert(1), `var/lib/dpkg/diversions`. Three lines each: a path, the path at which the files of other
//! packages lie instead, and the package that puts its own there, or `:` if the administrator does.

use super::{
    Extraction, Extractor, File,
    owned::{Diversion, key},
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Stat},
    limits,
};

const PLACE: &[u8] = b"var/lib/dpkg/diversions";
const DIVERSIONS: &str = "dpkg's diversions";
const LOCAL: &[u8] = b":";

/// What Debian's and its relatives' packages installed elsewhere than they list it.
pub(super) struct DpkgDiversions;

impl Extractor for DpkgDiversions {
    fn name(&self) -> &'static str {
        "dpkg-diversions"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE
    }

    /// There is one, without a line, where nothing is diverted.
    fn accepts(&self, _: &GuestPath, stat: &Stat) -> bool {
        stat.size > 0
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(DIVERSIONS, limits::DIVERSIONS_BYTES)?;
        let lines: Vec<&[u8]> =
            bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n').collect();
        let (records, rest) = lines.as_chunks();
        let mut found = Extraction::default();
        if !rest.is_empty() {
            found.lose(FormatError::malformed(DIVERSIONS, "the last one has no three lines"));
        }
        for [from, to, by] in records {
            let key = |path: &[u8]| key(&GuestPath::new(path));
            let by = (*by != LOCAL).then(|| String::from_utf8_lossy(by).into_owned());
            found.diversions.push(Diversion { from: key(from), to: key(to), by });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Extraction {
        testing::extract(&DpkgDiversions, "var/lib/dpkg/diversions", text.as_bytes(), &[]).unwrap()
    }

    fn diversion(from: &str, to: &str, by: Option<&str>) -> Diversion {
        let key = |path: &str| key(&GuestPath::new(path));
        Diversion { from: key(from), to: key(to), by: by.map(str::to_owned) }
    }

    #[test]
    fn wants_the_one_file() {
        testing::wants(
            &DpkgDiversions,
            &["var/lib/dpkg/diversions"],
            &["var/lib/dpkg/diversions-old", "x/var/lib/dpkg/diversions"],
        );
    }

    #[test]
    fn three_lines_each() {
        let text = "/usr/bin/other\n/usr/bin/other.distrib\n:\n/bin/sh\n/bin/sh.distrib\ndash\n";
        let expected = [
            diversion("usr/bin/other", "usr/bin/other.distrib", None),
            diversion("bin/sh", "bin/sh.distrib", Some("dash")),
        ];
        let found = extract(text);
        assert_eq!((found.diversions, found.damage.len()), (expected.to_vec(), 0));
        let cut = extract("/a\n/b\n:\n/c\n");
        assert_eq!((cut.diversions, cut.damage.len()), (vec![diversion("a", "b", None)], 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(/a|:|\n)*") {
            let _ = extract(&text);
        }
    }
}
