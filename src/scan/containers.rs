//! Containers: what the writable layer changed against the image.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    OpenStore, Progress,
    changes::{self, Compared, Told},
    convert,
    layers::Layers,
};
use crate::{
    Digest, FormatError, Gap,
    fs::{GuestPath, Handle, Root},
    gap::{Code, Scope},
    image::{self, Located},
    inventory::{Os, PackageKind},
    layer::{self, LayerFacts, Sameness, Walk},
    limits, num, report,
    store::{Compose, Container, ContainerKind, Image, LayerRef, State},
};

/// A container's record and its gaps.
pub(super) struct Examined {
    pub(super) record: report::Container,
    pub(super) os: Option<Os>,
    pub(super) added: Vec<Located>,
    /// What lock files and manifests name that the container added.
    pub(super) declared: Vec<Located>,
    pub(super) gaps: Vec<Gap>,
}

/// Examines the containers of the stores: all, or those of the chosen images.
pub(super) fn examine(
    stores: &[OpenStore],
    chosen: Option<&BTreeSet<&Digest>>,
    layers: &Layers<'_>,
    progress: &dyn Progress,
) -> Vec<Examined> {
    let is_wanted = |container: &&Container| {
        chosen.is_none_or(|chosen| container.image.as_ref().is_some_and(|image| chosen.contains(image)))
    };
    let all: Vec<(&OpenStore, &Container)> = stores
        .iter()
        .flat_map(|store| store.contents.all_containers().map(move |container| (store, container)))
        .filter(|(_, container)| is_wanted(container))
        .collect();
    progress.stage("containers", num::to_u64(all.len()));
    let how = How { paths: limits::CHANGED_PATHS, sameness: Sameness::Attributes };
    let mut examined: Vec<Examined> = all
        .into_par_iter()
        .map(|(store, container)| {
            let examined = one(stores, (store, container), layers, how);
            progress.step();
            examined
        })
        .collect();
    examined.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    examined
}

/// What the runtime says of a container.
pub(super) fn record(store: &OpenStore, container: &Container) -> report::Container {
    let mounts = container.mounts.iter().map(|mount| report::ContainerMount {
        kind: mount.kind.clone(),
        name: mount.name.clone(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        read_only: mount.read_only,
    });
    let compose = container.compose();
    report::Container {
        id: container.id.clone(),
        name: container.name.clone(),
        kind: kind(container.kind).to_owned(),
        image: container.image.as_ref().map_or_else(|| container.image_name.clone(), ToString::to_string),
        image_name: container.image_name.clone(),
        state: state(container.state).to_owned(),
        pod: container.pod.as_ref().map(|pod| pod.uid.clone()),
        runtime: store.store.runtime().to_owned(),
        namespace: container.namespace.clone(),
        created: container.created.clone(),
        started: container.started.clone(),
        finished: container.finished.clone(),
        exit_code: container.exit_code,
        restarts: container.restarts,
        attempt: container.attempt,
        restart_policy: container.restart_policy.clone(),
        command: container.command.clone(),
        labels: container.labels.clone(),
        mounts: mounts.collect(),
        compose: compose.map(|Compose { project, service }| report::Compose { project, service }),
        unit: container.unit.clone(),
        changes: None,
        packages_added: None,
        packages_removed: None,
        packages_changed: None,
        packages_declared: Vec::new(),
        findings: None,
    }
}

/// The image of a container, from its own store if that has it: Docker may leave its images to a containerd.
pub(super) fn image_of<'a>(stores: &'a [OpenStore], own: &'a OpenStore, id: &Digest) -> Option<&'a Image> {
    let by_id = |store: &'a OpenStore| {
        let images = &store.contents.images;
        images.binary_search_by(|image| image.id.cmp(id)).ok().and_then(|at| images.get(at))
    };
    by_id(own).or_else(|| stores.iter().find_map(by_id))
}

/// How thoroughly a container is examined.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// How many of the paths that it changed are told.
    pub(super) paths: usize,
    /// How exactly whole trees are compared.
    pub(super) sameness: Sameness,
}

