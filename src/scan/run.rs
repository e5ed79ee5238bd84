//! The scan itself, top down.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    Inputs, OpenError, OpenedNode, Progress, containers, convert,
    copies::Copies,
    findings::{Findings, Held, Known},
    images::{self, Folded},
    kernels,
    layers::Layers,
    open,
    own::Own,
    pods,
};
use crate::{
    FormatError, Gap,
    fs::Root,
    gap::{Code, Reason, Scope},
    image::{Inventory, Located},
    inventory::{Os, PackageKind},
    layer::{self, Cache, Sameness},
    node::{self, Bounds, NodeFacts},
    num,
    report::{self, LayerSource, Report, Stats, Status, Verdict},
    vuln::Database,
};

/// What is examined.
#[derive(Clone, Default)]
pub struct Options {
    /// The disks.
    pub inputs: Inputs,
    /// Only images whose name or digest fits one of these patterns; all if there is none. A pattern that fits no image is
    /// a gap.
    pub images: Vec<String>,
    /// Without containers' changes.
    pub no_containers: bool,
    /// Without the node's own packages.
    pub no_node: bool,
    /// Where facts of layers are kept between runs.
    pub cache: Option<PathBuf>,
    /// Whether facts of layers that lie unpacked only, which nothing verifies, are kept there and believed.
    pub cache_unpacked: bool,
    /// Whether records about packages that are no finding are told, too.
    pub near_misses: bool,
    /// Whether packages that lock files and manifests name, and that are not there, are matched, too.
    pub declared: bool,
    /// Whether packages that layers have and later layers hide are told.
    pub all_layers: bool,
    /// Without figures that differ between runs.
    pub reproducible: bool,
    /// What the caller knows of the node.
    pub facts: NodeFacts,
    /// Beyond what the node is skipped.
    pub bounds: Bounds,
    /// The advisories to match against; none for an inventory only.
    pub database: Option<Arc<Database>>,
}

/// Does something that scans on this many threads; as many as the host has if absent.
pub fn on_threads<T: Send>(threads: Option<usize>, run: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build() {
        Ok(pool) => pool.install(run),
        // Without threads of its own it is slower, not wrong.
        Err(_) => run(),
    }
}

/// Writes a report as [`report::json`] does, on all threads.
pub fn json(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    report::document(report, &|images| images.par_iter().map(report::image).collect(), to)
}

/// Scans the disks of one node, on the threads of [`on_threads`].
pub fn scan(options: &Options, progress: &dyn Progress) -> Result<Report, OpenError> {
    let mut reasons = options.facts.reasons();
    reasons.extend(options.bounds.reasons_by_facts(&options.facts));
    if !reasons.is_empty() {
        return Ok(skipped(reasons, options.reproducible));
    }
    scan_here(options, progress)
}

/// The report of a node of which not a byte was read.
fn skipped(reasons: Vec<Reason>, reproducible: bool) -> Report {
    let nothing = (!reproducible).then_some(0);
    Report {
        schema: report::SCHEMA.to_owned(),
        run: None,
        verdict: Verdict { status: Status::Skipped, reasons, looked_for: Vec::new() },
        node: report::Node::default(),
        images: Vec::new(),
        containers: Vec::new(),
        sandboxes: Vec::new(),
        pods: Vec::new(),
        near_misses: Vec::new(),
        gaps: Vec::new(),
        stats: Stats { bytes_read: nothing, reads: nothing, layers_cached: nothing, ..Stats::default() },
    }
}

