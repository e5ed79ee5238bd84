//! A package manager's database in SQLite, with the logs that its writer left beside it.

use super::{Extraction, File};
use crate::{
    database::sqlite::{Database, Wal, is_hot},
    error::FormatError,
};

/// Opens a file's database. Of the two companions the write-ahead log is merged; a rollback journal is not applied, which is
/// noted. A log that cannot be read loses what was written last, not what the database has.
pub(super) fn open(
    file: &File<'_>,
    [wal, journal]: [&'static str; 2],
    found: &mut Extraction,
) -> Result<Database, FormatError> {
    let wal = file.companion(wal).and_then(|wal| wal.map_or(Ok(None), |wal| Wal::read(&wal)));
    let wal = wal.unwrap_or_else(|error| {
        found.lose(error);
        None
    });
    match file.companion(journal).and_then(|file| file.map_or(Ok(false), |file| is_hot(&file))) {
        Ok(false) => {}
        Ok(true) => {
            found.lose(FormatError::unsupported("a rollback journal of SQLite, which is not applied"));
        }
        Err(error) => found.lose(error),
    }
    Database::open(file.content().clone(), wal)
}
