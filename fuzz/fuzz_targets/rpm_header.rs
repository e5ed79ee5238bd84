#![no_main]

use libfuzzer_sys::fuzz_target;

// The header is the only blob of an ndb database around it.
fuzz_target!(|data: &[u8]| {
    let Ok(length) = u32::try_from(data.len()) else { return };
    let blocks = (length + 16 + 12).div_ceil(16);
    let mut file = b"RpmP\0\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    file.resize(32, 0);
    file.extend(b"Slot\x01\0\0\0\0\x01\0\0");
    file.extend(blocks.to_le_bytes());
    while file.len() < 4096 {
        file.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    file.extend(b"BlbS\x01\0\0\0\0\0\0\0");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file.resize(4096 + blocks as usize * 16 - 8, 0);
    file.extend(length.to_le_bytes());
    file.extend(b"BlbE");
    icecore_fuzz::extract("var/lib/rpm/Packages.db", &file, None);
});