fn scan_here(options: &Options, progress: &dyn Progress) -> Result<Report, OpenError> {
    let node = open(&options.inputs)?;
    progress.reading(&node.counter);
    let (kernels, lost) = node::kernels(&node.machine, &node.file_systems);
    let mut report = inspected(&node, options.bounds, &lost);
    report.verdict.looked_for = PackageKind::LOOKED_FOR.to_vec();
    let skipped = report.verdict.status != Status::Complete;
    let chosen = if skipped { Vec::new() } else { images::choose(&node.stores, &options.images) };
    if !skipped {
        report.gaps.extend(images::unfit(&node.stores, &options.images));
    }
    let cache = options.cache.as_deref().map(|dir| Cache::new(dir).with_unpacked(options.cache_unpacked));
    let copies = Copies::new(&node.stores, Sameness::Attributes);
    // The node's own files are one more tree beside the layers.
    let (layers, own) = rayon::join(
        || Layers::analyze(chosen.iter().copied(), &copies, cache.as_ref(), progress),
        || if options.no_node { Own::default() } else { Own::examine(&node.machine, &kernels) },
    );
    for layer in layers.all() {
        report.gaps.extend(layer.gaps.iter().chain(&layer.facts.gaps).cloned());
    }
    let uses = images::Uses::new(&node.stores);
    let folded = images::fold(&chosen, &layers, progress);
    report.gaps.extend(folded.iter().flat_map(images::gaps));
    report.images = folded.par_iter().map(|folded| images::record(folded, &layers, &uses)).collect();
    if options.all_layers {
        let hidden = folded.par_iter().map(|folded| Some(images::hidden(folded, &layers)));
        report.images.par_iter_mut().zip(hidden).for_each(|(image, hidden)| image.packages_hidden = hidden);
    }
    let mut examined = Vec::new();
    if !options.no_containers && !skipped {
        let ids: BTreeSet<_> = chosen.iter().map(|image| &image.id).collect();
        let only = (!options.images.is_empty()).then_some(&ids);
        examined = containers::examine(&node.stores, only, &layers, progress);
        for container in &mut examined {
            report.gaps.append(&mut container.gaps);
            report.containers.push(container.record.clone());
        }
    }
    report.gaps.extend(own.gaps.iter().cloned());
    report.node.kernels = kernels::records(&kernels, &own.kernel_owners, report.node.os.as_ref());
    let own_packages = convert::packages(&own.packages, report.node.os.as_ref(), &[]);
    let looked_for = !options.no_node && node.machine.root.is_some();
    report.node.packages = looked_for.then_some(own_packages);
    report.node.packages_declared = convert::packages(&own.declared, None, &[]);
    if let Some(database) = &options.database {
        let with = options.declared;
        let images = folded.iter().map(|Folded { inventory, .. }| {
            held(inventory.os.as_ref(), (&inventory.packages, &inventory.declared), with)
        });
        let containers = examined.iter().map(|one| held(one.os.as_ref(), (&one.added, &one.declared), with));
        let node = held(node.machine.os.as_ref(), (&own.packages, &own.declared), with);
        let node = Held { kernel_runs: true, ..node };
        let all: Vec<_> = images.chain(containers).chain([node]).collect();
        let findings = Findings::new(database, &all, options.near_misses, progress);
        assign(&mut report, &findings, &all);
        let os = report.node.os.clone();
        let own_findings = report.node.findings.iter_mut().flatten();
        kernels::mark(own_findings, &kernels, &own.kernel_owners, &own.packages, os.as_ref());
    }
    report.stats =
        stats(&node, &report, &layers, own.seen, (options.database.is_some(), options.reproducible));
    finish(&mut report);
    // What has many parts takes a while to be freed.
    folded.into_par_iter().for_each(drop);
    layers.free();
    Ok(report)
}

/// What is matched of packages that are there and others that are named.
fn held<'a>(
    os: Option<&'a Os>,
    (packages, declared): (&'a Vec<Located>, &'a Vec<Located>),
    with_declared: bool,
) -> Held<'a> {
    let declared = if with_declared { declared.as_slice() } else { &[] };
    Held { os, packages, declared, kernel_runs: false }
}

