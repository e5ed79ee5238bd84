//! The large data that the repository does not hold: tests that need it say where it would be, and are
//! skipped without it.

use std::path::PathBuf;

/// A file or directory below `$ICECORE_SHARED`; `None`, with a printed line, if it is not there.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("ICECORE_SHARED").map(|root| PathBuf::from(root).join(name));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: $ICECORE_SHARED/{name} is not there");
    }
    path
}

/// The lines of a table, split at tabs; comments left out.
pub(crate) fn table(name: &str) -> Option<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(path(name)?).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    Some(rows.map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
