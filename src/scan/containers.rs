//! Containers: what the writable layer changed against the image.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use rayon::prelude::*;

use super::{OpenStore, Progress, convert, images, layers::Layers};
use crate::{
    Gap,
    fs::{FileKind, GuestPath, Handle},
    gap::{Code, Scope},
    image::{self, Located},
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

/// Examines every container of the stores.
pub(super) fn examine(stores: &[OpenStore], layers: &Layers, progress: &dyn Progress) -> Vec<Examined> {
    let all: Vec<(&OpenStore, &Container)> = stores
        .iter()
        .flat_map(|store| store.contents.containers.iter().map(move |container| (store, container)))
        .collect();
    progress.stage("containers", num::to_u64(all.len()));
    let mut examined: Vec<Examined> = all
        .into_par_iter()
        .map(|(store, container)| {
            let examined = one(store, container, layers);
            progress.step();
            examined
        })
        .collect();
    examined.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    examined
}

fn one(store: &OpenStore, container: &Container, layers: &Layers) -> Examined {
    let image = container.image.as_ref();
    let image = image.and_then(|id| store.contents.images.iter().find(|image| image.id == *id));
    let mut record = report::Container {
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
    };
    let mut examined = Examined { record: record.clone(), os: None, added: Vec::new(), gaps: Vec::new() };
    let lost = |detail: String| {
        let effect = "what the container changed is not reported";
        vec![Gap::new(Code::SnapshotMissing, Scope::Container, &container.id, detail, effect)]
    };
    let Some(upper) = store.store.writable_layer(container) else {
        examined.gaps = lost(match &container.snapshot {
            Some((snapshotter, key)) => format!("the snapshot {key:?} of {snapshotter} is not there"),
            None => "the runtime names no snapshot".to_owned(),
        });
        return examined;
    };
    let Some(image) =
        image.filter(|image| image.layers.iter().all(|layer| layers.contains_key(&layer.diff_id)))
    else {
        examined.gaps = lost(format!("its image {:?} was not examined", container.image_name));
        return examined;
    };
    let walk = Walk::whole(&container.id, Scope::Container);
    let facts = Arc::new(layer::analyze(&upper, walk));
    examined.gaps.extend(facts.gaps.iter().cloned());
    let lower: Vec<Arc<LayerFacts>> = image
        .layers
        .iter()
        .filter_map(|layer| layers.get(&layer.diff_id))
        .map(|l| Arc::clone(&l.facts))
        .collect();
    record.changes = Some(changes(&upper, &lower, &facts));
    packages(store, image, layers, &upper, lower, facts, &mut record, &mut examined);
    examined.record = record;
    examined
}

#[expect(clippy::too_many_arguments, reason = "one step of `one`, split for its length")]
fn packages(
    store: &OpenStore,
    image: &Image,
    layers: &Layers,
    upper: &Handle,
    lower: Vec<Arc<LayerFacts>>,
    facts: Arc<LayerFacts>,
    record: &mut report::Container,
    examined: &mut Examined,
) {
    let subject = record.id.clone();
    let below = || images::trees(store, image, layers);
    let with_upper = || {
        let mut trees = below()?;
        trees.push(upper.clone());
        Ok(trees)
    };
    let before = image::fold(&lower, &subject, &below);
    let mut stack = lower;
    stack.push(facts);
    let after = image::fold(&stack, &subject, &with_upper);
    examined.gaps.extend(after.gaps.iter().cloned().map(|gap| Gap { scope: Scope::Container, ..gap }));
    let os = after.os.clone().or(before.os.clone());
    let layer_id = |number: usize| image.layers.get(number).map(|layer| layer.diff_id.to_string());
    let (had, has) = (identities(&before.packages), identities(&after.packages));
    let only = |from: &[Located], other: &BTreeSet<_>| -> Vec<Located> {
        from.iter().filter(|located| !other.contains(&identity(located))).cloned().collect()
    };
    let (added, removed) = (only(&after.packages, &had), only(&before.packages, &has));
    record.packages_added = convert::packages(&added, os.as_ref(), &layer_id);
    record.packages_removed = convert::packages(&removed, os.as_ref(), &layer_id);
    examined.added = added;
    examined.os = os;
}

type Identity<'a> = (&'a GuestPath, &'a crate::inventory::Package);

fn identity(located: &Located) -> Identity<'_> {
    (&located.path, &located.package)
}

fn identities(located: &[Located]) -> BTreeSet<Identity<'_>> {
    located.iter().map(identity).collect()
}

/// Counts what a writable layer did to the files of the layers below it.
fn changes(upper: &Handle, lower: &[Arc<LayerFacts>], facts: &LayerFacts) -> report::Changes {
    let mut changes =
        report::Changes { deleted: num::to_u64(facts.whiteouts.len()), ..report::Changes::default() };
    let mut level = vec![(GuestPath::ROOT, upper.ino)];
    let mut seen = HashSet::from([upper.ino]);
    while !level.is_empty() {
        let mut next = Vec::new();
        for (path, dir) in level {
            // Damage is a gap of the analysis already.
            let Ok(listing) = upper.fs.read_dir(dir) else { continue };
            for entry in listing.entries {
                let here = path.join(&entry.name);
                match entry.kind {
                    FileKind::Directory if seen.insert(entry.ino) => next.push((here, entry.ino)),
                    FileKind::Directory => {}
                    _ if facts.whiteouts.binary_search_by(|whiteout| whiteout.0.cmp(&here)).is_ok() => {}
                    _ if exists(lower, &here) => changes.modified = changes.modified.saturating_add(1),
                    _ => changes.added = changes.added.saturating_add(1),
                }
            }
        }
        level = next;
    }
    changes
}

/// Whether the layers show something at a path.
fn exists(layers: &[Arc<LayerFacts>], path: &GuestPath) -> bool {
    let top = layers.iter().rev().find(|facts| facts.hides(path));
    top.is_some_and(|facts| facts.shadow.has(path))
}

fn state(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Exited => "exited",
        State::Unknown => "unknown",
    }
}