/// Gives images, containers and the node (in this order) their findings.
fn assign(report: &mut Report, findings: &Findings<'_>, inventories: &[Held<'_>]) {
    let mut inventories = inventories.iter().copied();
    let near = |known: &mut Known, image: Option<&str>, container: Option<&str>| {
        let place = |one| report::Near {
            image: image.map(str::to_owned),
            container: container.map(str::to_owned),
            near_miss: one,
        };
        std::mem::take(&mut known.near_misses).into_iter().map(place).collect::<Vec<_>>()
    };
    for (image, held) in report.images.iter_mut().zip(inventories.by_ref()) {
        let mut known = findings.of(held, Scope::Image, &image.id);
        report.near_misses.extend(near(&mut known, Some(&image.id), None));
        image.findings = Some(known.findings);
        if !known.gaps.is_empty() && image.status == Some(Status::Complete) {
            image.status = Some(Status::Partial);
        }
        report.gaps.extend(known.gaps);
    }
    for (container, held) in report.containers.iter_mut().zip(inventories.by_ref()) {
        let mut known = findings.of(held, Scope::Container, &container.id);
        report.near_misses.extend(near(&mut known, None, Some(&container.id)));
        container.findings = Some(known.findings);
        report.gaps.extend(known.gaps);
    }
    if let Some(held) = inventories.next() {
        let mut known = findings.of(held, Scope::Volume, "node");
        report.near_misses.extend(near(&mut known, None, None));
        report.node.findings = report.node.packages.is_some().then_some(known.findings);
        report.gaps.extend(known.gaps);
    }
}

/// What is on the disks, without looking into images.
pub fn inspect(inputs: &Inputs) -> Result<Report, OpenError> {
    let node = open(inputs)?;
    let (kernels, lost) = node::kernels(&node.machine, &node.file_systems);
    let mut report = inspected(&node, Bounds::default(), &lost);
    report.node.kernels = kernels::records(&kernels, &[], node.machine.os.as_ref());
    let uses = images::Uses::new(&node.stores);
    let copies = Copies::new(&node.stores, Sameness::Attributes);
    let layers = Layers::none(&copies);
    for image in images::choose(&node.stores, &[]) {
        let folded = Folded { image, inventory: Inventory::default() };
        let mut record = images::record(&folded, &layers, &uses);
        (record.packages, record.status) = (None, (!image.gaps.is_empty()).then_some(Status::Partial));
        for (row, layer) in record.layers.iter_mut().zip(&image.layers) {
            row.source = copies.found(layer);
            row.status = (row.source == LayerSource::Missing).then_some(Status::Failed);
            if row.status.is_some() {
                record.status = Some(Status::Partial);
                report.gaps.push(copies.gap(&layer.diff_id));
            }
        }
        report.gaps.extend(images::gaps(&folded));
        report.images.push(record);
    }
    for store in &node.stores {
        let containers = store.contents.all_containers();
        report.containers.extend(containers.map(|container| containers::record(store, container)));
    }
    report.stats = stats(&node, &report, &layers, 0, (false, true));
    finish(&mut report);
    report.node.tree = report::tree(&report.node);
    Ok(report)
}

