//! Images: chosen by name, folded from their layers' facts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use rayon::prelude::*;

use super::{OpenStore, Progress, convert, layers::Layers};
use crate::{
    Digest, Gap, block,
    gap::{Code, Scope},
    image::{self, Inventory},
    limits, num, report,
    store::{Container, Image, Pod},
};

/// Namespaces of a cluster's own components, and of what clouds and distributions bring along.
const SYSTEM_NAMESPACES: [&str; 7] = [
    "calico-system",
    "gatekeeper-system",
    "gke-managed-system",
    "gmp-system",
    "rook-ceph",
    "tigera-operator",
    "cattle-system",
];
/// Beginnings of names that Kubernetes and OpenShift reserve for their own.
const SYSTEM_PREFIXES: [&str; 2] = ["kube-", "openshift-"];

fn is_system(namespace: &str) -> bool {
    SYSTEM_NAMESPACES.contains(&namespace)
        || SYSTEM_PREFIXES.iter().any(|prefix| namespace.starts_with(prefix))
}

/// An image of the report before its packages are matched.
pub(super) struct Folded<'a> {
    pub(super) image: &'a Image,
    pub(super) inventory: Inventory,
}

/// Every image whose name or digest fits one of the patterns (or, without any, every image), once: two stores may hold the
/// same one.
pub(super) fn choose<'a>(stores: &'a [OpenStore], patterns: &[String]) -> Vec<&'a Image> {
    let mut chosen: BTreeMap<&Digest, &Image> = BTreeMap::new();
    for image in stores.iter().flat_map(|store| &store.contents.images) {
        if patterns.is_empty() || patterns.iter().any(|pattern| fits(image, pattern)) {
            let known = chosen.entry(&image.id).or_insert(image);
            // One store may have lost what another knows.
            if known.layers.is_empty() {
                *known = image;
            }
        }
    }
    chosen.into_values().collect()
}

/// The patterns that fit no image: who gave one with a slip of the pen is not told that all is well.
pub(super) fn unfit(stores: &[OpenStore], patterns: &[String]) -> Vec<Gap> {
    let images = stores.iter().flat_map(|store| &store.contents.images);
    let unfit = patterns.iter().filter(|pattern| !images.clone().any(|image| fits(image, pattern)));
    let gap = |pattern: &String| {
        let detail = match images.clone().count() {
            0 => "no image fits this pattern, as there is none".to_owned(),
            count => format!("none of {count} images has a name or digest that fits this pattern"),
        };
        let effect = "what it was to choose is not in the report";
        Gap::new(Code::NoSuchImage, Scope::Image, block::shown_word(pattern), detail, effect)
    };
    unfit.map(gap).collect()
}

/// Whether an image has a name or digest that fits a pattern with `*` and `?`.
pub(super) fn fits(image: &Image, pattern: &str) -> bool {
    let pattern = wildmatch::WildMatch::new(pattern);
    let digests = image.manifests.iter().chain([&image.id]).map(ToString::to_string);
    image.references.iter().cloned().chain(digests).any(|name| pattern.matches(&name))
}

/// Folds the chosen images.
pub(super) fn fold<'a>(
    chosen: &[&'a Image],
    layers: &Layers<'_>,
    progress: &dyn Progress,
) -> Vec<Folded<'a>> {
    progress.stage("images", num::to_u64(chosen.len()));
    let rows = AtomicU64::new(0);
    chosen
        .par_iter()
        .map(|image| {
            let facts = layers.facts(image).unwrap_or_default();
            let inventory = match rows.load(Relaxed) > limits::SCAN_PACKAGES {
                true => too_much(image),
                false => image::fold(&facts, &image.id.to_string(), &|| layers.trees(image)),
            };
            let listed = inventory.packages.len().saturating_add(inventory.declared.len());
            let needed: usize = inventory.packages.iter().map(|one| one.package.requires.len()).sum();
            rows.fetch_add(
                num::to_u64(listed.saturating_add(needed / limits::REQUIREMENTS_OF_A_ROW)),
                Relaxed,
            );
            progress.step();
            Folded { image, inventory }
        })
        .collect()
}

/// An image that is left out: many that share one large layer would be listed without end.
fn too_much(image: &Image) -> Inventory {
    let detail = format!("the images before it have more than {} packages", limits::SCAN_PACKAGES);
    let (subject, effect) = (image.id.to_string(), "packages of this image are missing");
    let gap = Gap::new(Code::LimitReached, Scope::Image, subject, detail, effect);
    Inventory { gaps: vec![gap], ..Inventory::default() }
}

