//! `bolt_state.db` (libpod, `boltdb_state.go`): `ctr`, `pod` and `vol` have a bucket for each of theirs, with the documents
//! `config` and `state`.

use super::{Kind, Libpod};
use crate::{database::bolt, error::FormatError, fs::Root, store::containers_storage::big_data};

pub(super) fn read(root: &Root, path: &str, libpod: &mut Libpod) -> Result<(), FormatError> {
    let Some(file) = big_data::open(root, path)? else { return Ok(()) };
    libpod.is_there = true;
    let database = bolt::read(file)?;
    database.damage.into_iter().for_each(|error| libpod.lose(error));
    let kinds = [
        ("ctr", Kind::Container, Some(Kind::ContainerState)),
        ("pod", Kind::Pod, Some(Kind::PodState)),
        ("vol", Kind::Volume, None),
    ];
    for (name, config, state) in kinds {
        for (id, bucket) in database.root.bucket(name).map(|all| &all.buckets).into_iter().flatten() {
            let id = String::from_utf8_lossy(id);
            for (key, kind) in [("config", Some(config)), ("state", state)] {
                if let Some((json, kind)) = bucket.value(key).zip(kind) {
                    libpod.add(kind, &id, json);
                }
            }
        }
    }
    Ok(())
}
