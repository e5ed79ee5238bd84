//! Chisel's manifest of the slices of Ubuntu's packages in an image (Chisel, "Chisel manifest"): lines of JSON ("jsonwall"),
//! packed with zstd. Such images have no database of dpkg's. A path lists the slices that have it, whose names begin with
//! their package's; names of packages have no underscores.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use serde::Deserialize;

use super::{Extraction, Extractor, File, Owner, Package, PackageKind, owned::key, package};
use crate::{
    block::Stream,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const MANIFEST: &str = "chisel manifest";
const NAME: &[u8] = b"manifest.wall";
/// Where the slice `base-files_chisel` puts it; others may put it elsewhere.
const PLACE: &str = "var/lib/chisel/manifest.wall";

/// Ubuntu's packages in chiselled images.
pub(super) struct Chisel;

impl Extractor for Chisel {
    fn name(&self) -> &'static str {
        "chisel"
    }

    fn version(&self) -> u32 {
        2
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name() == NAME
    }

    fn places(&self) -> &'static [&'static str] {
        &[PLACE]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let bytes = unpack(file, &mut found)?;
        let mut lines = (1_usize..).zip(bytes.split(|byte| *byte == b'\n'));
        let header = lines.next().and_then(|(_, line)| serde_json::from_slice(line).ok());
        let Some(Header { jsonwall }) = header else {
            return found
                .damage
                .pop()
                .map_or_else(|| Err(FormatError::malformed(MANIFEST, "no header")), Err);
        };
        if !jsonwall.starts_with("1.") {
            return Err(FormatError::unsupported(format!("{MANIFEST} of version {jsonwall:.20}")));
        }
        let mut owners = BTreeMap::new();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            if line.len() > limits::LINE_BYTES {
                let bound = limits::LINE_BYTES;
                found.lose(FormatError::limit(format!(
                    "{MANIFEST}: line {number} of more than {bound} bytes"
                )));
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(Record::Package { name, version, arch, digest })
                    if !name.is_empty() && !version.is_empty() =>
                {
                    let digest = digest.and_then(|hex| package::digest("sha256", &hex));
                    if !found.add(Package { arch, digest, ..Package::new(PackageKind::Deb, name, version) }) {
                        break;
                    }
                }
                Ok(Record::Path { path, slices }) => own(&mut owners, &path, &slices),
                Ok(Record::Other) => {}
                Ok(Record::Package { .. }) => {
                    let problem = format!("line {number}: a package without a name or a version");
                    found.lose(FormatError::malformed(MANIFEST, problem));
                }
                Err(error) => found.lose(FormatError::malformed(MANIFEST, format!("line {number}: {error}"))),
            }
        }
        for owner in owners.into_values() {
            found.own(owner);
        }
        found.finish()
    }
}

