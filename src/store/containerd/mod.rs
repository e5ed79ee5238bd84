//! containerd 1.4 to 2.x: `meta.db` (what there is), the content store (blobs), the snapshotters (unpacked
//! layers). The layout is that of containerd's `docs/ops.md` and of disks written by it.

mod any;
mod chains;
mod containers;
mod content;
mod cri;
mod images;
mod lent;
mod nerdctl;
mod snapshots;

pub(super) use chains::Chains;
pub use lent::{Lent, is_dockers};

use self::{content::ContentStore, snapshots::Snapshots};
use super::{Blob, Container, Contents, Form, LayerRef, LayerSources, Owners, Store, Unpacked};
use crate::{
    Digest, FormatError, Gap,
    database::bolt::{self, Bucket},
    fs::Root,
    gap::{Code, Scope},
};

const META_DB: &str = "io.containerd.metadata.v1.bolt/meta.db";

/// A containerd root directory, opened.
pub struct Containerd {
    root: Root,
    /// What nerdctl has beside it.
    nerdctl: Vec<Root>,
    /// Where the root directory is on the node, for messages.
    place: String,
    /// `v1` of `meta.db`: a bucket a namespace.
    meta: Bucket,
    content: ContentStore,
    snapshots: Snapshots,
    /// Whose the files are in containers, if it runs for a user without privileges.
    user: Option<Owners>,
    gaps: Vec<Gap>,
}

/// Opens the root directory of a containerd (`/var/lib/containerd`), where the tree that is given begins; `None` if it holds
/// no `meta.db`. Snapshotters that are programs of their own keep their state elsewhere on the node, whose root is given if
/// there is one.
pub fn open(root: &Root, node: Option<&Root>) -> Result<Option<Containerd>, FormatError> {
    let root = root.clone();
    let place = root.top().path.to_string();
    let Some(file) = root.find(META_DB.as_bytes())? else { return Ok(None) };
    let mut database = bolt::read(file.open()?)?;
    if database.root.bucket("v1").is_none() && !database.damage.is_empty() {
        // What could not be read is the reason, not what is missing because of it.
        return Err(database.damage.swap_remove(0));
    }
    let mut gaps: Vec<Gap> = database
        .damage
        .iter()
        .map(|error| {
            let effect = "images, containers or snapshots that only this page names are missing";
            Gap::from_error(error, Scope::Runtime, &place, effect).at(META_DB)
        })
        .collect();
    let Some(meta) = database.root.buckets.get(b"v1".as_slice()).cloned() else {
        return Err(FormatError::malformed("containerd meta.db", "no bucket v1"));
    };
    if let Some(version) = meta.value("version").and_then(varint)
        && !(1..=4).contains(&version)
    {
        let detail = format!("meta.db has schema version {version}, known are 1 to 4");
        gaps.push(Gap::new(
            Code::UnsupportedFeature,
            Scope::Runtime,
            &place,
            detail,
            "some of its state may be missing",
        ));
    }
    let nerdctl = node.map_or(Ok(Vec::new()), |node| nerdctl::directories(node, &place));
    let nerdctl = nerdctl.unwrap_or_else(|error| {
        let effect = "when containers of nerdctl's were started is not reported";
        gaps.push(Gap::from_error(&error, Scope::Runtime, &place, effect));
        Vec::new()
    });
    let snapshots = Snapshots::open(&root, node, &place, &meta, &mut gaps);
    let content = ContentStore::new(root.clone());
    Ok(Some(Containerd { root, nerdctl, place, meta, content, snapshots, user: None, gaps }))
}

impl Containerd {
    /// The same, of a user without privileges, in whose namespace of users owners are these.
    #[must_use]
    pub fn of_user(self, owners: Owners) -> Self {
        Self { user: Some(owners), ..self }
    }

    /// An unpacked layer, with the owners and attributes that it has for that user.
    fn seen(&self, unpacked: Unpacked) -> Unpacked {
        match (&self.user, unpacked.form) {
            (None, form) => Unpacked { form, ..unpacked },
            (Some(owners), form) => {
                let form = if matches!(form, Form::Overlay) { Form::UserOverlay } else { form };
                let owners = if unpacked.owners.is_same() { owners.clone() } else { unpacked.owners };
                Unpacked { form, owners, dir: unpacked.dir }
            }
        }
    }

    /// The namespaces: `k8s.io`, `moby`, `default`, …
    fn namespaces(&self) -> impl Iterator<Item = (String, &Bucket)> {
        self.meta.buckets.iter().map(|(name, bucket)| (String::from_utf8_lossy(name).into_owned(), bucket))
    }
}

