//! Images: the references of every namespace, each led to the images that the node has under that name.

use super::Containerd;
use crate::{
    Digest, Gap,
    block::Source,
    database::bolt::Bucket,
    error::FormatError,
    gap::Scope,
    store::{
        Image, LayerRef,
        resolve::{self, Blobs, Reference},
    },
};

impl Blobs for Containerd {
    fn open(&self, digest: &Digest) -> Result<Option<Source>, FormatError> {
        self.content.open(digest)
    }

    fn is_own(&self, layers: &[LayerRef]) -> bool {
        layers.last().is_some_and(|top| self.snapshots.unpacked(&top.chain_id))
    }
}

/// Every image of every namespace, sorted by id.
pub(super) fn read(containerd: &Containerd, gaps: &mut Vec<Gap>) -> Vec<Image> {
    let mut references = Vec::new();
    for (namespace, bucket) in containerd.namespaces() {
        for (name, image) in bucket.bucket("images").map(|images| &images.buckets).into_iter().flatten() {
            // Docker's way to say that an image has no name.
            let is_name = |name: &String| !name.starts_with("moby-dangling@");
            let name = Some(String::from_utf8_lossy(name).into_owned()).filter(is_name).unwrap_or_default();
            match target(image) {
                Ok((target, media_type)) => {
                    references.push(Reference { name, target, media_type, pinned: pinned(image) });
                }
                Err(error) => {
                    let subject = format!("{namespace}/{name}");
                    gaps.push(Gap::from_error(&error, Scope::Image, subject, "the image is not reported"));
                }
            }
        }
    }
    resolve::images(containerd, references)
}

fn target(image: &Bucket) -> Result<(Digest, String), FormatError> {
    let corrupt = |problem: String| FormatError::malformed("containerd image record", problem);
    let target = image.bucket("target").ok_or_else(|| corrupt("no target".to_owned()))?;
    let digest = target.text("digest").ok_or_else(|| corrupt("no target digest".to_owned()))?;
    let digest = digest.parse().map_err(|error| corrupt(format!("target: {error}")))?;
    Ok((digest, target.text("mediatype").unwrap_or_default()))
}