/// Examines one container.
pub(super) fn one(
    stores: &[OpenStore],
    (store, container): (&OpenStore, &Container),
    layers: &Layers<'_>,
    how: How,
) -> Examined {
    let image = container.image.as_ref().and_then(|id| image_of(stores, store, id));
    // `changes` tells whether it could be read; the lists are of all containers that were examined.
    let mut record = report::Container {
        packages_added: Some(Vec::new()),
        packages_removed: Some(Vec::new()),
        packages_changed: Some(Vec::new()),
        ..record(store, container)
    };
    let mut examined = Examined {
        record: record.clone(),
        os: None,
        added: Vec::new(),
        declared: Vec::new(),
        gaps: Vec::new(),
    };
    let effect = "what the container changed is not reported";
    let lost = |detail: String| {
        vec![Gap::new(Code::SnapshotMissing, Scope::Container, &container.id, detail, effect)]
    };
    let own = match unpacked(store, container, how.sameness) {
        Ok(own) => own,
        Err(error) => {
            examined.gaps = vec![Gap::from_error(&error, Scope::Container, &container.id, effect)];
            return examined;
        }
    };
    let lower = match image {
        Some(image) => layers.facts(image),
        None => container.is_from_scratch().then(Vec::new),
    };
    let Some(lower) = lower else {
        examined.gaps = vec![without_image(container, image)];
        return examined;
    };
    let Some((upper, own)) = own.split_last() else {
        examined.gaps = lost("the runtime names no snapshot".to_owned());
        return examined;
    };
    let of_container =
        |dir: &Handle| Arc::new(layer::analyze(dir, Walk::whole(&container.id, Scope::Container)));
    let lower: Vec<_> = lower.into_iter().chain(own.iter().map(of_container)).collect();
    let facts = of_container(upper);
    if let Some(image) = image {
        examined.gaps.extend(incomplete(image, layers, &container.id));
    }
    examined.gaps.extend(facts.gaps.iter().cloned());
    if facts.empty_databases > 0 {
        let detail = format!("{} package databases or os-release files are empty", facts.empty_databases);
        let effect = "packages of this container may be missing";
        examined.gaps.push(Gap::new(Code::ZeroLengthFiles, Scope::Container, &container.id, detail, effect));
    }
    let stack = Stack { image, layers, own, lower, upper, facts };
    let compared =
        Compared { lower: &stack.lower, trees: &|| stack.below(), upper: stack.upper, facts: &stack.facts };
    let (changes, missed) = changes::changes(&compared, Told { subject: &container.id, paths: how.paths });
    record.changes = Some(changes);
    examined.gaps.extend(missed);
    let difference = stack.packages(&container.id);
    examined.gaps.extend(difference.gaps);
    let layers = image.into_iter().flat_map(|image| &image.layers);
    let layers: Vec<String> = layers.map(|layer| layer.diff_id.to_string()).collect();
    let os = difference.os;
    let added = convert::packages(&difference.added, os.as_ref(), &layers);
    let removed = convert::packages(&difference.removed, os.as_ref(), &layers);
    record.packages_changed = Some(changed(&removed, &added));
    record.packages_added = Some(added);
    record.packages_removed = Some(removed);
    record.packages_declared = convert::packages(&difference.declared, None, &layers);
    Examined { record, os, added: difference.added, declared: difference.declared, ..examined }
}

/// A container's layers: those of its image, and the writable one on top.
struct Stack<'a> {
    /// None for a container that was made of none.
    image: Option<&'a Image>,
    layers: &'a Layers<'a>,
    /// What the runtime put between the image and the writable layer.
    own: &'a [Handle],
    /// The facts of all layers below the writable one, base first.
    lower: Vec<Arc<LayerFacts>>,
    upper: &'a Handle,
    facts: Arc<LayerFacts>,
}

/// What the writable layer changed of the packages.
struct Difference {
    os: Option<Os>,
    added: Vec<Located>,
    removed: Vec<Located>,
    declared: Vec<Located>,
    gaps: Vec<Gap>,
}

impl Stack<'_> {
    /// The trees of the layers below the writable one.
    fn below(&self) -> Result<Vec<Handle>, FormatError> {
        let mut trees = self.image.map_or(Ok(Vec::new()), |image| self.layers.trees(image))?;
        trees.extend_from_slice(self.own);
        Ok(trees)
    }

    fn packages(&self, subject: &str) -> Difference {
        let below = || self.below();
        let with_upper = || {
            let mut trees = below()?;
            trees.push(self.upper.clone());
            Ok(trees)
        };
        let before = image::fold(&self.lower, subject, &below);
        let all: Vec<_> = self.lower.iter().chain([&self.facts]).cloned().collect();
        // What was moved shows at its new place in the merged tree only.
        let after = match self.facts.indirect.is_empty() {
            true => image::fold(&all, subject, &with_upper),
            false => {
                with_upper().map_or_else(|error| unmerged(&error, subject), |trees| merged(&trees, subject))
            }
        };
        let (had, has) = (identities(&before.packages), identities(&after.packages));
        let only = |from: &[Located], other: &BTreeSet<_>| -> Vec<Located> {
            from.iter().filter(|located| !other.contains(&identity(located))).cloned().collect()
        };
        Difference {
            added: only(&after.packages, &had),
            removed: only(&before.packages, &has),
            declared: only(&after.declared, &identities(&before.declared)),
            os: after.os.or(before.os.clone()),
            gaps: after.gaps.into_iter().map(|gap| Gap { scope: Scope::Container, ..gap }).collect(),
        }
    }
}

