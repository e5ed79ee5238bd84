//! Podman's databases, without a disk: fixtures of the repository, with what Podman listed of them.

use std::path::Path;

use icecore::{
    fs::{Root, memory},
    store::{Store, containers_storage},
};

use super::{containers, tally::Tally, truth::Truth};

#[test]
fn podmans_databases_tell_what_podman_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("disk-fixtures/podman");
    let mut tally = Tally::default();
    for (file, place) in [("bolt_state.db", "libpod/bolt_state.db"), ("db.sql", "db.sql")] {
        let bytes = std::fs::read(folder.join(format!("{file}.zst"))).unwrap();
        let listed = std::fs::read(folder.join(format!("{file}.json"))).unwrap();
        let mut listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
        listed["runtime"] = "podman".into();
        listed["images"] = serde_json::json!([]);
        let listed: Truth = serde_json::from_value(listed).unwrap();
        let mut files = memory::Tree::default();
        files.file(place, zstd::decode_all(&bytes[..]).unwrap());
        let setting = containers_storage::Setting::default();
        let store = containers_storage::open(&Root::new(files.build()), &setting).unwrap().unwrap();
        let contents = store.contents();
        assert_eq!((store.runtime(), &contents.gaps), ("podman", &Vec::new()));
        containers::judge_store(&contents, &listed, &mut tally.of(file));
    }
    tally.tell("databases");
}
