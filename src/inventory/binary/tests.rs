use std::{io::Write, sync::Arc};

use super::*;
use crate::{
    block::{Counted, Counter, Memory, Source},
    fs::memory::Entry,
    gap::Code,
    inventory,
};

fn extract(path: &str, bytes: &[u8]) -> Result<Extraction, FormatError> {
    inventory::testing::extract(&Binary, path, bytes, &[])
}

fn rows(bytes: &[u8]) -> Vec<String> {
    let row = |p: inventory::Package| format!("{} {} {}", p.kind.text(), p.name, p.version);
    extract("a", bytes).unwrap().packages().into_iter().map(row).collect()
}

/// Build information in place, as Go writes it since 1.18.
fn inline(modules: &str) -> Vec<u8> {
    let framed = format!("0123456789abcdef{modules}0123456789abcdef");
    let mut blob = b"\xff Go buildinf:\x08\x02".to_vec();
    blob.resize(32, 0);
    blob.push(8);
    blob.extend(b"go1.22.1");
    blob.extend([(framed.len() & 0x7f) as u8 | 0x80, (framed.len() >> 7) as u8]);
    blob.extend(framed.bytes());
    blob
}

/// The same behind pointers, as before: header, two strings of Go's, and their bytes, loaded at `at`.
fn pointers(big: bool, wide: bool, at: u64, modules: &str) -> Vec<u8> {
    let word = if wide { 8 } else { 4 };
    let number = |value: u64| match big {
        true => value.to_be_bytes()[8 - word..].to_vec(),
        false => value.to_le_bytes()[..word].to_vec(),
    };
    let framed = format!("0123456789abcdef{modules}0123456789abcdef");
    let mut blob = b"\xff Go buildinf:".to_vec();
    blob.extend([word as u8, u8::from(big)]);
    let (strings, bytes) = (at + 32, at + 64);
    blob.extend([number(strings), number(strings + 2 * word as u64)].concat());
    blob.resize(32, 0);
    blob.extend([number(bytes), number(6), number(bytes + 6), number(framed.len() as u64)].concat());
    blob.resize(64, 0);
    blob.extend(b"go1.17");
    blob.extend(framed.bytes());
    blob
}

const MODULES: &str = "path\ta.org/m\nmod\ta.org/m\tv1.0.0\th1:x=\ndep\tb.org/b\tv0.1.0\th1:y=\n";

#[test]
fn programs_by_name_mode_and_size() {
    inventory::testing::wants(
        &Binary,
        &["usr/local/bin/tool", "app/server.exe"],
        &["usr/share/doc/a/tool", "a.py"],
    );
    let stat = |mode, size| Stat { mode, size, ..Entry::new(FileKind::Regular).stat };
    for (path, mode, size, expected) in [
        ("bin/tool", 0o755, 1 << 20, true),
        ("bin/tool", 0o644, 1 << 20, false),
        ("bin/tool", 0o755, 1000, false),
        ("app/a.so", 0o644, 1 << 20, true),
        ("app/a.exe", 0o644, 1 << 20, true),
    ] {
        assert_eq!(
            Binary.accepts(&GuestPath::new(path), &stat(mode, size)),
            expected,
            "{path} {mode:o} {size}"
        );
    }
}

#[test]
fn go_in_both_forms_orders_and_widths() {
    for (big, wide) in [(false, true), (true, true), (false, false), (true, false)] {
        let old = pointers(big, wide, testing::BASE + 0x100, MODULES);
        for (blob, version) in [(inline(MODULES), "1.22.1"), (old, "1.17")] {
            let expected = [
                format!("golang stdlib {version}"),
                "golang a.org/m v1.0.0".into(),
                "golang b.org/b v0.1.0".into(),
            ];
            assert_eq!(rows(&testing::elf(big, wide, &[(".go.buildinfo", &blob)])), expected, "{big} {wide}");
            // Found by its mark where sections have other names or none, but only if Go linked it.
            assert_eq!(rows(&testing::elf(big, wide, &[(".data", &blob)])), [""; 0]);
            let linked = testing::elf(big, wide, &[(".data", &blob), (".gopclntab", b"")]);
            assert_eq!(rows(&linked), expected);
        }
    }
}