impl Store for Containerd {
    fn runtime(&self) -> &'static str {
        "containerd"
    }

    fn contents(&self) -> Contents {
        let mut contents = Contents { gaps: self.gaps.clone(), ..Contents::default() };
        contents.images = images::read(self, &mut contents.gaps);
        containers::read(self, &mut contents);
        contents
    }

    fn layer(&self, layer: &LayerRef) -> LayerSources {
        let mut sources = LayerSources::default();
        let subject = layer.diff_id.to_string();
        match self.snapshots.committed(&layer.chain_id) {
            Ok(Some((unpacked, size))) => {
                sources.snapshot = Some(self.seen(unpacked));
                sources.snapshot_size = size;
            }
            Ok(None) => {}
            Err(error) => {
                let effect = "the layer is read from its blob, if that is there";
                sources.gaps.push(Gap::from_error(&error, Scope::Layer, &subject, effect));
            }
        }
        if let Some(descriptor) = &layer.blob {
            match self.content.open(&descriptor.digest) {
                Ok(Some(bytes)) => {
                    let media_type = descriptor.media_type.clone();
                    sources.blob = Some(Blob { digest: descriptor.digest.clone(), media_type, bytes });
                }
                // Discarded after unpacking, as managed Kubernetes does: no gap while the snapshot is there.
                Ok(None) => {}
                Err(error) => {
                    let effect = "the layer is read from its snapshot, if that is there";
                    sources.gaps.push(Gap::from_error(&error, Scope::Layer, &subject, effect));
                }
            }
        }
        sources
    }

    fn is_bound(&self, layer: &LayerRef) -> bool {
        self.snapshots.is_whole(&layer.chain_id)
    }

    fn between(&self, layer: &LayerRef) -> Result<Vec<Unpacked>, FormatError> {
        let layers = self.snapshots.between(layer)?;
        Ok(layers.into_iter().map(|layer| self.seen(layer)).collect())
    }

    fn writable_layers(&self, container: &Container) -> Result<Vec<Unpacked>, FormatError> {
        let Some((snapshotter, key)) = &container.snapshot else { return Ok(Vec::new()) };
        self.own_layers(&container.namespace, snapshotter, key)
    }

    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        self.content.document(digest, "image document")
    }
}

/// A Go varint as `encoding/binary` writes it: zigzag.
fn varint(bytes: &[u8]) -> Option<i64> {
    let raw = uvarint(bytes)?;
    let half = i64::try_from(raw >> 1).ok()?;
    Some(if raw & 1 == 0 { half } else { !half })
}

/// A Go unsigned varint.
fn uvarint(bytes: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (byte, shift) in bytes.iter().zip((0u32..64).step_by(7)) {
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A Go `time.Time` as its `MarshalBinary` writes it: a version, seconds since year 1, nanoseconds, minutes
/// of the zone. As RFC 3339 in UTC.
fn go_time(bytes: &[u8]) -> Option<String> {
    const YEAR_1_TO_1970: i64 = 62_135_596_800;
    let (version, rest) = bytes.split_first()?;
    if !matches!(version, 1 | 2) {
        return None;
    }
    let seconds = i64::from_be_bytes(*rest.first_chunk()?).checked_sub(YEAR_1_TO_1970)?;
    let nanos = u32::from_be_bytes(*rest.get(8..)?.first_chunk()?);
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?.replace_nanosecond(nanos).ok()?;
    // The zero time means "not set".
    (time.year() > 1).then(|| time.format(&time::format_description::well_known::Rfc3339).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_encodings() {
        assert_eq!(varint(&[6]), Some(3));
        assert_eq!(varint(&[5]), Some(-3));
        assert_eq!(uvarint(&[0x96, 0x01]), Some(150));
        assert_eq!(uvarint(&[0x80; 11]), None);
        let seconds: i64 = 62_135_596_800 + 1_692_887_520;
        let bytes =
            |nanos: u32| [&[1][..], &seconds.to_be_bytes(), &nanos.to_be_bytes(), &[0xff, 0xff]].concat();
        assert_eq!(go_time(&bytes(0)).as_deref(), Some("2023-08-24T14:32:00Z"));
        assert_eq!(go_time(&bytes(1_020)).as_deref(), Some("2023-08-24T14:32:00.00000102Z"));
        assert_eq!(go_time(&bytes(u32::MAX)), None);
    }
}
