//! SPDX 3.0.1, JSON-LD: the profiles Core and Software.

use std::io::{self, Write};

use serde::Serialize;

use super::{Bill, Contents, Kind, Part, digest, places, version};
use crate::report::{Package, json};

const CREATION: &str = "_:creation";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@graph")]
    graph: Vec<Element<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Element<'a> {
    CreationInfo {
        #[serde(rename = "@id")]
        id: &'static str,
        #[serde(rename = "specVersion")]
        spec_version: &'static str,
        created: &'a str,
        #[serde(rename = "createdBy")]
        created_by: [String; 1],
    },
    SoftwareAgent {
        #[serde(rename = "spdxId")]
        id: String,
        #[serde(rename = "creationInfo")]
        creation: &'static str,
        name: &'static str,
    },
    SpdxDocument {
        #[serde(rename = "spdxId")]
        id: String,
        #[serde(rename = "creationInfo")]
        creation: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        comment: Option<&'static str>,
        #[serde(rename = "profileConformance")]
        profiles: [&'static str; 2],
        #[serde(rename = "rootElement")]
        root: [String; 1],
    },
    #[serde(rename = "software_Sbom")]
    Sbom {
        #[serde(rename = "spdxId")]
        id: String,
        #[serde(rename = "creationInfo")]
        creation: &'static str,
        #[serde(rename = "rootElement")]
        root: [String; 1],
        #[serde(rename = "software_sbomType")]
        kind: [&'static str; 1],
    },
    #[serde(rename = "software_Package")]
    Package {
        #[serde(rename = "spdxId")]
        id: String,
        #[serde(rename = "creationInfo")]
        creation: &'static str,
        name: &'a str,
        #[serde(rename = "software_packageVersion", skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
        #[serde(rename = "software_packageUrl", skip_serializing_if = "Option::is_none")]
        purl: Option<&'a str>,
        #[serde(rename = "software_homePage", skip_serializing_if = "Option::is_none")]
        homepage: Option<&'a str>,
        #[serde(rename = "verifiedUsing", skip_serializing_if = "Option::is_none")]
        digest: Option<[Hash<'a>; 1]>,
        #[serde(rename = "software_sourceInfo", skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        #[serde(rename = "software_primaryPurpose")]
        purpose: &'static str,
    },
    Relationship {
        #[serde(rename = "spdxId")]
        id: String,
        #[serde(rename = "creationInfo")]
        creation: &'static str,
        #[serde(rename = "relationshipType")]
        kind: &'static str,
        from: String,
        to: Vec<String>,
        completeness: &'static str,
    },
}

#[derive(Serialize)]
struct Hash<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    algorithm: &'a str,
    #[serde(rename = "hashValue")]
    value: &'a str,
}

/// Writes the document.
pub(super) fn write(bill: Bill<'_>, to: &mut dyn Write) -> io::Result<()> {
    let contents = bill.contents();
    let Contents { top, parts, created } = &contents;
    let space = contents.namespace("spdx-3.0");
    let id = |of: &str| format!("{space}#{}", of.replace(':', "-"));
    let mut graph = vec![
        Element::CreationInfo { id: CREATION, spec_version: "3.0.1", created, created_by: [id("tool")] },
        Element::SoftwareAgent {
            id: id("tool"),
            creation: CREATION,
            name: concat!("icecore-", env!("CARGO_PKG_VERSION")),
        },
        Element::SpdxDocument {
            id: id("document"),
            creation: CREATION,
            name: &top.name,
            comment: contents.comment(),
            profiles: ["core", "software"],
            root: [id("sbom")],
        },
        Element::Sbom { id: id("sbom"), creation: CREATION, root: [id(&top.id)], kind: ["analyzed"] },
    ];
    for part in contents.all() {
        graph.push(whole(part, id(&part.id)));
        let mut inside = Vec::new();
        if let Some(os) = part.os {
            let own = id(&format!("{}/os", part.id));
            inside.push(own.clone());
            graph.push(Element::Package {
                id: own,
                creation: CREATION,
                name: &os.id,
                version: part.release(),
                purl: None,
                homepage: None,
                digest: None,
                source: None,
                purpose: "operatingSystem",
            });
        }
        for (reference, package) in part.packages() {
            inside.push(id(&reference));
            graph.push(of(package, id(&reference)));
        }
        for (from, needed) in part.dependencies() {
            graph.push(Element::Relationship {
                id: id(&format!("{from}/dependencies")),
                creation: CREATION,
                kind: "dependsOn",
                from: id(&from),
                to: needed.iter().map(|to| id(to)).collect(),
                // What a package requires of other kinds, or only by a name, is not told.
                completeness: "noAssertion",
            });
        }
        if part.kind == Kind::Node {
            inside.extend(parts.iter().map(|part| id(&part.id)));
        }
        if !inside.is_empty() {
            graph.push(Element::Relationship {
                id: id(&format!("{}/contents", part.id)),
                creation: CREATION,
                kind: "contains",
                from: id(&part.id),
                to: inside,
                completeness: if part.is_complete { "complete" } else { "incomplete" },
            });
        }
    }
    let context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
    json::compact(&Document { context, graph }, to)?;
    to.write_all(b"\n")
}

fn whole<'a>(part: &'a Part<'_>, id: String) -> Element<'a> {
    Element::Package {
        id,
        creation: CREATION,
        name: &part.name,
        version: part.version,
        purl: part.purl.as_deref(),
        homepage: None,
        digest: None,
        source: None,
        purpose: if part.kind == Kind::Node { "device" } else { "container" },
    }
}

fn of(package: &Package, id: String) -> Element<'_> {
    Element::Package {
        id,
        creation: CREATION,
        name: &package.name,
        version: version(package),
        purl: Some(&package.purl),
        homepage: package.url.as_deref(),
        digest: digest(package).map(|(algorithm, value)| [Hash { kind: "Hash", algorithm, value }]),
        source: places(package),
        purpose: "library",
    }
}