/// The image as the report lists it, without findings.
pub(super) fn record(folded: &Folded<'_>, layers: &Layers<'_>, uses: &Uses) -> report::Image {
    let Folded { image, inventory, .. } = folded;
    let rows: Vec<report::Layer> = image
        .layers
        .iter()
        .map(|layer| {
            let analyzed = layers.get(layer);
            let complete = analyzed.is_some_and(super::layers::Analyzed::is_complete);
            let source = analyzed.map_or(report::LayerSource::Missing, |layer| layer.source);
            let status = match source {
                report::LayerSource::Missing => report::Status::Failed,
                _ if complete => report::Status::Complete,
                _ => report::Status::Partial,
            };
            report::Layer {
                diff_id: layer.diff_id.to_string(),
                digest: layer.blob.as_ref().map(|blob| blob.digest.to_string()),
                source,
                // Not every store knows it.
                size: layer.blob.as_ref().map(|blob| blob.size).filter(|size| *size > 0),
                status: Some(status),
            }
        })
        .collect();
    let nothing = rows.iter().all(|row| row.status == Some(report::Status::Failed));
    let whole = rows.iter().all(|row| row.status == Some(report::Status::Complete))
        && image.gaps.is_empty()
        && inventory.gaps.is_empty();
    let layers: Vec<String> = rows.iter().map(|row| row.diff_id.clone()).collect();
    report::Image {
        id: image.id.to_string(),
        manifests: image.manifests.iter().map(ToString::to_string).collect(),
        references: image.references.iter().cloned().collect(),
        platform: image.platform.clone(),
        created: image.created.clone(),
        labels: image.labels.clone(),
        history: image.history.iter().map(history).collect(),
        layers: rows,
        role: uses.role(image),
        used_by: uses.of(&image.id),
        status: Some(match () {
            () if nothing => report::Status::Failed,
            () if whole => report::Status::Complete,
            () => report::Status::Partial,
        }),
        os: inventory.os.clone(),
        packages: Some(convert::packages(&inventory.packages, inventory.os.as_ref(), &layers)),
        packages_declared: convert::packages(&inventory.declared, None, &layers),
        packages_hidden: None,
        findings: None,
    }
}

/// The packages that the layers of an image have and that it does not show.
pub(super) fn hidden(folded: &Folded<'_>, layers: &Layers<'_>) -> Vec<report::Package> {
    let Folded { image, inventory } = folded;
    let hidden = image::hidden(&layers.facts(image).unwrap_or_default(), inventory);
    let layers: Vec<String> = image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    convert::packages(&hidden, inventory.os.as_ref(), &layers)
}

fn history(step: &crate::store::oci::History) -> report::History {
    report::History {
        created: step.created.clone(),
        created_by: step.created_by.clone(),
        empty_layer: step.empty_layer,
    }
}

/// Gaps of an image itself; those of its layers are reported once, with the layers.
pub(super) fn gaps(folded: &Folded<'_>) -> Vec<Gap> {
    let mut gaps = folded.image.gaps.clone();
    gaps.extend(folded.inventory.gaps.iter().cloned());
    gaps.iter_mut().for_each(|gap| gap.scope = Scope::Image);
    gaps
}

/// Which containers use which image.
#[derive(Default)]
pub(super) struct Uses {
    /// Image → container ids.
    containers: BTreeMap<Digest, BTreeSet<String>>,
    /// Images that something outside the system namespaces runs.
    workloads: BTreeSet<Digest>,
    sandboxes: BTreeSet<Digest>,
}

impl Uses {
    pub(super) fn new(stores: &[OpenStore]) -> Self {
        let mut uses = Self::default();
        for store in stores {
            store.contents.containers.iter().for_each(|container| uses.container(container));
            store.contents.pods.iter().for_each(|pod| uses.pod(pod));
        }
        uses
    }

    fn container(&mut self, container: &Container) {
        let Some(image) = &container.image else { return };
        self.containers.entry(image.clone()).or_default().insert(container.id.clone());
        if !container.pod.as_ref().is_some_and(|pod| is_system(&pod.namespace)) {
            self.workloads.insert(image.clone());
        }
    }

    fn pod(&mut self, pod: &Pod) {
        if let Some(image) = &pod.sandbox_image {
            self.containers.entry(image.clone()).or_default().insert(pod.sandbox.clone());
            self.sandboxes.insert(image.clone());
        }
    }

    fn of(&self, image: &Digest) -> Vec<String> {
        self.containers.get(image).into_iter().flatten().cloned().collect()
    }

    fn role(&self, image: &Image) -> report::Role {
        let is_pause = |name: &String| name.rsplit('/').next().is_some_and(|last| last.starts_with("pause"));
        match () {
            () if self.workloads.contains(&image.id) => report::Role::Workload,
            () if self.sandboxes.contains(&image.id) => report::Role::Sandbox,
            () if image.pinned && image.references.iter().any(is_pause) => report::Role::Sandbox,
            () if image.pinned || self.containers.contains_key(&image.id) => report::Role::Addon,
            () => report::Role::Unused,
        }
    }
}
