//! NDJSON: one self-contained record a line, the verdict last, so that a cut stream is recognised.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Container, Finding, Gap, Image, Layer, Near, Node, Package, Pod, RECORD_SCHEMA, Report, Run, Stats,
    Verdict, json,
};
use crate::vuln::matching::{Matches, NearMiss};

/// One line.
#[derive(Serialize, JsonSchema)]
pub struct Record<'a> {
    /// `icecore.record/1`.
    schema: &'static str,
    /// What it is.
    #[serde(flatten)]
    body: Body<'a>,
}

/// What a record holds, with the keys to join it on.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Body<'a> {
    /// The machine. Its packages and findings, and those of images and containers, are records of their own.
    Node { node: &'a Node },
    /// An image, whose layers are records of their own, too.
    Image { image: &'a Image },
    /// A layer of an image.
    Layer { image: &'a str, position: usize, layer: &'a Layer },
    /// A container.
    Container { container: &'a Container },
    /// The sandbox of a pod. Its packages and findings are told as a container's.
    Sandbox { sandbox: &'a Container },
    /// A pod.
    Pod { pod: &'a Pod },
    /// A package of the node, an image, or a container.
    Package {
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<&'a str>,
        #[serde(flatten)]
        standing: Standing,
        package: &'a Package,
    },
    /// A finding of the node, an image, or a container.
    Finding {
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<&'a str>,
        finding: &'a Finding,
    },
    /// A record about a package of the node, an image, or a container that is no finding.
    #[serde(rename = "near-miss")]
    Near {
        #[serde(flatten)]
        near: &'a Near,
    },
    /// What `match` knows of one package of its input.
    Match {
        /// As the input spells it.
        package: &'a str,
        findings: &'a [Finding],
        #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
        near_misses: &'a [NearMiss],
        #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
        gaps: &'a [Gap],
    },
    /// Something that was not examined.
    Gap { gap: &'a Gap },
    /// The end of the stream.
    Verdict {
        verdict: &'a Verdict,
        stats: &'a Stats,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a Run>,
    },
}

/// How a package stands that is not simply there.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct Standing {
    /// The image has it, the container lacks it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    /// Only a lock file or a manifest names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    declared: bool,
    /// A later layer of the image hides it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
}

const THERE: Standing = Standing { removed: false, declared: false, hidden: false };
const REMOVED: Standing = Standing { removed: true, ..THERE };
const DECLARED: Standing = Standing { declared: true, ..THERE };
const HIDDEN: Standing = Standing { hidden: true, ..THERE };

fn write(body: Body<'_>, to: &mut dyn Write) -> io::Result<()> {
    json::compact(&Record { schema: RECORD_SCHEMA, body }, to)?;
    to.write_all(b"\n")
}

/// Writes what is known of a package without a disk as one record: its findings, and why there may be more.
pub fn match_record(package: &str, matches: &Matches, gaps: &[Gap], to: &mut dyn Write) -> io::Result<()> {
    let Matches { findings, near_misses, .. } = matches;
    write(Body::Match { package, findings, near_misses, gaps }, to)
}

/// A list whose elements are records of their own; one that nobody looked for stays none.
fn emptied<T>(list: &Option<Vec<T>>) -> Option<Vec<T>> {
    list.as_ref().map(|_| Vec::new())
}

/// Writes a report as records, in a fixed order.
pub fn ndjson(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut line = |body: Body<'_>| write(body, to);
    let Node { packages, packages_declared, findings, .. } = &report.node;
    let node = Node {
        packages: emptied(packages),
        packages_declared: Vec::new(),
        findings: emptied(findings),
        ..report.node.clone()
    };
    line(Body::Node { node: &node })?;
    for (standing, packages) in [(THERE, packages.as_deref()), (DECLARED, Some(packages_declared))] {
        for package in packages.into_iter().flatten() {
            line(Body::Package { image: None, container: None, standing, package })?;
        }
    }
    for finding in report.node.findings.iter().flatten() {
        line(Body::Finding { image: None, container: None, finding })?;
    }
    for image in &report.images {
        let id = Some(image.id.as_str());
        let bare = Image {
            layers: Vec::new(),
            packages: emptied(&image.packages),
            packages_declared: Vec::new(),
            packages_hidden: emptied(&image.packages_hidden),
            findings: emptied(&image.findings),
            ..image.clone()
        };
        line(Body::Image { image: &bare })?;
        for (position, layer) in image.layers.iter().enumerate() {
            line(Body::Layer { image: &image.id, position, layer })?;
        }
        for (standing, packages) in [
            (THERE, image.packages.as_deref()),
            (DECLARED, Some(image.packages_declared.as_slice())),
            (HIDDEN, image.packages_hidden.as_deref()),
        ] {
            for package in packages.into_iter().flatten() {
                line(Body::Package { image: id, container: None, standing, package })?;
            }
        }
        for finding in image.findings.iter().flatten() {
            line(Body::Finding { image: id, container: None, finding })?;
        }
    }
    let sandboxes = report.sandboxes.iter().map(|sandbox| (true, sandbox));
    for (is_sandbox, container) in report.containers.iter().map(|one| (false, one)).chain(sandboxes) {
        let id = Some(container.id.as_str());
        let bare = Container {
            packages_added: emptied(&container.packages_added),
            packages_removed: emptied(&container.packages_removed),
            packages_declared: Vec::new(),
            findings: emptied(&container.findings),
            ..container.clone()
        };
        line(match is_sandbox {
            true => Body::Sandbox { sandbox: &bare },
            false => Body::Container { container: &bare },
        })?;
        for (standing, packages) in [
            (THERE, container.packages_added.as_deref()),
            (REMOVED, container.packages_removed.as_deref()),
            (DECLARED, Some(container.packages_declared.as_slice())),
        ] {
            for package in packages.into_iter().flatten() {
                line(Body::Package { image: None, container: id, standing, package })?;
            }
        }
        for finding in container.findings.iter().flatten() {
            line(Body::Finding { image: None, container: id, finding })?;
        }
    }
    for pod in &report.pods {
        line(Body::Pod { pod })?;
    }
    for near in &report.near_misses {
        line(Body::Near { near })?;
    }
    for gap in &report.gaps {
        line(Body::Gap { gap })?;
    }
    line(Body::Verdict { verdict: &report.verdict, stats: &report.stats, run: report.run.as_ref() })
}
