//! Bills of materials: the inventory of a report in the documents that other tools read. One document is of the whole
//! node with its images, or of one image.

mod cyclonedx;
mod spdx2;
mod spdx3;

use std::{
    collections::HashMap,
    io::{self, Write},
};

use super::{Container, Image, Package, Report, Status};
use crate::{inventory::Os, vuln::Finding};

/// The forms of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// CycloneDX 1.6, JSON.
    CycloneDx,
    /// SPDX 2.3, JSON.
    Spdx2,
    /// SPDX 3.0.1, JSON-LD.
    Spdx3,
}

/// What a document is of.
#[derive(Debug, Clone, Copy)]
pub struct Bill<'a> {
    report: &'a Report,
    of: Of<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    All,
    Node,
    Image(&'a Image),
}

impl<'a> Bill<'a> {
    /// The node and all that is on it.
    pub fn node(report: &'a Report) -> Self {
        Self { report, of: Of::All }
    }

    /// The node without its images, and with what its containers added to them.
    pub fn own(report: &'a Report) -> Self {
        Self { report, of: Of::Node }
    }

    /// One image of a report.
    pub fn image(report: &'a Report, image: &'a Image) -> Self {
        Self { report, of: Of::Image(image) }
    }

    /// Writes the document.
    pub fn write(self, form: Form, to: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::CycloneDx => cyclonedx::write(self, to),
            Form::Spdx2 => spdx2::write(self, to),
            Form::Spdx3 => spdx3::write(self, to),
        }
    }

    /// Whether vulnerabilities were looked for: none is something to say, then.
    fn is_matched(self) -> bool {
        match self.of {
            Of::Image(image) => image.findings.is_some(),
            Of::All | Of::Node => {
                let mut images = self.report.images.iter();
                self.report.node.findings.is_some() || images.any(|image| image.findings.is_some())
            }
        }
    }

    /// What it is of, and what lies on that.
    fn contents(self) -> Contents<'a> {
        let (top, parts) = match self.of {
            Of::Image(image) => (Part::image(image), Vec::new()),
            Of::All | Of::Node => {
                let images =
                    self.report.images.iter().filter(|_| matches!(self.of, Of::All)).map(Part::image);
                let is_changed =
                    |one: &&Container| one.packages_added.as_ref().is_some_and(|added| !added.is_empty());
                let changed = self.report.containers.iter().filter(is_changed);
                (Part::node(self.report), images.chain(changed.map(Part::container)).collect())
            }
        };
        Contents { top, parts, created: self.created() }
    }

    /// When it was made: documents have to say, and reports that two runs make alike do not know.
    fn created(self) -> &'a str {
        self.report.run.as_ref().map_or("1970-01-01T00:00:00Z", |run| run.finished.as_str())
    }
}

/// What a document holds.
struct Contents<'a> {
    /// What it is of.
    top: Part<'a>,
    /// What lies on that.
    parts: Vec<Part<'a>>,
    created: &'a str,
}

impl<'a> Contents<'a> {
    fn all(&self) -> impl Iterator<Item = &Part<'a>> {
        [&self.top].into_iter().chain(&self.parts)
    }

    /// What there is to say if not all of it was examined, where a form has no other place for that.
    fn comment(&self) -> Option<&'static str> {
        let complete = self.all().all(|part| part.is_complete);
        (!complete).then_some("not everything could be examined: the report's gaps tell what")
    }

    /// The beginning of the names of its elements, in SPDX.
    fn namespace(&self, form: &str) -> String {
        format!("https://icecore.invalid/spdx/{}", self.uuid(form))
    }

    /// A name that no other document has, made of its form and of what it holds, so that the same content has the same one.
    fn uuid(&self, form: &str) -> String {
        let mut sum = xxhash_rust::xxh3::Xxh3::new();
        for part in self.all() {
            for text in [form, self.created, part.id.as_str(), part.name.as_str()] {
                sum.update(text.as_bytes());
                sum.update(&[0]);
            }
            for package in part.packages {
                sum.update(package.purl.as_bytes());
                sum.update(&[0]);
            }
        }
        // RFC 9562, version 8: of our own making.
        let bits = sum.digest128() & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
        groups.map(|group| hex.get(group).unwrap_or_default().to_owned()).join("-")
    }
}

