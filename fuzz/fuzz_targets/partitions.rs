#![no_main]

use icecore::volume;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(table) = volume::volumes(&icecore_fuzz::source(data), 0) else { return };
    for volume in volume::assemble(table.volumes).volumes {
        let _ = volume::signature(&volume.source);
        volume.source.will_need(0, 1 << 20);
    }
});