fn pinned(image: &Bucket) -> bool {
    image.bucket("labels").is_some_and(|labels| labels.value("io.cri-containerd.pinned").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fs::{Root, memory::Tree};
    use crate::gap::Code;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

    #[derive(Default)]
    struct Blobs(Tree);

    impl Blobs {
        fn add(&mut self, document: &Value) -> Digest {
            let text = document.to_string();
            let digest = Digest::of(text.as_bytes());
            self.0.file(&format!("io.containerd.content.v1.content/blobs/sha256/{}", digest.hex()), text);
            digest
        }

        /// A manifest of one layer for this architecture, and the layer's chain id.
        fn image(&mut self, architecture: &str) -> (Digest, Digest) {
            let layer = Digest::of(architecture.as_bytes());
            let config =
                json!({"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": [layer]}});
            let config = self.add(&config);
            let layers = json!([{"digest": layer}]);
            (self.add(&json!({"config": {"mediaType": CONFIG, "digest": config}, "layers": layers})), layer)
        }

        /// A containerd with one reference to each of these targets, and these chain ids unpacked.
        fn read(self, targets: &[&Digest], unpacked: &[&Digest]) -> Vec<Image> {
            let bucket = |buckets: Vec<(String, Bucket)>| Bucket {
                buckets: buckets.into_iter().map(|(name, bucket)| (name.into_bytes(), bucket)).collect(),
                ..Bucket::default()
            };
            let values = |values: &[(&str, String)]| Bucket {
                values: values.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.clone().into_bytes())).collect(),
                ..Bucket::default()
            };
            let images = targets.iter().enumerate().map(|(number, digest)| {
                let target = values(&[("digest", digest.to_string()), ("mediatype", INDEX.to_owned())]);
                (format!("name:{number}"), bucket(vec![("target".to_owned(), target)]))
            });
            let images = bucket(images.collect());
            let keys =
                unpacked.iter().map(|chain| (chain.to_string(), values(&[("name", chain.to_string())])));
            let snapshots = bucket(vec![("overlayfs".to_owned(), bucket(keys.collect()))]);
            let namespace = bucket(vec![("images".to_owned(), images), ("snapshots".to_owned(), snapshots)]);
            let meta = bucket(vec![("k8s.io".to_owned(), namespace)]);
            let root = Root::new(self.0.build());
            let mut gaps = Vec::new();
            let snapshots = super::super::Snapshots::open(&root, None, "/", &meta, &mut gaps);
            let content = super::super::ContentStore::new(root.clone());
            let place = "/".to_owned();
            read(
                &Containerd { root, nerdctl: Vec::new(), place, meta, content, snapshots, user: None, gaps },
                &mut Vec::new(),
            )
        }
    }

    fn child(digest: &Digest, architecture: &str) -> Value {
        json!({"mediaType": MANIFEST, "digest": digest,
            "platform": {"os": "linux", "architecture": architecture}})
    }

    #[test]
    fn an_annotation_does_not_hide_an_image_that_was_unpacked() {
        let mut blobs = Blobs::default();
        let ((own, chain), (decoy, _)) = (blobs.image("amd64"), blobs.image("arm64"));
        let mut marked = child(&own, "amd64");
        marked["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        let index = blobs.add(&json!({"manifests": [marked, child(&decoy, "arm64")]}));
        let images = blobs.read(&[&index], &[&chain]);
        assert_eq!(images.iter().map(|i| i.platform.as_str()).collect::<Vec<_>>(), ["linux/amd64"]);
    }

    #[test]
    fn an_image_of_another_platform_does_not_hide_that_the_own_one_is_lost() {
        let mut blobs = Blobs::default();
        let ((first, chain), (other, _)) = (blobs.image("amd64"), blobs.image("arm64"));
        let lost = Digest::of(b"lost");
        let index = blobs.add(&json!({"manifests": [child(&lost, "amd64"), child(&other, "arm64")]}));
        let images = blobs.read(&[&first, &index], &[&chain]);
        let other = images.iter().find(|image| image.platform == "linux/arm64").unwrap();
        assert_eq!(other.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::BlobMissing]);
    }

    #[test]
    fn indexes_that_name_the_same_again_and_again_are_read_once() {
        let mut blobs = Blobs::default();
        let attestation = json!({"digest": Digest::of(b"x"),
            "platform": {"os": "unknown", "architecture": "unknown"}});
        let mut below = blobs.add(&json!({"manifests": [attestation]}));
        for _ in 0..6 {
            below = blobs.add(&json!({"manifests": vec![json!({"digest": below}); 12]}));
        }
        let images = blobs.read(&[&below], &[]);
        assert_eq!(images[0].gaps.len(), 1);
    }

    #[test]
    fn what_a_bound_cuts_off_is_told() {
        let mut blobs = Blobs::default();
        let (own, _) = blobs.image("amd64");
        let mut index = own.clone();
        for _ in 0..12 {
            index = blobs.add(&json!({"manifests": [{"digest": index}]}));
        }
        let images = blobs.read(&[&index], &[]);
        assert_eq!(images[0].gaps[0].code, Code::LimitReached);
    }

    #[test]
    fn a_manifest_of_the_own_platform_that_cannot_be_believed_is_told_beside_another() {
        let mut blobs = Blobs::default();
        let (harmless, chain) = blobs.image("amd64");
        let forged = Digest::of(b"real");
        blobs.0.file(&format!("io.containerd.content.v1.content/blobs/sha256/{}", forged.hex()), "{}");
        let index = blobs.add(&json!({"manifests": [child(&forged, "amd64"), child(&harmless, "amd64")]}));
        let images = blobs.read(&[&index], &[&chain]);
        assert_eq!(images[0].gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::BlobDigestMismatch]);
    }

    #[test]
    fn an_image_replaces_a_reference_to_its_configuration_alone() {
        let mut blobs = Blobs::default();
        let (manifest, _) = blobs.image("amd64");
        let layer = Digest::of(b"amd64");
        let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [layer]}});
        let config = Digest::of(config.to_string().as_bytes());
        let images = blobs.read(&[&config, &manifest], &[]);
        assert_eq!(images.iter().map(|image| image.layers.len()).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_blob_that_is_there_is_preferred_to_one_that_a_manifest_only_names() {
        let mut blobs = Blobs::default();
        let diff_id = Digest::of(b"layer");
        let config = blobs.add(&json!({"architecture": "amd64", "rootfs": {"diff_ids": [diff_id]}}));
        let there = blobs.add(&json!({"any": "bytes"}));
        let mut manifest = |layer: &Digest| {
            let config = json!({"mediaType": CONFIG, "digest": config});
            blobs.add(&json!({"config": config, "layers": [{"digest": layer}]}))
        };
        let manifests =
            [manifest(&Digest::of(b"gone")), manifest(&there), manifest(&Digest::of(b"gone too"))];
        let images = blobs.read(&manifests.iter().collect::<Vec<_>>(), &[]);
        let blobs: Vec<_> =
            images.iter().map(|image| image.layers[0].blob.as_ref().map(|b| &b.digest)).collect();
        assert_eq!(blobs, [Some(&there)]);
    }
}