/// A node, an image, or what a container added to its image.
struct Part<'a> {
    kind: Kind,
    /// Its id in the document.
    id: String,
    name: String,
    version: Option<&'a str>,
    purl: Option<String>,
    os: Option<&'a Os>,
    packages: &'a [Package],
    findings: &'a [Finding],
    /// Whether all of it was examined.
    is_complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Node,
    Image,
    Container,
}

impl<'a> Part<'a> {
    fn node(report: &'a Report) -> Self {
        let node = &report.node;
        let disks: Vec<&str> = node.disks.iter().map(|disk| disk.name.as_str()).collect();
        Self {
            kind: Kind::Node,
            id: "node".to_owned(),
            name: node.hostname.clone().unwrap_or_else(|| disks.join(" ")),
            version: None,
            purl: None,
            os: node.os.as_ref(),
            packages: node.packages.as_deref().unwrap_or_default(),
            findings: node.findings.as_deref().unwrap_or_default(),
            is_complete: report.verdict.status == Status::Complete && node.packages.is_some(),
        }
    }

    fn image(image: &'a Image) -> Self {
        let name = image.references.first().unwrap_or(&image.id).clone();
        // The type `oci` names an image by the last word of its repository and by its manifest.
        let repository = name.split(['@']).next().unwrap_or(&name);
        let last = repository.rsplit('/').next().unwrap_or(repository);
        let last = last.split(':').next().unwrap_or(last).to_ascii_lowercase();
        let manifest = image.manifests.first().map(|digest| digest.replace(':', "%3A"));
        let purl = manifest.filter(|_| !image.references.is_empty() && !last.is_empty());
        Self {
            kind: Kind::Image,
            id: image.id.clone(),
            purl: purl.map(|digest| format!("pkg:oci/{last}@{digest}")),
            name,
            version: Some(&image.id),
            os: image.os.as_ref(),
            packages: image.packages.as_deref().unwrap_or_default(),
            findings: image.findings.as_deref().unwrap_or_default(),
            is_complete: image.status == Some(Status::Complete) && image.packages.is_some(),
        }
    }

    fn container(container: &'a Container) -> Self {
        Self {
            kind: Kind::Container,
            id: container.id.clone(),
            name: container.name.clone(),
            version: None,
            purl: None,
            os: None,
            packages: container.packages_added.as_deref().unwrap_or_default(),
            findings: container.findings.as_deref().unwrap_or_default(),
            is_complete: true,
        }
    }

    /// The release of its distribution.
    fn release(&self) -> Option<&'a str> {
        self.os.and_then(|os| os.version_id.as_deref().or(os.codename.as_deref()))
    }

    /// Its packages with their ids in the document.
    fn packages(&self) -> impl Iterator<Item = (String, &'a Package)> + use<'_, 'a> {
        (0_usize..).zip(self.packages).map(|(number, package)| (format!("{}/{number}", self.id), package))
    }

    /// Its packages' ids in the document by their purls.
    fn by_purl(&self) -> HashMap<&'a str, Vec<String>> {
        let mut by_purl: HashMap<&str, Vec<String>> = HashMap::new();
        for (id, package) in self.packages() {
            by_purl.entry(&package.purl).or_default().push(id);
        }
        by_purl
    }

    /// Of the packages that are known to need others, the ids of each and of these. Of the other packages it is not certain
    /// that they need none.
    fn dependencies(&self) -> Vec<(String, Vec<String>)> {
        let by_purl = self.by_purl();
        let needed = |package: &Package| {
            let all = package.depends_on.iter().filter_map(|purl| by_purl.get(purl.as_str()));
            all.flatten().cloned().collect::<Vec<String>>()
        };
        let edges = self.packages().map(|(id, package)| (id, needed(package)));
        edges.filter(|(_, needed)| !needed.is_empty()).collect()
    }
}

/// A package's version, if it has one.
fn version(package: &Package) -> Option<&str> {
    Some(package.version.as_str()).filter(|version| !version.is_empty())
}

/// The algorithm and the digits of a package's digest.
fn digest(package: &Package) -> Option<(&str, &str)> {
    package.digest.as_deref()?.split_once(':')
}

/// Where a package shows, a line each.
fn places(package: &Package) -> Option<String> {
    let lines: Vec<String> = package.locations.iter().map(place).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Where a package shows, as one line.
fn place(location: &super::Location) -> String {
    match &location.inside {
        Some(inside) => format!("{}!/{inside}", location.path),
        None => location.path.clone(),
    }
}
