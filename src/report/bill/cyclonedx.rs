//! CycloneDX 1.6 (ECMA-424), JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::{Bill, Kind, Part, digest, place, version};
use crate::{
    inventory::PackageKind,
    report::{Package, json, license::License},
    vuln::{Finding, Severity, Status, cvss::Version},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
    compositions: Vec<Composition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerabilities: Option<Vec<Vulnerability<'a>>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: &'a str,
    tools: Tools,
    component: Component<'a>,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    r#type: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize, Default)]
struct Component<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Supplier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<[Hash<'a>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(rename = "externalReferences", skip_serializing_if = "Option::is_none")]
    references: Option<[Reference<'a>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Reference<'a> {
    r#type: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Supplier<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LicenseChoice<'a> {
    License { license: Named<'a> },
    Expression { expression: &'a str },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Named<'a> {
    Id(&'a str),
    Name(&'a str),
}

#[derive(Serialize)]
struct Property<'a> {
    name: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct Evidence {
    occurrences: Vec<Occurrence>,
}

#[derive(Serialize)]
struct Occurrence {
    location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: Vec<String>,
}

#[derive(Serialize)]
struct Composition {
    aggregate: &'static str,
    assemblies: Vec<String>,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratings: Vec<Rating<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recommendation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    analysis: Option<Analysis<'a>>,
    affects: Vec<Affected>,
}

#[derive(Serialize)]
struct Rating<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<&'a str>,
}

#[derive(Serialize)]
struct Analysis<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct Affected {
    r#ref: String,
}

/// Writes the document.
pub(super) fn write(bill: Bill<'_>, to: &mut dyn Write) -> io::Result<()> {
    let contents = bill.contents();
    let mut components = inside(&contents.top);
    components
        .extend(contents.parts.iter().map(|part| Component { components: inside(part), ..whole(part) }));
    let document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{}", contents.uuid("cyclonedx")),
        version: 1,
        metadata: Metadata {
            timestamp: contents.created,
            tools: Tools {
                components: [Tool {
                    r#type: "application",
                    name: "icecore",
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            component: whole(&contents.top),
        },
        components,
        dependencies: contents.all().flat_map(dependencies).collect(),
        compositions: contents.all().map(composition).collect(),
        vulnerabilities: bill.is_matched().then(|| contents.all().flat_map(vulnerabilities).collect()),
    };
    json::compact(&document, to)?;
    to.write_all(b"\n")
}

/// A node, an image or a container itself.
fn whole<'a>(part: &'a Part<'_>) -> Component<'a> {
    Component {
        r#type: match part.kind {
            Kind::Node => "device",
            Kind::Image | Kind::Container => "container",
        },
        reference: Some(part.id.clone()),
        name: &part.name,
        version: part.version,
        purl: part.purl.as_deref(),
        ..Component::default()
    }
}

/// The distribution and the packages of a part.
fn inside<'a>(part: &'a Part<'_>) -> Vec<Component<'a>> {
    let os = part.os.map(|os| Component {
        r#type: "operating-system",
        reference: Some(format!("{}/os", part.id)),
        name: &os.id,
        version: part.release(),
        ..Component::default()
    });
    let packages = part.packages().map(|(reference, package)| component(reference, package));
    os.into_iter().chain(packages).collect()
}

fn component(reference: String, package: &Package) -> Component<'_> {
    let (group, name) = package.kind.split(&package.name);
    let declared = License::of(package).map(|license| match license {
        License::Id(id) => LicenseChoice::License { license: Named::Id(id) },
        License::Expression(expression) => LicenseChoice::Expression { expression },
        License::Words(name) => LicenseChoice::License { license: Named::Name(name) },
    });
    let mut layers: Vec<&str> = package.locations.iter().filter_map(|one| one.layer.as_deref()).collect();
    layers.sort_unstable();
    layers.dedup();
    let property = |name, value| Property { name, value };
    let others = [
        ("icecore:arch", package.arch.as_deref()),
        ("icecore:source", package.source.as_ref().map(|source| source.name.as_str())),
        ("icecore:source-version", package.source.as_ref().map(|source| source.version.as_str())),
        ("icecore:module", package.module.as_deref()),
        ("icecore:origin", package.origin.as_deref()),
        ("icecore:owned-by", package.owned_by.as_deref()),
        ("icecore:files-gone", package.files_gone.then_some("true")),
        ("icecore:vendored", package.vendored.then_some("true")),
    ];
    let others = others.into_iter().filter_map(|(name, value)| Some(property(name, value?)));
    Component {
        r#type: match (package.kind, group) {
            (PackageKind::Huggingface, _) | (PackageKind::Generic, Some("model")) => "machine-learning-model",
            (PackageKind::Generic, _) => "application",
            _ => "library",
        },
        reference: Some(reference),
        supplier: package.vendor.as_deref().map(|name| Supplier { name }),
        group,
        name,
        version: version(package),
        hashes: hash(package).map(|hash| [hash]),
        licenses: declared.into_iter().collect(),
        purl: Some(&package.purl),
        references: package.url.as_deref().map(|url| [reference_to(url)]),
        properties: layers.into_iter().map(|layer| property("icecore:layer", layer)).chain(others).collect(),
        components: Vec::new(),
        evidence: (!package.locations.is_empty()).then(|| Evidence {
            occurrences: package.locations.iter().map(|one| Occurrence { location: place(one) }).collect(),
        }),
    }
}

fn hash(package: &Package) -> Option<Hash<'_>> {
    let (algorithm, content) = digest(package)?;
    let alg = match algorithm {
        "md5" => "MD5",
        "sha1" => "SHA-1",
        "sha256" => "SHA-256",
        "sha384" => "SHA-384",
        "sha512" => "SHA-512",
        _ => return None,
    };
    Some(Hash { alg, content })
}

fn reference_to(url: &str) -> Reference<'_> {
    Reference { r#type: if url.ends_with(".git") { "vcs" } else { "website" }, url }
}

fn dependencies(part: &Part<'_>) -> impl Iterator<Item = Dependency> {
    part.dependencies().into_iter().map(|(r#ref, depends_on)| Dependency { r#ref, depends_on })
}

/// Whether all that a part holds is listed.
fn composition(part: &Part<'_>) -> Composition {
    let aggregate = if part.is_complete { "complete" } else { "incomplete" };
    Composition { aggregate, assemblies: vec![part.id.clone()] }
}

fn vulnerabilities<'a>(part: &Part<'a>) -> Vec<Vulnerability<'a>> {
    let by_purl = part.by_purl();
    let affects = |finding: &Finding| {
        let references = by_purl.get(finding.package.as_str()).cloned().unwrap_or_default();
        references.into_iter().map(|r#ref| Affected { r#ref }).collect()
    };
    part.findings
        .iter()
        .map(|finding| Vulnerability {
            id: &finding.id,
            ratings: ratings(finding),
            recommendation: finding.fixed_in.first().map(|version| format!("update to {version}")),
            analysis: analysis(finding),
            affects: affects(finding),
        })
        .collect()
}

/// The severity by icecore's own precedence first, then the vectors.
fn ratings(finding: &Finding) -> Vec<Rating<'_>> {
    let own = Rating { score: None, severity: word(finding.severity), method: None, vector: None };
    let scored = finding.cvss.iter().map(|cvss| Rating {
        score: Some(cvss.score),
        severity: "unknown",
        method: Some(match cvss.version {
            Version::V2 => "CVSSv2",
            Version::V3_0 => "CVSSv3",
            Version::V3_1 => "CVSSv31",
            Version::V4 => "CVSSv4",
        }),
        vector: Some(&cvss.vector),
    });
    [own].into_iter().chain(scored).collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "info",
        other => other.text(),
    }
}

fn analysis(finding: &Finding) -> Option<Analysis<'_>> {
    let detail = finding.note.as_deref();
    let state = match finding.status {
        _ if finding.suppressed.is_some() => Some("not_affected"),
        Status::NotAffected => Some("not_affected"),
        Status::UnderInvestigation => Some("in_triage"),
        _ => None,
    };
    let response = match finding.status {
        Status::WillNotFix => vec!["will_not_fix"],
        _ if !finding.fixed_in.is_empty() => vec!["update"],
        _ => Vec::new(),
    };
    let says = state.is_some() || detail.is_some() || !response.is_empty();
    says.then_some(Analysis { state, response, detail })
}
