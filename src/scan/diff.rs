//! One container against its image.

use super::{
    OpenedNode, Silent, ViewError,
    containers::{self, How},
    copies::Copies,
    findings::{Findings, Held},
    layers::Layers,
    view,
};
use crate::{Gap, gap::Scope, layer::Sameness, report, vuln::Database};

/// What a container changed: all paths, the packages, and the findings of those that it added if a database is given;
/// with what could not be examined.
pub fn diff(
    node: &OpenedNode,
    id: &str,
    database: Option<&Database>,
) -> Result<(report::Container, Vec<Gap>), ViewError> {
    let (store, container) = view::find_container(node, id)?;
    let image = container.image.as_ref().and_then(|id| containers::image_of(&node.stores, store, id));
    let copies = Copies::new(&node.stores, Sameness::Content);
    let layers = Layers::analyze(image.into_iter(), &copies, None, &Silent);
    let how = How { paths: usize::MAX, sameness: Sameness::Content };
    let examined = containers::one(&node.stores, (store, container), &layers, how);
    let mut gaps = view::gaps(node, &view::Where::Container(container.id.clone()));
    gaps.extend(layers.all().flat_map(|layer| layer.gaps.iter().chain(&layer.facts.gaps)).cloned());
    gaps.extend(examined.gaps);
    let mut record = examined.record;
    if let Some(database) = database {
        let added =
            Held { os: examined.os.as_ref(), packages: &examined.added, declared: &[], kernel_runs: false };
        let known = Findings::new(database, &[added], false, &Silent).of(added, Scope::Container, &record.id);
        record.findings = Some(known.findings);
        gaps.extend(known.gaps);
    }
    gaps.sort();
    gaps.dedup();
    Ok((record, gaps))
}
