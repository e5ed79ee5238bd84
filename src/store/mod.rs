//! Container runtimes' state: a state directory in, images, layers, containers and pods out.
//!
//! A store names what it cannot read in gaps and goes on: one image without its manifest does not hide the
//! others.

pub mod archive;
mod container;
pub mod containerd;
pub mod containers_storage;
pub mod docker;
mod image;
mod kubelet;
mod loose;
mod lost;
pub mod oci;
mod resolve;
mod unpacked;

pub(crate) use container::SANDBOX_NAME;
pub use container::{Compose, Container, ContainerKind, Mount, Pod, PodRef, State};
pub use image::{Image, LayerRef};
pub use kubelet::{KubeletContainer, KubeletPod, pods as kubelet_pods};
pub use loose::LooseLayer;
pub use unpacked::{Form, Unpacked};

pub use crate::fs::{IdRange, Owners};
use crate::{Digest, FormatError, Gap, block::Source, fs::Handle};

/// All that a store knows, each list sorted by id.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The images.
    pub images: Vec<Image>,
    /// The containers, without the sandboxes of pods.
    pub containers: Vec<Container>,
    /// The containers that only hold the namespaces of pods.
    pub sandboxes: Vec<Container>,
    /// The pods.
    pub pods: Vec<Pod>,
    /// Layers that belong to no image and no container.
    pub loose: Vec<LooseLayer>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Contents {
    /// The containers and the sandboxes.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().chain(&self.sandboxes)
    }
}

/// Where the files of a layer are to be had. Managed Kubernetes throws unpacked blobs away, and a snapshot
/// may hold files whose data never reached the disk, so either may be missing.
#[derive(Default)]
pub struct LayerSources {
    /// The unpacked layer.
    pub snapshot: Option<Unpacked>,
    /// Bytes of disk that the snapshot took when it was unpacked, if the runtime recorded it.
    pub snapshot_size: Option<u64>,
    /// The layer as it was pulled.
    pub blob: Option<Blob>,
    /// Why one of them is not there although the runtime's metadata names it.
    pub gaps: Vec<Gap>,
}

/// What a runtime keeps of a layer's tar to make it again, byte for byte.
#[derive(Clone)]
pub struct TarSplit {
    /// The list of its pieces and files, compressed.
    pub list: Source,
    /// The directory of the layer's files, as the storage driver keeps it.
    pub dir: Handle,
}

/// A layer blob: a tar, usually compressed.
#[derive(Clone)]
pub struct Blob {
    /// The digest that its bytes must have.
    pub digest: Digest,
    /// Its media type, as the manifest tells.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Source,
}

/// A runtime's state directory, opened.
pub trait Store: Send + Sync {
    /// The runtime's name (`containerd`).
    fn runtime(&self) -> &'static str;

    /// Everything that it holds.
    fn contents(&self) -> Contents;

    /// Where a layer of one of its images is.
    fn layer(&self, layer: &LayerRef) -> LayerSources;

    /// What the tar of an unpacked layer is made of again, `None` if the runtime keeps nothing of it.
    fn tar_split(&self, _layer: &LayerRef) -> Result<Option<TarSplit>, FormatError> {
        Ok(None)
    }

    /// Whether an unpacked layer is right over the layers below it only. A driver that keeps whole trees tells what a layer
    /// changed of those: over others, the same layer removes other files.
    fn is_bound(&self, layer: &LayerRef) -> bool {
        self.layer(layer).snapshot.is_some_and(|unpacked| matches!(unpacked.form, Form::Whole(Some(_))))
    }

    /// What the runtime mounts between a layer of an image and the one below it, base first, although the image has no such
    /// layer: Docker leaves its `-init` snapshots under what it commits into a containerd.
    fn between(&self, _layer: &LayerRef) -> Result<Vec<Unpacked>, FormatError> {
        Ok(Vec::new())
    }

    /// The layers that the runtime put over the image for a container, base first: the last is the one that the
    /// container writes, those below it (Docker's `-init`) are the runtime's own. None if the runtime names none.
    fn writable_layers(&self, container: &Container) -> Result<Vec<Unpacked>, FormatError>;

    /// The bytes of a manifest, index or configuration, as far as the runtime keeps them.
    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FormatError>;
}
