//! The records of `layers.json`, `images.json` and `containers.json`, as containers/storage's `layers.go`, `images.go` and
//! `containers.go` write them: a list each, read one record after the other, so that a file which was cut off, or a record
//! of another shape, loses what it hit and nothing else.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{
    error::{self, FormatError},
    fs::Root,
    limits,
    store::oci::nullable,
};

/// A layer: of an image, or what a container writes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct LayerRecord {
    pub(super) id: String,
    /// The layer below, empty at the base.
    pub(super) parent: String,
    /// The digest of the uncompressed tar, empty for what no tar made.
    pub(super) diff_digest: String,
    /// The digest of the blob that was pulled.
    pub(super) compressed_diff_digest: String,
    /// The bytes of that blob.
    pub(super) compressed_size: u64,
    /// The bytes of the tar, as far as they were counted.
    pub(super) diff_size: u64,
    /// `incomplete` is in it while the layer is being made.
    #[serde(deserialize_with = "nullable")]
    pub(super) flags: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nullable")]
    pub(super) uidmap: Vec<IdMap>,
    #[serde(deserialize_with = "nullable")]
    pub(super) gidmap: Vec<IdMap>,
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ImageRecord {
    pub(super) id: String,
    /// Of a manifest or index.
    pub(super) digest: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) names: Vec<String>,
    /// The top layer.
    pub(super) layer: String,
    /// Copies of the top layer with other owners, for containers with user namespaces.
    #[serde(deserialize_with = "nullable")]
    pub(super) mapped_layers: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) big_data_names: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) big_data_digests: BTreeMap<String, String>,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ContainerRecord {
    pub(super) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) names: Vec<String>,
    /// The id of its image's record.
    pub(super) image: String,
    /// The layer that it writes.
    pub(super) layer: String,
    /// A document of the engine's own.
    pub(super) metadata: String,
    pub(super) created: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) uidmap: Vec<IdMap>,
    #[serde(deserialize_with = "nullable")]
    pub(super) gidmap: Vec<IdMap>,
}

/// A range of owners in a container, and the same outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct IdMap {
    pub(super) container_id: u32,
    pub(super) host_id: u32,
    pub(super) size: u32,
}

/// What has an id, by which records of one list are told apart.
pub(super) trait Record: DeserializeOwned + PartialEq {
    fn id(&self) -> &str;
}

impl Record for LayerRecord {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Record for ImageRecord {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Record for ContainerRecord {
    fn id(&self) -> &str {
        &self.id
    }
}

/// The records of a list by their ids, and what of it could not be read.
pub(super) struct Listed<T> {
    pub(super) records: BTreeMap<String, T>,
    pub(super) damage: Vec<FormatError>,
}

/// Reads a list, `None` if there is no such file.
pub(super) fn list<T: Record>(
    root: &Root,
    path: &str,
    name: &'static str,
) -> Result<Option<Listed<T>>, FormatError> {
    let Some(bytes) = root.read_regular(path.as_bytes(), name, limits::STORAGE_LIST_BYTES)? else {
        return Ok(None);
    };
    let mut reader = Reader { name, path, count: 0, records: BTreeMap::new(), damage: Vec::new() };
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let read = Seed::<T>(&mut reader, PhantomData).deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = read
        && reader.count <= limits::STORAGE_RECORDS
    {
        reader.lost(format!("after {} records: {error}", reader.count));
    }
    Ok(Some(Listed { records: reader.records, damage: reader.damage }))
}

struct Reader<'a, T> {
    name: &'static str,
    path: &'a str,
    count: usize,
    records: BTreeMap<String, T>,
    damage: Vec<FormatError>,
}

impl<T: Record> Reader<'_, T> {
    fn lost(&mut self, problem: String) {
        let problem = format!("{}: {problem}", self.path);
        error::note(&mut self.damage, FormatError::malformed(self.name, problem));
    }

    fn add(&mut self, value: Value) {
        let record: T = match serde_json::from_value(value) {
            Ok(record) => record,
            Err(error) => return self.lost(format!("record {}: {error}", self.count)),
        };
        if !is_plain(record.id()) {
            return self.lost(format!("record {}: the id {:?} is no name", self.count, shown(record.id())));
        }
        let id = record.id().to_owned();
        // The last one counts, as it does for the runtime.
        if self.records.insert(id.clone(), record).is_some_and(|old| Some(&old) != self.records.get(&id)) {
            self.lost(format!("the id {id:?} is recorded twice"));
        }
    }
}

/// Whether something is a name of a file, and not a way to another place.
pub(super) fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !matches!(name, "" | "." | "..") && name.len() <= 255 && name.bytes().all(is_plain)
}

/// The beginning of what a guest wrote, for messages.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

struct Seed<'a, 'b, T>(&'a mut Reader<'b, T>, PhantomData<T>);

impl<'de, T: Record> DeserializeSeed<'de> for Seed<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T: Record> Visitor<'de> for Seed<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    /// Go writes an empty list as `null`.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let reader = self.0;
        while let Some(value) = list.next_element::<Value>()? {
            reader.count = reader.count.saturating_add(1);
            if reader.count > limits::STORAGE_RECORDS {
                let what = format!("{}: more than {} records", reader.path, limits::STORAGE_RECORDS);
                error::note(&mut reader.damage, FormatError::limit(what));
                return Err(A::Error::custom("too many"));
            }
            reader.add(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fs::memory::Tree, gap::Code};

    fn read(text: &str) -> Listed<LayerRecord> {
        let mut tree = Tree::default();
        tree.file("layers.json", text);
        list(&Root::new(tree.build()), "layers.json", "layers").unwrap().unwrap()
    }

    fn ids(listed: &Listed<LayerRecord>) -> Vec<&str> {
        listed.records.keys().map(String::as_str).collect()
    }

    #[test]
    fn what_is_wrong_loses_what_it_hit() {
        let bad = r#"[{"id":"a"},{"id":7},{"id":"../b"},{"id":"c\nd"},{"id":""},{"id":"e","parent":"a"}]"#;
        let listed = read(bad);
        assert_eq!(ids(&listed), ["a", "e"]);
        assert_eq!(listed.damage.len(), 4);
        let cut = read(r#"[{"id":"a"},{"id":"b","par"#);
        assert_eq!((ids(&cut), cut.damage.len()), (vec!["a"], 1));
        assert!(cut.damage[0].detail().contains("after 1 records"), "{}", cut.damage[0].detail());
        for none in ["", "{}", "[[[", "\0\0\0\0"] {
            assert_eq!((read(none).records.len(), read(none).damage.len()), (0, 1), "{none:?}");
        }
        assert!(read("null").damage.is_empty() && read("[]").damage.is_empty());
    }

    #[test]
    fn of_two_records_of_one_id_the_last_counts_and_that_is_told() {
        let listed = read(r#"[{"id":"a","parent":"x"},{"id":"a","parent":"y"},{"id":"b"},{"id":"b"}]"#);
        assert_eq!(listed.records["a"].parent, "y");
        assert_eq!(listed.damage.len(), 1);
    }

    #[test]
    fn there_are_only_so_many_records() {
        let all: Vec<String> = (0..100_000).map(|n| format!("{{\"id\":\"{n}\"}}")).collect();
        let listed = read(&format!("[{}]", all.join(",")));
        assert_eq!(listed.records.len(), limits::STORAGE_RECORDS);
        assert_eq!(listed.damage.iter().map(FormatError::code).collect::<Vec<_>>(), [Code::LimitReached]);
    }
}