/// The parts of a report that opening the disks gives; `lost` is what could not be read of its kernels.
fn inspected(node: &OpenedNode, bounds: Bounds, lost: &[(String, FormatError)]) -> Report {
    let machine = &node.machine;
    let (image_archives, others) = machine.root.as_ref().map(others).unwrap_or_default();
    let mut reasons = reasons(node, &others);
    reasons.extend(bounds.reasons(node.disks.iter().map(|disk| (disk.name.as_str(), disk.size))));
    let lost = lost.iter().map(|(path, error)| {
        let effect = "the node's kernels, or which of them runs, may not be reported";
        Gap::from_error(error, Scope::Volume, "node", effect).at(path.clone())
    });
    let mounts = machine.mounts.iter().map(|mount| report::Mount {
        path: mount.path.to_string(),
        volume: mount.volume.clone(),
        spec: mount.spec.clone(),
    });
    Report {
        schema: report::SCHEMA.to_owned(),
        run: None,
        verdict: Verdict {
            status: match () {
                () if reasons.is_empty() => Status::Complete,
                // It is not known what the node is.
                () if reasons.iter().any(|reason| is_damage(reason.code)) => Status::Failed,
                () => Status::Skipped,
            },
            reasons,
            looked_for: Vec::new(),
        },
        node: report::Node {
            disks: node.disks.clone(),
            volumes: node.volumes.clone(),
            mounts: mounts.collect(),
            tree: Vec::new(),
            os: machine.os.clone(),
            hostname: machine.hostname.clone(),
            kernels: Vec::new(),
            runtimes: node.runtimes.clone(),
            image_archives,
            declared: node.declared.iter().map(|one| pods::declared(one, &node.stores)).collect(),
            packages: None,
            packages_declared: Vec::new(),
            findings: None,
        },
        images: Vec::new(),
        containers: pods::of_kubelet(&node.stores, &node.kubelet),
        sandboxes: Vec::new(),
        pods: pods::records(&node.stores, &node.kubelet),
        near_misses: Vec::new(),
        gaps: node.gaps.iter().cloned().chain(others).chain(lost).collect(),
        stats: Stats::default(),
    }
}

/// What else the node may run, each a gap of its own, and the archives of images that it keeps.
fn others(root: &Root) -> (Vec<report::ImageArchive>, Vec<Gap>) {
    const EFFECT: &str = "its files and packages are not reported";
    let (others, damage) = node::others(root);
    let named = others.into_iter().map(|node::Other { kind, path }| {
        let subject = format!("{kind}:{path}");
        let detail = format!("a container of {kind}");
        Gap::new(Code::UnsupportedRuntime, Scope::Runtime, subject, detail, EFFECT)
    });
    let (archives, unlisted) = node::image_archives(root);
    let lost = damage.iter().chain(&unlisted).map(|error| {
        let effect = "containers of other runtimes, or archives of images, may not be named";
        Gap::from_error(error, Scope::Runtime, "node", effect)
    });
    let archive = |node::ImageArchive { path, size }| report::ImageArchive { path: path.to_string(), size };
    (archives.into_iter().map(archive).collect(), named.chain(lost).collect())
}

/// Whether a code tells of bytes that could not be read, rather than of what they say.
fn is_damage(code: Code) -> bool {
    matches!(
        code,
        Code::CorruptStructure
            | Code::Truncated
            | Code::ReadError
            | Code::LimitReached
            | Code::BackingFileNotGiven
    )
}

/// Why the node is not analyzed, if it is not; `others` tells what else it runs.
fn reasons(node: &OpenedNode, others: &[Gap]) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = node.machine.reasons.clone();
    if reasons.iter().all(|reason| reason.code == Code::MissingDisk) && node.runtimes.is_empty() {
        // A volume that could not be read may hold what was not found, or be what seems to be missing.
        reasons.extend(node.unread.iter().map(|gap| Reason {
            code: gap.code,
            detail: "no container runtime's state was found, and a volume could not be read".to_owned(),
            evidence: format!("{}: {}", gap.subject, gap.detail),
        }));
        let mut unread = others.iter().filter(|gap| gap.code == Code::UnsupportedRuntime);
        if let Some(first) = unread.next().filter(|_| reasons.is_empty()) {
            let more = match unread.count() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            reasons.push(Reason {
                code: Code::UnsupportedRuntime,
                detail: "the node has containers of runtimes only that are not read".to_owned(),
                evidence: format!("{}{more}", first.subject),
            });
        }
        if reasons.is_empty() {
            let read: Vec<&str> = node.file_systems.iter().map(|volume| volume.volume.id.as_str()).collect();
            reasons.push(Reason {
                code: Code::NoContainerRuntime,
                detail: "no container runtime's state was found".to_owned(),
                evidence: match read.as_slice() {
                    [] => "there is no file system that can be read".to_owned(),
                    read => format!("searched the usual places on {}", read.join(", ")),
                },
            });
        }
    }
    reasons
}