/// The inventory of a merged tree, which is of no single layer.
fn merged(trees: &[Handle], subject: &str) -> image::Inventory {
    let top = Root::new(image::merge(trees)).top();
    let facts = Arc::new(layer::analyze(&top, Walk::whole(subject, Scope::Container)));
    let gaps = facts.gaps.clone();
    let mut inventory = image::fold(&[facts], subject, &|| Ok(vec![top.clone()]));
    let all = inventory.packages.iter_mut().chain(&mut inventory.declared);
    all.for_each(|located| located.layer = usize::MAX);
    inventory.gaps.extend(gaps);
    inventory
}

/// An inventory of which nothing is known.
fn unmerged(error: &FormatError, subject: &str) -> image::Inventory {
    let effect = "what the container changed of its packages is not reported";
    let gap = Gap::from_error(error, Scope::Container, subject, effect);
    image::Inventory { gaps: vec![gap], ..image::Inventory::default() }
}

type Identity<'a> = (&'a GuestPath, &'a crate::inventory::Package);

fn identity(located: &Located) -> Identity<'_> {
    (&located.path, &located.package)
}

fn identities(located: &[Located]) -> BTreeSet<Identity<'_>> {
    located.iter().map(identity).collect()
}

/// That nothing is known of what a container is compared with.
fn without_image(container: &Container, image: Option<&Image>) -> Gap {
    let id = container.image.as_ref().map(ToString::to_string);
    let name = Some(&container.image_name).filter(|name| !name.is_empty()).cloned().or(id);
    let (code, detail) = match (image, name) {
        (Some(image), _) => {
            let cause = image.gaps.first();
            let why = cause.map(|gap| format!(": {}", gap.detail)).unwrap_or_default();
            let code = cause.map_or(Code::LayerMissing, |gap| gap.code);
            (code, format!("its image {} was not examined{why}", image.id))
        }
        (None, Some(name)) => (Code::BlobMissing, format!("its image {name} is not on the disk")),
        (None, None) => (Code::BlobMissing, "the runtime names no image of it".to_owned()),
    };
    Gap::new(code, Scope::Container, &container.id, detail, "what the container changed is not reported")
}

/// That the image of a container is not wholly known, so that what it is compared with lacks something.
fn incomplete(image: &Image, layers: &Layers<'_>, container: &str) -> Option<Gap> {
    let of_layer = |layer: &LayerRef| {
        let analyzed = layers.get(layer).filter(|analyzed| !analyzed.is_complete())?;
        analyzed.gaps.iter().chain(&analyzed.facts.gaps).next()
    };
    // Of a lost image, the layers are those that the container lies on.
    let own = image.gaps.first().filter(|_| !image.is_lost);
    let cause = own.or_else(|| image.layers.iter().find_map(of_layer))?;
    let detail = format!("its image {} is not complete: {}", image.id, cause.detail);
    let effect = "files and packages that are told as added or changed may be the image's own";
    Some(Gap::new(cause.code, Scope::Container, container, detail, effect))
}

/// The layers of a container as upper directories, base first.
fn unpacked(
    store: &OpenStore,
    container: &Container,
    sameness: Sameness,
) -> Result<Vec<Handle>, FormatError> {
    store.store.writable_layers(container)?.iter().map(|own| layer::changes(own, sameness)).collect()
}

/// Packages of the same name on both sides, in the order of their versions.
fn changed(removed: &[report::Package], added: &[report::Package]) -> Vec<report::PackageChange> {
    let mut versions: BTreeMap<(PackageKind, &str), [BTreeSet<&str>; 2]> = BTreeMap::new();
    for (side, packages) in [removed, added].into_iter().enumerate() {
        for package in packages {
            let both = versions.entry((package.kind, &package.name)).or_default();
            both.iter_mut().skip(side).take(1).for_each(|set| {
                set.insert(&package.version);
            });
        }
    }
    let of_both = versions.into_iter().flat_map(|((kind, name), [from, to])| {
        from.into_iter().zip(to).map(move |(from, to)| report::PackageChange {
            kind,
            name: name.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        })
    });
    of_both.filter(|change| change.from != change.to).collect()
}

fn kind(kind: ContainerKind) -> &'static str {
    match kind {
        ContainerKind::Ordinary => "ordinary",
        ContainerKind::Init => "init",
        ContainerKind::Ephemeral => "ephemeral",
        ContainerKind::Sandbox => "sandbox",
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Exited => "exited",
        State::Unknown => "unknown",
    }
}
