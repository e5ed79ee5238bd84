//! NDJSON: one self-contained record a line, the verdict last, so that a cut stream is recognised.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Container, Finding, Gap, Image, Layer, Node, Package, Pod, RECORD_SCHEMA, Report, Run, Stats, Verdict,
    json,
};

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
    /// The machine, without its packages and findings.
    Node { node: &'a Node },
    /// An image, without its layers, packages and findings.
    Image { image: &'a Image },
    /// A layer of an image.
    Layer { image: &'a str, position: usize, layer: &'a Layer },
    /// A container, without its packages and findings.
    Container { container: &'a Container },
    /// A pod.
    Pod { pod: &'a Pod },
    /// A package of the node, an image, or a container.
    Package {
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        removed: Option<bool>,
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
    /// What `match` knows of one package of its input.
    Match {
        /// As the input spells it.
        package: &'a str,
        findings: &'a [Finding],
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

fn write(body: Body<'_>, to: &mut dyn Write) -> io::Result<()> {
    json::compact(&Record { schema: RECORD_SCHEMA, body }, to)?;
    to.write_all(b"\n")
}

/// Writes what is known of a package without a disk as one record: its findings, and why there may be more.
pub fn match_record(package: &str, findings: &[Finding], gaps: &[Gap], to: &mut dyn Write) -> io::Result<()> {
    write(Body::Match { package, findings, gaps }, to)
}

/// Writes a report as records, in a fixed order.
pub fn ndjson(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut line = |body: Body<'_>| write(body, to);
    let node = Node { packages: Vec::new(), findings: Vec::new(), ..report.node.clone() };
    line(Body::Node { node: &node })?;
    for package in &report.node.packages {
        line(Body::Package { image: None, container: None, removed: None, package })?;
    }
    for finding in &report.node.findings {
        line(Body::Finding { image: None, container: None, finding })?;
    }
    for image in &report.images {
        let id = Some(image.id.as_str());
        let bare = Image { layers: Vec::new(), packages: Vec::new(), findings: Vec::new(), ..image.clone() };
        line(Body::Image { image: &bare })?;
        for (position, layer) in image.layers.iter().enumerate() {
            line(Body::Layer { image: &image.id, position, layer })?;
        }
        for package in &image.packages {
            line(Body::Package { image: id, container: None, removed: None, package })?;
        }
        for finding in &image.findings {
            line(Body::Finding { image: id, container: None, finding })?;
        }
    }
    for container in &report.containers {
        let id = Some(container.id.as_str());
        let bare = Container {
            packages_added: Vec::new(),
            packages_removed: Vec::new(),
            findings: Vec::new(),
            ..container.clone()
        };
        line(Body::Container { container: &bare })?;
        for (removed, packages) in
            [(None, &container.packages_added), (Some(true), &container.packages_removed)]
        {
            for package in packages {
                line(Body::Package { image: None, container: id, removed, package })?;
            }
        }
        for finding in &container.findings {
            line(Body::Finding { image: None, container: id, finding })?;
        }
    }
    for pod in &report.pods {
        line(Body::Pod { pod })?;
    }
    for gap in &report.gaps {
        line(Body::Gap { gap })?;
    }
    line(Body::Verdict { verdict: &report.verdict, stats: &report.stats, run: report.run.as_ref() })
}
