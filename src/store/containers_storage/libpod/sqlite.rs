//! `db.sql` (libpod, `sqlite_state_internal.go`): a table for each kind of document, which is its column `JSON`.

use super::{Kind, Libpod};
use crate::{
    database::sqlite::{Database, Row, Table, Value, Wal, is_hot},
    error::FormatError,
    fs::Root,
    store::containers_storage::big_data,
};

/// Tables, and the column that tells what a row is about.
const TABLES: [(&str, &str, Kind); 5] = [
    ("ContainerConfig", "ID", Kind::Container),
    ("ContainerState", "ID", Kind::ContainerState),
    ("PodConfig", "ID", Kind::Pod),
    ("PodState", "ID", Kind::PodState),
    ("VolumeConfig", "Name", Kind::Volume),
];

pub(super) fn read(root: &Root, path: &str, libpod: &mut Libpod) -> Result<(), FormatError> {
    let Some(file) = big_data::open(root, path)? else { return Ok(()) };
    libpod.is_there = true;
    let wal = big_data::open(root, &format!("{path}-wal"));
    let wal = wal.and_then(|wal| wal.map_or(Ok(None), |wal| Wal::read(&wal)));
    // A log that cannot be read loses what was written last, not what the database has.
    let wal = wal.unwrap_or_else(|error| {
        libpod.lose(error);
        None
    });
    let journal = big_data::open(root, &format!("{path}-journal"));
    match journal.and_then(|journal| journal.map_or(Ok(false), |journal| is_hot(&journal))) {
        Ok(false) => {}
        Ok(true) => {
            libpod.lose(FormatError::unsupported("a rollback journal of SQLite, which is not applied"));
        }
        Err(error) => libpod.lose(error),
    }
    let database = Database::open(file, wal)?;
    for (name, id, kind) in TABLES {
        let table = match database.table(name) {
            Ok(Some(table)) => table,
            // Made by a version that had none.
            Ok(None) => continue,
            Err(error) => {
                libpod.lose(error);
                continue;
            }
        };
        let (id, json) = (column(&table, id), column(&table, "JSON"));
        let Some((id, json)) = id.zip(json) else {
            libpod.lose(FormatError::unsupported(format!(
                "the table {name} of Podman's database: {}",
                table.sql
            )));
            continue;
        };
        for row in database.rows(&table) {
            match row.and_then(|row| document(&row, id, json)) {
                Ok((id, json)) => libpod.add(kind, &id, &json),
                Err(error) => libpod.lose(error),
            }
        }
    }
    Ok(())
}

/// What a row is about, and its document, which is written as bytes, whatever the column is declared to hold.
fn document(row: &Row, id: usize, json: usize) -> Result<(String, Vec<u8>), FormatError> {
    let id = row.text(id)?.ok_or_else(|| row.corrupt("its id is no text"))?;
    match row.value(json)? {
        Value::Text(bytes) | Value::Blob(bytes) => Ok((id, bytes.to_vec())),
        other => Err(row.corrupt(format!("the document is {other:?}"))),
    }
}

/// The number of a column of a table, by the statement that made it.
fn column(table: &Table, name: &str) -> Option<usize> {
    let (_, columns) = table.sql.split_once('(')?;
    let word = |column: &str| column.split_whitespace().next().map(|word| word.trim_matches('"').to_owned());
    columns.split(',').position(|column| word(column).is_some_and(|word| word.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_where_the_schema_has_them() {
        let sql = "CREATE TABLE ContainerConfig(\n ID TEXT PRIMARY KEY NOT NULL,\n Name TEXT UNIQUE NOT NULL,\n \
                   PodID TEXT,\n JSON TEXT NOT NULL,\n FOREIGN KEY (ID) REFERENCES IDNamespace(ID))";
        let table = Table { name: "ContainerConfig".to_owned(), root: 2, sql: sql.to_owned() };
        assert_eq!(
            (column(&table, "ID"), column(&table, "JSON"), column(&table, "x")),
            (Some(0), Some(3), None)
        );
    }
}
