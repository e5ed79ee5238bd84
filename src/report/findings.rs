//! The findings of a report wherever they are: of the node, the images and the containers.

use super::{Explained, Finding, Report};
use crate::{num, vuln::Severity};

/// What has a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place<'a> {
    /// An image, by id.
    Image(&'a str),
    /// A container's own packages, by its id.
    Container(&'a str),
    /// The node's own packages.
    Node,
}

/// Which findings a caller wants to see.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these severities; of all if there is none.
    pub severities: Vec<Severity>,
    /// Only what a newer version mends.
    pub fixed_only: bool,
}

impl Filter {
    fn wants(&self, finding: &Finding) -> bool {
        let severity = self.severities.is_empty() || self.severities.contains(&finding.severity);
        severity && !(self.fixed_only && finding.fixed_in.is_empty())
    }
}

impl Report {
    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = (Place<'_>, &Finding)> {
        let images = self.images.iter().flat_map(|image| {
            image.findings.iter().flatten().map(|finding| (Place::Image(&image.id), finding))
        });
        let containers = self.containers.iter().chain(&self.sandboxes).flat_map(|container| {
            container.findings.iter().flatten().map(|finding| (Place::Container(&container.id), finding))
        });
        let node = self.node.findings.iter().flatten().map(|finding| (Place::Node, finding));
        images.chain(containers).chain(node)
    }

    /// Whether an open finding is as bad as the limit of a gate.
    pub fn trips(&self, limit: Severity) -> bool {
        self.findings().any(|(_, finding)| finding.is_open() && finding.severity >= limit)
    }

    /// Leaves out the findings and near misses of all but a package or a vulnerability.
    pub fn keep_explained(&mut self, what: &Explained) {
        self.retain_findings(|finding| what.is_about(finding));
        self.near_misses.retain(|near| what.is_near(&near.near_miss));
    }

    /// Leaves out the findings that nobody wants to see.
    pub fn keep_findings(&mut self, filter: &Filter) {
        self.retain_findings(|finding| filter.wants(finding));
        let left = num::to_u64(self.findings().count());
        self.stats.findings = self.stats.findings.map(|_| left);
    }

    fn retain_findings(&mut self, wanted: impl Fn(&Finding) -> bool) {
        let images = self.images.iter_mut().map(|image| &mut image.findings);
        let containers = self.containers.iter_mut().chain(&mut self.sandboxes);
        let containers = containers.map(|container| &mut container.findings);
        for findings in images.chain(containers).chain([&mut self.node.findings]).flatten() {
            findings.retain(&wanted);
        }
    }
}