fn stats(
    node: &OpenedNode,
    report: &Report,
    layers: &Layers<'_>,
    node_seen: u64,
    (matched, reproducible): (bool, bool),
) -> Stats {
    let containers = report.containers.iter().map(|container| &container.packages_added);
    let images = report.images.iter().map(|image| &image.packages);
    let packages: usize = images
        .chain(containers)
        .chain([&report.node.packages])
        .map(|list| list.iter().flatten().count())
        .sum();
    let looked_for = !report.verdict.looked_for.is_empty();
    let figure = |value: u64| (!reproducible).then_some(value);
    let sum = |of: fn(&layer::LayerFacts) -> u64| layers.all().map(|layer| of(&layer.facts)).sum::<u64>();
    Stats {
        bytes_read: figure(node.counter.bytes()),
        reads: figure(node.counter.reads()),
        requests: node.counter.network().and_then(|(requests, _)| figure(requests)),
        bytes_received: node.counter.network().and_then(|(_, bytes)| figure(bytes)),
        files_seen: sum(|facts| facts.entries).saturating_add(node_seen),
        files_opened: sum(|facts| facts.opened),
        layers: num::to_u64(layers.count(|_| true)),
        layers_cached: figure(num::to_u64(layers.count(|layer| layer.cached))),
        images: num::to_u64(report.images.len()),
        packages: looked_for.then(|| num::to_u64(packages)),
        findings: matched.then(|| num::to_u64(report.findings().count())),
    }
}

/// Sorts what is not sorted yet, and settles the verdict.
fn finish(report: &mut Report) {
    report.images.sort_by(|a, b| a.id.cmp(&b.id));
    report.containers.sort_by(|a, b| a.id.cmp(&b.id));
    let all = std::mem::take(&mut report.containers).into_iter();
    (report.sandboxes, report.containers) = all.partition(|container| container.kind == "sandbox");
    report.pods.sort();
    report.gaps.sort();
    report.gaps.dedup();
    report.node.mounts.sort();
    if report.verdict.status == Status::Complete && !report.gaps.is_empty() {
        report.verdict.status = Status::Partial;
        report.verdict.reasons.extend(incomplete(&report.gaps));
    }
}

/// A reason for each code of the gaps: what the first one tells, and how many more there are.
fn incomplete(gaps: &[Gap]) -> Vec<Reason> {
    let codes: BTreeSet<Code> = gaps.iter().map(|gap| gap.code).collect();
    let reason = |code| {
        let mut of_code = gaps.iter().filter(|gap| gap.code == code);
        let first = of_code.next()?;
        let more = match of_code.count() {
            0 => String::new(),
            1 => "; one more gap has this code".to_owned(),
            more => format!("; {more} more gaps have this code"),
        };
        let path = first.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        let evidence = format!("{} {}{path}", first.scope.text(), first.subject);
        Some(Reason { code, detail: format!("{}{more}", first.detail), evidence })
    };
    codes.into_iter().filter_map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_what_is_missing() {
        let gap = |code, subject: &str| Gap::new(code, Scope::Layer, subject, "it is short", "");
        let gaps = [
            gap(Code::Truncated, "a"),
            gap(Code::Truncated, "b"),
            gap(Code::ReadError, "c").at("/etc/x"),
            gap(Code::Truncated, "d"),
        ];
        let told: Vec<_> = incomplete(&gaps).into_iter().map(|r| (r.code, r.detail, r.evidence)).collect();
        let row = |code, detail: &str, evidence: &str| (code, detail.to_owned(), evidence.to_owned());
        assert_eq!(
            told,
            [
                row(Code::ReadError, "it is short", "layer c /etc/x"),
                row(Code::Truncated, "it is short; 2 more gaps have this code", "layer a"),
            ]
        );
    }
}
