//! The snaps that snapd installed, by its state: `var/lib/snapd/state.json` (snapd, `overlord/snapstate`), the member
//! `data.snaps`. A snap is a file with a squashfs in `var/lib/snapd/snaps` that is mounted where it runs, and is not opened
//! here; its version is inside. The state tells the revision, by which `snap list` names it, too.

use serde::Deserialize;

use super::{Extraction, Extractor, File, Package, PackageKind, records};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const STATE: &str = "snapd state";
const PLACE: &str = "var/lib/snapd/state.json";

/// Snaps that snapd mounts.
pub(super) struct Snapd;

impl Extractor for Snapd {
    fn name(&self) -> &'static str {
        "snapd"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.as_bytes() == PLACE.as_bytes()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(STATE, limits::SNAPD_STATE_BYTES)?;
        let mut found = Extraction::default();
        let read = records::read(&bytes, &["data", "snaps"], &mut |instance, snap: Option<Snap>| {
            let Some(snap) = snap.filter(|snap| !snap.current.is_empty()) else {
                found.lose(FormatError::malformed(STATE, format!("{instance} has no current revision")));
                return true;
            };
            // What stands behind the name tells instances of one snap apart.
            let name = instance.split_once('_').map_or(instance, |(name, _)| name);
            found.add(Package::new(PackageKind::Snap, name, snap.current))
        });
        match read {
            // Before the first snap there is no such member.
            Err(problem) if !problem.starts_with("no member snaps") => {
                found.lose(FormatError::malformed(STATE, problem));
            }
            _ => {}
        }
        found.finish()
    }
}

#[derive(Deserialize)]
struct Snap {
    current: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Snapd, PLACE, text.as_bytes(), &[])
    }

    #[test]
    fn wants_the_state() {
        testing::wants(&Snapd, &[PLACE], &["var/lib/snapd/system-key", "state.json"]);
    }

    #[test]
    fn the_current_revision_of_each_snap() {
        let found = extract(
            r#"{"data":{"auth":{},"snaps":{
                "core20":{"type":"base","sequence":[{"name":"core20","revision":"1822"},{"name":"core20","revision":"1828"}],
                          "active":true,"current":"1828","channel":"latest/stable"},
                "x_b":{"type":"app","current":"x1"},
                "bad":{"current":7}}},
              "changes":{},"last-task-id":9}"#,
        )
        .unwrap();
        let snap = |name, revision| Package::new(PackageKind::Snap, name, revision);
        assert_eq!(found.packages(), [snap("core20", "1828"), snap("x", "x1")]);
        assert_eq!(found.damage[0].detail(), "snapd state: bad has no current revision");
        assert!(extract(r#"{"data":{"auth":{}},"changes":{}}"#).unwrap().packages().is_empty());
        for bad in ["", "[]", "{}", r#"{"data":{"snaps":{"a":{"current":"1"}"#] {
            let found = extract(bad);
            assert!(found.is_err() || !found.unwrap().damage.is_empty(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"data\"|\"snaps\"|\"current\")*") {
            let _ = extract(&text);
        }
    }
}
