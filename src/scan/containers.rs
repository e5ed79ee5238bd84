//! Containers: what the writable layer changed against the image.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use rayon::prelude::*;

use super::{OpenStore, Progress, convert, layers::Layers};
use crate::{
    Digest, FormatError, Gap,
    fs::{FileKind, GuestPath, Handle},
    gap::{Code, Scope},
    image::{self, Hiding, Located},
    inventory::Os,
    layer::{self, LayerFacts, Walk},
    num, report,
    store::{Container, Image, State},
};

/// A container's record and its gaps.
pub(super) struct Examined {
    pub(super) record: report::Container,
    pub(super) os: Option<Os>,
    pub(super) added: Vec<Located>,
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
        .flat_map(|store| store.contents.containers.iter().map(move |container| (store, container)))
        .filter(|(_, container)| is_wanted(container))
        .collect();
    progress.stage("containers", num::to_u64(all.len()));
    let mut examined: Vec<Examined> = all
        .into_par_iter()
        .map(|(store, container)| {
            let examined = one(stores, store, container, layers);
            progress.step();
            examined
        })
        .collect();
    examined.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    examined
}

/// What the runtime says of a container.
pub(super) fn record(store: &OpenStore, container: &Container) -> report::Container {
    report::Container {
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image.as_ref().map_or_else(|| container.image_name.clone(), ToString::to_string),
        state: state(container.state).to_owned(),
        pod: container.pod.as_ref().map(|pod| pod.uid.clone()),
        runtime: store.store.runtime().to_owned(),
        created: container.created.clone(),
        command: container.command.clone(),
        changes: None,
        packages_added: Vec::new(),
        packages_removed: Vec::new(),
        findings: Vec::new(),
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

fn one(stores: &[OpenStore], store: &OpenStore, container: &Container, layers: &Layers<'_>) -> Examined {
    let image = container.image.as_ref().and_then(|id| image_of(stores, store, id));
    let mut record = record(store, container);
    let mut examined = Examined { record: record.clone(), os: None, added: Vec::new(), gaps: Vec::new() };
    let effect = "what the container changed is not reported";
    let lost = |detail: String| {
        vec![Gap::new(Code::SnapshotMissing, Scope::Container, &container.id, detail, effect)]
    };
    let own = match unpacked(store, container) {
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
        examined.gaps = lost(format!("its image {:?} was not examined", container.image_name));
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
    examined.gaps.extend(facts.gaps.iter().cloned());
    if facts.empty_databases > 0 {
        let detail = format!("{} package databases or os-release files are empty", facts.empty_databases);
        let effect = "packages of this container may be missing";
        examined.gaps.push(Gap::new(Code::ZeroLengthFiles, Scope::Container, &container.id, detail, effect));
    }
    let stack = Stack { image, layers, own, lower, upper, facts };
    record.changes = Some(stack.changes());
    let difference = stack.packages(&container.id);
    examined.gaps.extend(difference.gaps);
    let layers = image.into_iter().flat_map(|image| &image.layers);
    let layers: Vec<String> = layers.map(|layer| layer.diff_id.to_string()).collect();
    let os = difference.os;
    record.packages_added = convert::packages(&difference.added, os.as_ref(), &layers);
    record.packages_removed = convert::packages(&difference.removed, os.as_ref(), &layers);
    Examined { record, os, added: difference.added, ..examined }
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
    gaps: Vec<Gap>,
}

impl Stack<'_> {
    fn packages(&self, subject: &str) -> Difference {
        let below = || {
            let mut trees = self.image.map_or(Ok(Vec::new()), |image| self.layers.trees(image))?;
            trees.extend_from_slice(self.own);
            Ok(trees)
        };
        let with_upper = || {
            let mut trees = below()?;
            trees.push(self.upper.clone());
            Ok(trees)
        };
        let before = image::fold(&self.lower, subject, &below);
        let all: Vec<_> = self.lower.iter().chain([&self.facts]).cloned().collect();
        let after = image::fold(&all, subject, &with_upper);
        let (had, has) = (identities(&before.packages), identities(&after.packages));
        let only = |from: &[Located], other: &BTreeSet<_>| -> Vec<Located> {
            from.iter().filter(|located| !other.contains(&identity(located))).cloned().collect()
        };
        Difference {
            added: only(&after.packages, &had),
            removed: only(&before.packages, &has),
            os: after.os.or(before.os.clone()),
            gaps: after.gaps.into_iter().map(|gap| Gap { scope: Scope::Container, ..gap }).collect(),
        }
    }

    /// Counts what the writable layer did to the files below it.
    fn changes(&self) -> report::Changes {
        let Self { lower, upper, facts, .. } = self;
        let deleted = num::to_u64(facts.whiteouts.len());
        let mut changes = report::Changes { deleted, ..report::Changes::default() };
        let below = Hiding::new(lower);
        let mut level = vec![(GuestPath::ROOT, upper.ino)];
        let mut seen = HashSet::from([upper.ino]);
        while !level.is_empty() {
            let mut next = Vec::new();
            for (path, dir) in level {
                // Damage is a gap of the analysis already.
                let dir = Handle { fs: Arc::clone(&upper.fs), ino: dir, path: GuestPath::ROOT };
                let Ok(listing) = dir.read_dir() else { continue };
                for entry in listing.entries {
                    let here = path.join(&entry.name);
                    let whiteout = || facts.whiteouts.binary_search_by(|w| w.0.cmp(&here)).is_ok();
                    match entry.kind {
                        FileKind::Directory if seen.insert(entry.ino) => next.push((here, entry.ino)),
                        FileKind::Directory => {}
                        _ if whiteout() => {}
                        _ if below.shows(&here) => changes.modified = changes.modified.saturating_add(1),
                        _ => changes.added = changes.added.saturating_add(1),
                    }
                }
            }
            level = next;
        }
        changes
    }
}

type Identity<'a> = (&'a GuestPath, &'a crate::inventory::Package);

fn identity(located: &Located) -> Identity<'_> {
    (&located.path, &located.package)
}

fn identities(located: &[Located]) -> BTreeSet<Identity<'_>> {
    located.iter().map(identity).collect()
}

/// The layers of a container as upper directories, base first.
fn unpacked(store: &OpenStore, container: &Container) -> Result<Vec<Handle>, FormatError> {
    store.store.writable_layers(container)?.iter().map(layer::changes).collect()
}

fn state(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Exited => "exited",
        State::Unknown => "unknown",
    }
}
