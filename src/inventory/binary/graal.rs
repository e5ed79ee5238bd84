//! Native images of GraalVM (GraalVM, "Software Bill of Materials (SBOM) in Native Image"): a bill of materials in CycloneDX,
//! packed with gzip, where the symbol `sbom` is; as many bytes as stand where `sbom_length` is. What it lists is in the program.

use std::io::Read;

use super::program::{Part, Program};
use crate::{
    error::FormatError,
    inventory::{Extraction, sbom},
    limits, num,
};

const BILL: &str = "bill of materials of a native image";
const SYMBOLS: &str = "ELF symbol table";
/// Tables of symbols with their names. A program keeps the first when it is stripped.
const TABLES: [[&[u8]; 2]; 2] = [[b".dynsym", b".dynstr"], [b".symtab", b".strtab"]];

/// Adds the components of a native image.
pub(super) fn read(program: &Program, found: &mut Extraction) -> Result<(), FormatError> {
    // Every native image has a heap of its own.
    if program.section(&[b".svm_heap"]).is_none() {
        return Ok(());
    }
    for [symbols, names] in TABLES {
        let (Some(symbols), Some(names)) = (program.section(&[symbols]), program.section(&[names])) else {
            continue;
        };
        if let Some([bill, length]) = find(program, symbols, names)? {
            let length = program.at(BILL, length, 8)?.and_then(|raw| program.numbers.address(&raw, 0, 0));
            return components(program, bill, length.unwrap_or(0), found);
        }
    }
    Ok(())
}

/// Where the two symbols are, if there are both.
fn find(program: &Program, symbols: &Part, names: &Part) -> Result<Option<[u64; 2]>, FormatError> {
    let names = program.read(names, SYMBOLS, limits::SYMBOLS_BYTES)?;
    let table = program.read(symbols, SYMBOLS, limits::SYMBOLS_BYTES)?;
    let numbers = program.numbers;
    let (mut bill, mut length) = (None, None);
    for raw in table.chunks_exact(if numbers.wide { 24 } else { 16 }) {
        let name = numbers.u32(raw, 0).and_then(|at| names.get(num::index(at)..)).unwrap_or_default();
        let address = || numbers.address(raw, 8, 4).filter(|address| *address != 0);
        match name.split(|byte| *byte == 0).next() {
            Some(b"sbom") => bill = address(),
            Some(b"sbom_length") => length = address(),
            _ => {}
        }
    }
    Ok(bill.zip(length).map(<[u64; 2]>::from))
}

fn components(program: &Program, at: u64, length: u64, found: &mut Extraction) -> Result<(), FormatError> {
    if length > limits::SBOM_BYTES {
        return Err(FormatError::limit(format!(
            "{BILL} has {length} bytes, more than {}",
            limits::SBOM_BYTES
        )));
    }
    let packed = program.at(BILL, at, length)?.unwrap_or_default();
    let mut json = Vec::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice())
        .take(limits::SBOM_BYTES.saturating_add(1))
        .read_to_end(&mut json)
        .map_err(|error| FormatError::malformed(BILL, error.to_string()))?;
    if num::to_u64(json.len()) > limits::SBOM_BYTES {
        return Err(FormatError::limit(format!("{BILL} of more than {} bytes", limits::SBOM_BYTES)));
    }
    sbom::components(&json, "components", true, found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Arc};

    use super::*;
    use crate::{
        block::{Memory, Source},
        inventory::{
            Package, PackageKind,
            binary::testing::{BASE, elf},
        },
    };

    const JSON: &str = r#"{"bomFormat":"CycloneDX","components":[
        {"purl":"pkg:maven/io.netty/netty-codec-http2@4.1.104.Final"},{"name":"no purl"}]}"#;

    /// A native image whose bill is at the beginning of its data, behind its length.
    fn image(heap: &str, table: &str, names: &str, length: Option<u64>) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(JSON.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let length = length.unwrap_or(packed.len() as u64);
        let data = [&length.to_le_bytes()[..], &packed].concat();
        let symbol = |name: u32, address: u64| {
            [&name.to_le_bytes()[..], &[0; 4], &address.to_le_bytes(), &[0; 8]].concat()
        };
        let symbols = [symbol(0, 0), symbol(1, BASE + 0x108), symbol(6, BASE + 0x100)].concat();
        let sections: [(&str, &[u8]); 4] =
            [(".data", &data), (heap, b"x"), (table, &symbols), (names, b"\0sbom\0sbom_length\0")];
        elf(false, true, &sections)
    }

    fn extract(file: Vec<u8>) -> (Vec<Package>, Option<String>) {
        let source: Source = Arc::new(Memory::new(file));
        let program = Program::open(&source).unwrap().unwrap();
        let mut found = Extraction::default();
        let error = read(&program, &mut found).err().map(|error| error.detail());
        (found.packages(), error)
    }

    #[test]
    fn components_are_in_the_program() {
        let netty = Package::new(PackageKind::Maven, "io.netty:netty-codec-http2", "4.1.104.Final");
        for (heap, table, names, expected) in [
            (".svm_heap", ".dynsym", ".dynstr", vec![netty.clone()]),
            (".svm_heap", ".symtab", ".strtab", vec![netty]),
            (".svm_heap", ".dynsym", ".strtab", vec![]),
            (".heap", ".dynsym", ".dynstr", vec![]),
        ] {
            assert_eq!(extract(image(heap, table, names, None)), (expected, None), "{heap} {table}");
        }
    }

    #[test]
    fn a_bill_that_is_none_is_an_error() {
        let error = |length| extract(image(".svm_heap", ".dynsym", ".dynstr", Some(length))).1.unwrap();
        assert!(error(0).starts_with(BILL) && error(20).starts_with(BILL));
        assert!(error(u64::MAX).contains("more than"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 0usize..800, byte: u8) {
            let mut file = image(".svm_heap", ".dynsym", ".dynstr", None);
            if let Some(there) = file.get_mut(at) {
                *there = byte;
            }
            let source: Source = Arc::new(Memory::new(file));
            if let Ok(Some(program)) = Program::open(&source) {
                let _ = read(&program, &mut Extraction::default());
            }
        }
    }
}
