//! Hostile layer blobs and runtime databases: bounded time, no panic, and what each of them must not do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    Digest,
    block::{Memory, Source},
    database::bolt,
    fs::{GuestPath, Root},
    gap::{Code, Scope},
    layer::{self, LayerFacts, Walk},
};

use crate::shared::packed_corpus;

/// The facts of a blob and the codes of what is to be told of it, or the error.
fn blob(bytes: Vec<u8>) -> Result<(LayerFacts, Vec<Code>), String> {
    let digest = Digest::of(&bytes);
    let source: Source = Arc::new(Memory::new(bytes));
    let tree = layer::open_blob(&source, &digest, &digest, &layer::wants).map_err(|error| error.detail())?;
    let facts = layer::analyze(&Root::new(tree.fs).top(), Walk::whole("layer", Scope::Layer));
    // The digest of the tar inside is not known here.
    let notes = tree.notes.iter().filter(|note| !note.detail().starts_with("layer tar"));
    Ok((facts, notes.map(|note| note.code()).collect()))
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn layer_blobs() {
    let mut seen = 0;
    let packages = |facts: &LayerFacts| facts.files.iter().map(|file| file.packages.len()).sum::<usize>();
    packed_corpus(&["tar/", "compress/", "layer_evasion/"], |name, bytes| {
        let start = Instant::now();
        let found = blob(bytes);
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
        seen += 1;
        let facts = |found: &Result<(LayerFacts, Vec<Code>), String>| found.as_ref().unwrap().0.clone();
        let codes = |found: &Result<(LayerFacts, Vec<Code>), String>| found.as_ref().unwrap().1.clone();
        match name {
            "layer_evasion/hostile/status_hardlink.tar.gz" => assert_eq!(packages(&facts(&found)), 1),
            "layer_evasion/hostile/os_release_symlink_abs.tar.gz" => {
                assert!(
                    matches!(facts(&found).os[..], [layer::OsFile::Link(..)]),
                    "resolved later, inside the image"
                );
            }
            "compress/hostile/zeros_4GiB.gz" => {
                assert!(!codes(&found).is_empty() || facts(&found).entries == 0)
            }
            "compress/hostile/gzip_truncated.gz" | "compress/hostile/gzip_bad_crc.gz" => {
                assert!(found.is_err() || !codes(&found).is_empty(), "{found:?}");
            }
            "tar/hostile/hardlink_outside.tar" => {
                assert!(codes(&found).contains(&Code::CorruptStructure), "{:?}", codes(&found));
            }
            "tar/hostile/dotdot.tar" => {
                assert!(!facts(&found).shadow.has(&GuestPath::new("..")), "nothing lies above the root");
            }
            "tar/hostile/size_2_63.tar" => assert!(!codes(&found).is_empty()),
            _ => {}
        }
    });
    assert!(seen > 90, "{seen}");
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn bolt_databases() {
    let mut seen = 0;
    packed_corpus(&["bolt/"], |name, bytes| {
        let start = Instant::now();
        let found = bolt::read(Arc::new(Memory::new(bytes)));
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
        seen += 1;
        // A cut in the middle of a page that nothing uses any more loses nothing.
        if name.contains("cyclic") || name.contains("bucket_self") || name.contains("inline_bucket_trunc") {
            assert!(found.is_err() || !found.unwrap().damage.is_empty(), "{name}");
        }
    });
    assert!(seen > 25, "{seen}");
}
