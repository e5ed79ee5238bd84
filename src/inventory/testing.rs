//! What the tests of all extractors do.

use std::sync::Arc;

use super::{Extraction, Extractor, File, Package, Requirement};
use crate::{
    block::{Memory, Source},
    error::FormatError,
    fs::{FileKind, GuestPath},
};

/// Extracts a file of these bytes, with companions by name.
pub(super) fn extract(
    extractor: &dyn Extractor,
    path: &str,
    bytes: &[u8],
    companions: &[(&str, &[u8])],
) -> Result<Extraction, FormatError> {
    let path = GuestPath::new(path);
    let source = |bytes: &[u8]| -> Source { Arc::new(Memory::new(bytes)) };
    let find = |name: &str| {
        assert!(extractor.companions().contains(&name), "{name} was not declared");
        Ok(companions.iter().find(|(known, _)| *known == name).map(|(_, bytes)| source(bytes)))
    };
    extractor.extract(&File::new(&path, &source(bytes), &find))
}

/// The packages with what they require: `name: name name=version …`.
pub(super) fn requirements(found: &Extraction) -> Vec<String> {
    let one = |required: &Requirement| match &required.version {
        Some(version) => format!(" {}={version}", required.name),
        None => format!(" {}", required.name),
    };
    let row = |package: &Package| {
        let all: String = package.requires.iter().map(one).collect();
        format!("{}:{all}", package.name)
    };
    found.packages().iter().map(row).collect()
}

/// Checks which paths an extractor wants.
pub(super) fn wants(extractor: &dyn Extractor, yes: &[&str], no: &[&str]) {
    for (paths, wanted) in [(yes, true), (no, false)] {
        for path in paths {
            assert_eq!(extractor.wants(&GuestPath::new(path), FileKind::Regular), wanted, "{path}");
        }
    }
    for path in yes {
        assert!(!extractor.wants(&GuestPath::new(path), FileKind::Symlink), "{path} as a link");
    }
}

/// A value of a row.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Null,
    Integer(u8),
    Text(&'a str),
}

/// A SQLite database of these tables, each with rows that fit on one page; their ids count from 1.
pub(super) fn sqlite(tables: &[(&str, &[&[Cell<'_>]])]) -> Vec<u8> {
    let mut header = b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20".to_vec();
    header.resize(100, 0);
    let schema: Vec<Vec<Cell<'_>>> = (2..)
        .zip(tables)
        .map(|(root, (name, _))| {
            let [kind, name, sql] = ["table", name, "CREATE TABLE"].map(Cell::Text);
            vec![kind, name, name, Cell::Integer(root), sql]
        })
        .collect();
    let schema: Vec<&[Cell<'_>]> = schema.iter().map(Vec::as_slice).collect();
    let mut bytes = page(header, &schema);
    for (_, rows) in tables {
        bytes.extend(page(Vec::new(), rows));
    }
    bytes
}

/// A leaf page behind what stands at its beginning.
fn page(mut page: Vec<u8>, rows: &[&[Cell<'_>]]) -> Vec<u8> {
    const SIZE: usize = 4096;
    let (mut pointers, mut cells) = (Vec::new(), Vec::new());
    for (id, row) in (1..).zip(rows) {
        cells.splice(0..0, cell(id, row));
        pointers.extend(u16::try_from(SIZE - cells.len()).unwrap().to_be_bytes());
    }
    page.extend([0x0d, 0, 0, 0, u8::try_from(rows.len()).unwrap(), 0, 0, 0]);
    page.extend(pointers);
    page.resize(SIZE - cells.len(), 0);
    page.extend(cells);
    page
}

fn cell(id: u8, row: &[Cell<'_>]) -> Vec<u8> {
    let varint = |n: usize| match u8::try_from(n) {
        Ok(n) if n < 128 => vec![n],
        _ => vec![0x80 | u8::try_from(n >> 7).unwrap(), u8::try_from(n & 0x7f).unwrap()],
    };
    let (mut types, mut values) = (Vec::new(), Vec::new());
    for value in row {
        match value {
            Cell::Null => types.push(0),
            Cell::Integer(value) => {
                types.push(1);
                values.push(*value);
            }
            Cell::Text(text) => {
                types.extend(varint(text.len() * 2 + 13));
                values.extend(text.bytes());
            }
        }
    }
    let record = [varint(types.len() + 1), types, values].concat();
    [varint(record.len()), vec![id], record].concat()
}