#[derive(Deserialize)]
struct Header {
    jsonwall: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Record {
    Package {
        name: String,
        version: String,
        arch: Option<String>,
        digest: Option<String>,
    },
    Path {
        path: String,
        #[serde(default)]
        slices: Vec<String>,
    },
    /// Slices and what each of them has, which the paths tell, too.
    #[serde(other)]
    Other,
}

/// The manifest's lines. Of one that is damaged, those before the damage, which is noted.
fn unpack(file: &File<'_>, found: &mut Extraction) -> Result<Vec<u8>, FormatError> {
    let malformed = |error: std::io::Error| match error.downcast::<FormatError>() {
        Ok(own) => own,
        Err(error) => FormatError::malformed(MANIFEST, error.to_string()),
    };
    let mut decoder = zstd::Decoder::new(Stream::new(Arc::clone(file.content()))).map_err(malformed)?;
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(malformed)?;
    let (mut bytes, limit) = (Vec::new(), limits::CHISEL_MANIFEST_BYTES);
    match decoder.take(limit.saturating_add(1)).read_to_end(&mut bytes) {
        Ok(length) if crate::num::to_u64(length) > limit => {
            Err(FormatError::limit(format!("{MANIFEST} of more than {limit} bytes")))
        }
        Ok(_) => Ok(bytes),
        Err(error) => {
            found.lose(malformed(error));
            Ok(bytes)
        }
    }
}

/// Notes a path, unless it is a directory, for the packages of its slices.
fn own(owners: &mut BTreeMap<String, Owner>, path: &str, slices: &[String]) {
    if path.ends_with('/') {
        return;
    }
    let file = key(&GuestPath::new(path));
    for slice in slices {
        let package = slice.split_once('_').map_or(slice.as_str(), |(package, _)| package);
        let owner = owners.entry(package.to_owned()).or_insert_with(|| Owner::new(package));
        owner.files.push(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const HEADER: &str = r#"{"jsonwall":"1.0","schema":"1.0","count":9}"#;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        let packed = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
        testing::extract(&Chisel, PLACE, &packed, &[])
    }

    #[test]
    fn wants_manifests_wherever_they_are() {
        testing::wants(&Chisel, &[PLACE, "etc/manifest.wall"], &["var/lib/chisel/manifest.wall.old"]);
    }

    #[test]
    fn packages_and_the_files_of_their_slices() {
        let found = extract(&format!(
            r#"{HEADER}
{{"kind":"content","slice":"openssl_bins","path":"/usr/bin/openssl"}}
{{"kind":"package","name":"openssl","version":"3.0.13-0ubuntu3.5","sha256":"00","arch":"amd64"}}
{{"kind":"path","path":"/etc/ssl/","mode":"0755","slices":["openssl_config"]}}
{{"kind":"path","path":"/usr/bin/openssl","mode":"0755","slices":["openssl_bins"],"sha256":"00","size":9}}
{{"kind":"package","name":"x"}}
{{"kind":"slice","name":"openssl_bins"}}
"#
        ))
        .unwrap();
        let openssl = Package {
            arch: Some("amd64".into()),
            ..Package::new(PackageKind::Deb, "openssl", "3.0.13-0ubuntu3.5")
        };
        assert_eq!(found.packages(), [openssl]);
        let files = vec![key(&GuestPath::new("usr/bin/openssl"))];
        assert_eq!(found.owners, [Owner { files, ..Owner::new("openssl") }]);
        assert!(found.damage[0].detail().starts_with("chisel manifest: line 6: missing field `version`"));
    }

    #[test]
    fn what_is_no_manifest_is_an_error() {
        assert!(extract("").is_err() && extract("{}\n").is_err());
        assert!(extract("{\"jsonwall\":\"2.0\"}\n").unwrap_err().detail().contains("version 2.0"));
        assert!(testing::extract(&Chisel, PLACE, b"", &[]).is_err());
        assert!(testing::extract(&Chisel, PLACE, b"{}", &[]).is_err());
        assert!(extract(&format!("{HEADER}\n")).unwrap().packages().is_empty());
    }

    #[test]
    fn a_manifest_that_was_cut_has_what_came_before() {
        let line = r#"{"kind":"package","name":"a","version":"1","sha256":"x"}"#;
        let padding: String =
            (0..60_000).map(|n| format!("{{\"kind\":\"slice\",\"name\":\"{n}\"}}\n")).collect();
        let text = format!("{HEADER}\n{line}\n{padding}");
        let packed = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
        let cut = packed.get(..packed.len() - 100).unwrap();
        let found = testing::extract(&Chisel, PLACE, cut, &[]).unwrap();
        assert_eq!(found.packages().len(), 1);
        assert!(!found.damage.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:\n0]|\"kind\"|\"path\"|\"slices\"|\"package\")*", bytes: Vec<u8>) {
            let _ = extract(&format!("{HEADER}\n{text}"));
            let _ = testing::extract(&Chisel, PLACE, &bytes, &[]);
        }
    }
}