#[test]
fn lying_build_information_is_told() {
    let code = |blob: &[u8]| {
        extract("a", &testing::elf(false, true, &[(".go.buildinfo", blob)]))
            .map(|found| found.shown.len())
            .map_err(|error| error.code())
    };
    let mut long = inline(MODULES);
    long[32] = 0x7f;
    assert_eq!(code(&long), Err(Code::CorruptStructure));
    long.splice(32..33, [0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(code(&long), Err(Code::LimitReached));
    let mut odd = pointers(false, true, testing::BASE + 0x100, MODULES);
    odd[14] = 3;
    assert_eq!(code(&odd), Err(Code::CorruptStructure));
    odd[14] = 8;
    odd[32 + 8] = 0xff;
    odd[32 + 15] = 0xff;
    assert_eq!(code(&odd), Err(Code::LimitReached));
    assert_eq!(code(b"no mark"), Ok(0));
    let bare = extract("a", &testing::elf(false, true, &[(".gopclntab", b"x")])).unwrap_err();
    assert_eq!(bare.detail(), "a Go program without build information");
}

#[test]
fn crates_but_those_of_the_build_only() {
    let pack = |json: &str| {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(json.as_bytes()).unwrap();
        testing::elf(false, true, &[(".dep-v0", &packed.finish().unwrap())])
    };
    let list = r#"{"packages":[
        {"name":"a","version":"1.0.0","source":"crates.io","dependencies":[1,2,9]},
        {"name":"b","version":"2.0.0","source":"crates.io","kind":"build"},
        {"name":"c","version":"3.0.0","source":"git","kind":"runtime"},
        {"name":"m","version":"0.1.0","source":"local","root":true}]}"#;
    assert_eq!(rows(&pack(list)), ["cargo a 1.0.0", "cargo c 3.0.0", "cargo m 0.1.0"]);
    let origins: Vec<_> =
        extract("a", &pack(list)).unwrap().packages().into_iter().map(|p| p.origin).collect();
    assert_eq!(origins, [None, Some("git".to_owned()), Some("local".to_owned())]);
    assert_eq!(
        crate::inventory::testing::requirements(&extract("a", &pack(list)).unwrap()),
        ["a: c=3.0.0", "c:", "m:"]
    );
    assert_eq!(extract("a", &pack("[]")).unwrap_err().code(), Code::CorruptStructure);
    let bomb = pack(&" ".repeat(num(limits::CRATE_LIST_BYTES) + 1));
    assert_eq!(extract("a", &bomb).unwrap_err().code(), Code::LimitReached);
    let plain = testing::elf(false, true, &[(".dep-v0", b"{}")]);
    assert_eq!(extract("a", &plain).unwrap_err().code(), Code::CorruptStructure);
}

fn num(value: u64) -> usize {
    crate::num::to_usize(value)
}

#[test]
fn a_note_names_the_package() {
    let json =
        br#"{"type":"rpm","os":"fedora","name":"bash","version":"5.2.15-3.fc38","architecture":"x86_64"}"#;
    let note = |kind: u32| {
        let numbers = [4, json.len() as u32, kind].map(u32::to_be_bytes).concat();
        testing::elf(true, false, &[(".note.package", &[&numbers, &b"FDO\0"[..], json].concat())])
    };
    assert_eq!(rows(&note(0xcafe_1a7e)), ["generic bash 5.2.15-3.fc38"]);
    assert!(extract("a", &note(1)).is_err());
}

#[test]
fn versions_of_programs_in_the_table() {
    let text = [&[b'x'; 5000][..], b"\0BusyBox v1.36.1 (2023-05-18)\0"].concat();
    let elf = testing::elf(false, true, &[(".rodata", &text)]);
    let names = |path| {
        extract(path, &elf).unwrap().packages().into_iter().map(|p| (p.name, p.version)).collect::<Vec<_>>()
    };
    assert_eq!(names("bin/busybox"), [("busybox".to_owned(), "1.36.1".to_owned())]);
    assert_eq!(names("bin/other"), []);
}

#[test]
fn what_is_packed_is_told() {
    let mut elf = testing::elf(false, true, &[]);
    elf[0xf0..0xf4].copy_from_slice(b"UPX!");
    assert_eq!(rows(&elf), [""; 0], "the mark means nothing in a program with sections");
    elf[40..48].fill(0);
    assert_eq!(extract("a", &elf).unwrap_err().detail(), "a program that UPX packed");
}

#[test]
fn what_is_no_program_has_no_packages() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"MZ", b"\xca\xfe\xba\xbe\0\0\0\x41", b"\x7fELF"] {
        let found = extract("a", bytes).map(|found| found.shown.len());
        assert!(matches!(found, Ok(0)) || bytes.starts_with(b"\x7fELF"), "{bytes:?}");
    }
    let mut object = testing::elf(false, true, &[(".go.buildinfo", &inline(MODULES))]);
    object[16] = 1;
    assert_eq!(rows(&object), [""; 0]);
}

#[test]
fn a_program_of_neither_costs_two_reads_and_a_script_one() {
    let text = vec![7; 100_000];
    let elf = testing::elf(false, true, &[(".text", &text), (".rodata", &text)]);
    for (bytes, reads) in [(elf, 2), ([b"#!/bin/sh\n", text.as_slice()].concat(), 1)] {
        let counter = Arc::new(Counter::default());
        let content: Source = Arc::new(Counted::new(Arc::new(Memory::new(bytes)), Arc::clone(&counter)));
        let path = GuestPath::new("bin/tool");
        Binary.extract(&File::new(&path, &content, &|_| Ok(None))).unwrap();
        assert_eq!(counter.reads(), reads);
        assert!(counter.bytes() < 8192, "{}", counter.bytes());
    }
}

proptest::proptest! {
    #[test]
    fn never_panics(big: bool, wide: bool, at in 0usize..2000, byte: u8, cut in 0usize..2000) {
        let blob = pointers(big, wide, testing::BASE + 0x100, MODULES);
        let mut elf = testing::elf(big, wide, &[(".go.buildinfo", &blob), (".dep-v0", b"x"), (".note.package", b"y")]);
        if let Some(place) = elf.get_mut(at) {
            *place = byte;
        }
        let _ = extract("nginx", &elf);
        elf.truncate(cut);
        let _ = extract("nginx", &elf);
    }
}
