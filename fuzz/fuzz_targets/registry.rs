//! Any bytes as a registry hive; their checksum is made right.
#![no_main]

use icecore::database::registry::Hive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if bytes.len() > 512 {
        let words = bytes[..508].as_chunks::<4>().0;
        let sum = words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
        let sum = if sum == 0 { 1 } else { sum - u32::from(sum == u32::MAX) };
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    }
    let Ok(hive) = Hive::open(icecore_fuzz::source(&bytes)) else { return };
    let _ = hive.key(&["Microsoft", "Windows NT", "CurrentVersion"]);
    let mut todo = Vec::from_iter(hive.root().ok());
    for _ in 0..500 {
        let Some(key) = todo.pop() else { break };
        for value in hive.values(&key).unwrap_or_default().list {
            let _ = (value.text(), value.number());
        }
        todo.extend(hive.children(&key).unwrap_or_default().list);
    }
});
