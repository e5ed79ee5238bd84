//! SQLite 3 database files: "Database File Format" (sqlite.org/fileformat2.html), read-only, with the
//! write-ahead log beside the file merged. Tables with row ids only; only the pages of what is asked for are
//! read. A rollback journal that a crash left is recognised ([`is_hot`]) and not applied.

mod header;
mod pager;
mod record;
mod rows;
mod wal;

pub use record::{Row, Value};
pub use rows::Rows;
pub use wal::Wal;

use crate::{
    block::{self, ReadAt, Source},
    error::FormatError,
};
use pager::Pager;

/// The page of the schema's own table (section 2.6).
const SCHEMA_ROOT: u32 = 1;

/// Whether a rollback journal holds pages of a transaction that a crash cut off (section 3): one that ended well
/// is removed, cut to nothing, or has zeros for a header.
pub fn is_hot(journal: &Source) -> Result<bool, FormatError> {
    const NAME: &str = "sqlite rollback journal";
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    if journal.size() < 512 {
        return Ok(false);
    }
    let header = block::read_vec(journal, NAME, 0, MAGIC.len())?;
    Ok(header == MAGIC)
}

/// An open database.
pub struct Database {
    pager: Pager,
}

/// A table of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The page that its rows hang from.
    pub root: u32,
    /// The statement that made it: names the columns, in the order in which [`Row::value`] counts them.
    pub sql: String,
}

impl Database {
    /// Opens a database file; pages that the write-ahead log has committed are seen instead of the file's.
    pub fn open(source: Source, wal: Option<Wal>) -> Result<Self, FormatError> {
        Ok(Self { pager: Pager::open(source, wal)? })
    }

    /// The tables that hold rows. An error is a part of the schema that could not be read.
    pub fn tables(&self) -> impl Iterator<Item = Result<Table, FormatError>> + '_ {
        let rows = (self.pager.count() > 0).then(|| Rows::new(&self.pager, SCHEMA_ROOT));
        rows.into_iter().flatten().filter_map(|row| row.and_then(|row| read_table(&row)).transpose())
    }

    /// A table by its name (without case, as in SQL), `None` if there is none.
    pub fn table(&self, name: &str) -> Result<Option<Table>, FormatError> {
        let mut damage = None;
        for table in self.tables() {
            match table {
                Ok(table) if table.name.eq_ignore_ascii_case(name) => return Ok(Some(table)),
                Ok(_) => {}
                Err(error) => {
                    damage.get_or_insert(error);
                }
            }
        }
        damage.map_or(Ok(None), Err)
    }

    /// A table's rows, by row id. An error is a part of the table that could not be read; the rest follows.
    pub fn rows(&self, table: &Table) -> Rows<'_> {
        Rows::new(&self.pager, table.root)
    }
}

/// A row of `sqlite_schema` (type, name, tbl_name, rootpage, sql), if it is a table with pages of its own.
fn read_table(row: &Row) -> Result<Option<Table>, FormatError> {
    let text = |column| Ok::<_, FormatError>(row.text(column)?.unwrap_or_default());
    if text(0)? != "table" {
        return Ok(None);
    }
    match row.value(3)? {
        // Views and virtual tables have no pages.
        Value::Null | Value::Integer(0) => Ok(None),
        Value::Integer(root) => {
            let root = u32::try_from(root).map_err(|_| row.corrupt(format!("root page {root}")))?;
            Ok(Some(Table { name: text(1)?, root, sql: text(4)? }))
        }
        other => Err(row.corrupt(format!("root page {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::Memory;

    /// One page of 512 bytes: the schema, and a header that is right.
    fn database(page: &[u8]) -> Database {
        let mut bytes = b"SQLite format 3\0\x02\0\x01\x01\0\x40\x20\x20".to_vec();
        bytes.resize(100, 0);
        bytes.extend(page);
        bytes.resize(512, 0);
        Database::open(Arc::new(Memory::new(bytes)), None).unwrap()
    }

    #[test]
    fn an_empty_file_and_an_empty_schema_have_no_tables() {
        let empty = Database::open(Arc::new(Memory::default()), None).unwrap();
        assert_eq!(empty.tables().count(), 0);
        assert_eq!(database(&[0x0d, 0, 0, 0, 0, 2]).table("t").unwrap(), None);
    }

    #[test]
    fn a_tree_that_bites_its_tail_ends() {
        // An interior page whose only child is itself.
        let damage: Vec<_> = database(&[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).tables().collect();
        assert_eq!(damage.len(), 1);
        let error = damage[0].as_ref().unwrap_err().detail();
        assert_eq!(error, "sqlite b-tree page at offset 0x0: page 1 is used twice");
    }

    #[test]
    fn cells_that_overlap_are_not_read_over_and_over() {
        // Eighty pointers to one cell of 100 bytes.
        let mut page = vec![0x0d, 0, 0, 0, 80, 0, 0, 0];
        page.extend([1, 0x2c].repeat(80));
        page.resize(200, 0);
        page.extend([98, 1]);
        let damage: Vec<_> = database(&page).tables().filter_map(Result::err).collect();
        assert!(damage.len() < 10, "{}", damage.len());
        assert!(damage.last().unwrap().detail().ends_with("cells overlap"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(page: Vec<u8>, log: Vec<u8>) {
            let source: Source = Arc::new(Memory::new(log));
            let _ = Wal::read(&source);
            let database = database(&page);
            for row in database.rows(&Table { name: String::new(), root: 1, sql: String::new() }).flatten() {
                let _ = (row.text(1), row.value(3));
            }
        }
    }
}
