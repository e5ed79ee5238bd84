//! Any bytes as a program, of which most are zeros; by its name its constants are searched too.
#![no_main]

use icecore::{
    fs::{FileKind, GuestPath},
    inventory::{EXTRACTORS, File},
};
use icecore_fuzz::sparse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = GuestPath::new("usr/local/bin/python3.11");
    let extractor = EXTRACTORS.iter().find(|e| e.wants(&path, FileKind::Regular)).expect("an extractor");
    let program = sparse::disks(data).swap_remove(0);
    let _ = extractor.extract(&File::new(&path, &program, &|_| Ok(None)));
});
