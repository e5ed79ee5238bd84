//! Images, as the runtimes list them.

use std::collections::BTreeSet;

use icecore::{scan::OpenedNode, store};

use super::{
    special::{self, Case},
    tally::Answers,
    truth::{Image, Truth},
};

/// The images of each runtime's stores are those that the runtime lists.
pub(super) fn judge(node: &OpenedNode, truths: &[Truth], answers: &mut Answers<'_>) {
    let kinds: BTreeSet<&str> = truths.iter().map(Truth::of_images).collect();
    for kind in kinds {
        let truths: Vec<&Truth> = truths.iter().filter(|truth| truth.of_images() == kind).collect();
        let title = truths[0].title();
        let stores = node.stores.iter().filter(|open| {
            // That of an archive is named after its form.
            truths[0].kind.is_some() || open.store.runtime() == kind
        });
        let images: Vec<&store::Image> = stores.flat_map(|open| &open.contents.images).collect();
        let wanted: Vec<&Image> = truths.iter().flat_map(|truth| truth.images()).collect();
        let mut ids: BTreeSet<String> = images.iter().map(|image| image.id.to_string()).collect();
        let wanted_ids: BTreeSet<String> = wanted.iter().map(|image| image.id.clone()).collect();
        if special::is(answers.disk, Case::OtherPlatforms) {
            ids.retain(|id| wanted_ids.contains(id));
        }
        answers.same(&title, "images", &ids, &wanted_ids);
        answers.count(&title, "images", wanted.len());
        for id in ids.intersection(&wanted_ids) {
            let found: Vec<&store::Image> =
                images.iter().copied().filter(|image| image.id.to_string() == *id).collect();
            let wanted: Vec<&Image> = wanted.iter().copied().filter(|image| image.id == *id).collect();
            names(answers, &title, &truths, &found, &wanted);
            wanted.iter().for_each(|wanted| image(answers, &title, &found, wanted));
        }
    }
}

/// Its names: all stores' and namespaces' together.
fn names(
    answers: &mut Answers<'_>,
    title: &str,
    truths: &[&Truth],
    found: &[&store::Image],
    wanted: &[&Image],
) {
    let id = &wanted[0].id;
    // Lists of manifests, which older versions do not list, add their names.
    let lists = truths.iter().flat_map(|truth| truth.lists());
    let lists = lists.filter(|list| list.list.to_string().contains(id.as_str()));
    let lists: BTreeSet<String> = lists.flat_map(|list| list.names.clone()).collect();
    let mut names: BTreeSet<String> = found.iter().flat_map(|image| &image.references).cloned().collect();
    names.retain(|name| lists.contains(name) || !name.starts_with("localhost/list:"));
    let names: BTreeSet<String> = names.iter().map(|name| familiar(name)).collect();
    let of_truth = wanted.iter().flat_map(|image| &image.names);
    // What no name leads to any more, containerd calls by its digest.
    let of_truth = of_truth.filter(|name| !name.starts_with("sha256:"));
    let mut wanted_names: BTreeSet<String> = of_truth.map(|name| familiar(name)).chain(lists).collect();
    let digests: BTreeSet<String> = wanted.iter().flat_map(|image| &image.digests).cloned().collect();
    let truth = truths[0];
    match truth.of_images() {
        // A containerd has them as targets of names only.
        _ if truth.kind.is_some() || truth.of_images() == "containerd" => {
            let tags = |names: &BTreeSet<String>| -> BTreeSet<String> {
                names.iter().filter(|name| !name.contains('@')).cloned().collect()
            };
            answers.same(title, id, tags(&names), tags(&wanted_names));
        }
        "docker" => {
            let manifests: BTreeSet<String> =
                found.iter().flat_map(|image| &image.manifests).map(ToString::to_string).collect();
            let told: BTreeSet<String> =
                digests.iter().map(|name| name.rsplit('@').next().unwrap().to_owned()).collect();
            answers.same(title, id, &manifests, &told);
            wanted_names.extend(digests);
            answers.same(title, id, &names, &wanted_names);
        }
        _ => answers.same(title, id, &names, &wanted_names),
    }
}

fn image(answers: &mut Answers<'_>, title: &str, all: &[&store::Image], wanted: &Image) {
    let id = &wanted.id;
    let manifests: BTreeSet<String> =
        all.iter().flat_map(|image| &image.manifests).map(ToString::to_string).collect();
    let digests = wanted.digests.iter().map(|digest| digest.rsplit('@').next().unwrap());
    for digest in digests.filter(|digest| wanted.target.as_ref().is_none_or(|target| target == digest)) {
        answers.same(title, id, (digest, manifests.contains(digest)), (digest, true));
    }
    for found in all {
        if let Some(created) = &wanted.created {
            let created = Some(created).filter(|text| !text.is_empty());
            answers.same(title, id, found.created.as_ref(), created);
        }
        if let Some(labels) = &wanted.labels {
            answers.same(title, id, &found.labels, labels);
        }
        let layers: Vec<String> = found.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        answers.same(title, id, &layers, &wanted.layers);
        answers.same(title, id, &found.gaps, &Vec::new());
    }
}

/// A name as Docker shows it.
fn familiar(name: &str) -> String {
    let short = ["docker.io/library/", "docker.io/"].iter().find_map(|host| name.strip_prefix(host));
    short.unwrap_or(name).to_owned()
}
