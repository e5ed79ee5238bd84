//! What the user says about the findings of a report.

use std::collections::BTreeMap;

use super::{Finding, Image, Package, Report};
use crate::vuln::{Suppressions, suppression::Place};

impl Report {
    /// Marks the findings of which the user says that they are none, or need not be heeded.
    pub fn suppress(&mut self, suppressions: &Suppressions) {
        if suppressions.is_empty() {
            return;
        }
        let by_id: BTreeMap<String, Names> =
            self.images.iter().map(|image| (image.id.clone(), Names::of(image))).collect();
        for image in &mut self.images {
            let place =
                place(by_id.get(&image.id), [image.packages.as_deref(), Some(&image.packages_declared)]);
            mark(&mut image.findings, suppressions, &place);
        }
        for container in self.containers.iter_mut().chain(&mut self.sandboxes) {
            let packages = [container.packages_added.as_deref(), Some(&container.packages_declared)];
            let place = place(by_id.get(&container.image), packages);
            mark(&mut container.findings, suppressions, &place);
        }
        let node = place(None, [self.node.packages.as_deref(), Some(&self.node.packages_declared)]);
        mark(&mut self.node.findings, suppressions, &node);
    }
}

fn mark(findings: &mut Option<Vec<Finding>>, suppressions: &Suppressions, place: &Place<'_>) {
    for finding in findings.iter_mut().flatten() {
        finding.suppressed = suppressions.of(finding, place);
    }
}

/// All by which an image is named.
struct Names {
    digests: Vec<String>,
    references: Vec<String>,
}

impl Names {
    fn of(image: &Image) -> Self {
        let digests = image.manifests.iter().chain([&image.id]);
        Self { digests: digests.cloned().collect(), references: image.references.clone() }
    }
}

/// An image by all its names, and where its packages show.
fn place<'a>(image: Option<&'a Names>, packages: [Option<&'a [Package]>; 2]) -> Place<'a> {
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages.into_iter().flatten().flatten() {
        let shown = package.locations.iter().map(|location| location.path.as_str());
        paths.entry(&package.purl).or_default().extend(shown);
    }
    let digests = image.iter().flat_map(|image| &image.digests);
    let references = image.iter().flat_map(|image| &image.references);
    Place {
        digests: digests.map(String::as_str).collect(),
        references: references.map(String::as_str).collect(),
        paths,
    }
}
