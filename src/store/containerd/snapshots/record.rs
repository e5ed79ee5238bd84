//! A snapshotter's `metadata.db`: `v1/snapshots/<name>`, where the name is `<namespace>/<number>/<key>`.

use std::collections::BTreeMap;

use crate::{
    database::bolt::{self, Bucket},
    error::FormatError,
    fs::Root,
    store::{
        IdRange, Owners,
        containerd::{uvarint, varint},
    },
};

/// What a snapshot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    View,
    Active,
    Committed,
}

/// A snapshot as its snapshotter knows it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The number that its directory is called by.
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// The name of the snapshot below it.
    pub(super) parent: Option<String>,
    /// Bytes of disk that it took when it was committed.
    pub(super) size: Option<u64>,
    /// The user namespace of a container for which it was made.
    pub(super) owners: Owners,
    /// Whether its files are somewhere else.
    pub(super) remote: bool,
}

/// A label of snapshots that a lazy snapshotter has prepared without fetching them.
const REMOTE: &str = "containerd.io/snapshot/remote";
const USERS: &str = "containerd.io/snapshot/uidmapping";
const GROUPS: &str = "containerd.io/snapshot/gidmapping";

/// The snapshots by name, and the pages that could not be read.
pub(super) fn read(base: &Root) -> Result<(BTreeMap<String, Record>, Vec<FormatError>), FormatError> {
    let file = base.find(b"metadata.db")?;
    let file = file.ok_or_else(|| FormatError::malformed("snapshotter", "metadata.db is not there"))?;
    let database = bolt::read(file.open()?)?;
    let snapshots = database.root.bucket("v1").and_then(|v1| v1.bucket("snapshots"));
    let all = snapshots.map(|snapshots| &snapshots.buckets).into_iter().flatten();
    let records = all.filter_map(|(name, snapshot)| {
        Some((String::from_utf8_lossy(name).into_owned(), Record::of(snapshot)?))
    });
    Ok((records.collect(), database.damage))
}

impl Record {
    fn of(snapshot: &Bucket) -> Option<Self> {
        let labels = snapshot.bucket("labels").map(Bucket::texts).unwrap_or_default();
        let mapping = |key: &str| labels.get(key).map(|text| ranges(text)).unwrap_or_default();
        Some(Self {
            id: snapshot.value("id").and_then(uvarint)?,
            kind: match snapshot.value("kind").and_then(|kind| kind.first()) {
                Some(1) => Kind::View,
                Some(2) => Kind::Active,
                _ => Kind::Committed,
            },
            parent: snapshot.text("parent").filter(|parent| !parent.is_empty()),
            size: snapshot.value("size").and_then(varint).and_then(|size| size.try_into().ok()),
            owners: Owners { users: mapping(USERS), groups: mapping(GROUPS) },
            remote: labels.contains_key(REMOTE),
        })
    }
}

/// `inside:outside:count`, several of them separated by commas.
fn ranges(text: &str) -> Vec<IdRange> {
    let range = |text: &str| {
        let mut numbers = text.split(':').map(|number| number.trim().parse::<u32>());
        let (inside, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(IdRange { inside, outside, count })
    };
    text.split(',').filter_map(range).collect()
}
