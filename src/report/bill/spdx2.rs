//! SPDX 2.3, JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::{Bill, Contents, Kind, Part, digest, places, version};
use crate::report::{Package, json, license::License};

const NONE: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: Creation<'a>,
    packages: Vec<Entry<'a>>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation<'a> {
    created: &'a str,
    creators: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    name: &'a str,
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    download_location: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksums: Option<[Checksum<'a>; 1]>,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_comments: Option<String>,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<Reference<'a>>,
    primary_package_purpose: &'static str,
}

#[derive(Serialize)]
struct Checksum<'a> {
    algorithm: String,
    #[serde(rename = "checksumValue")]
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference<'a> {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// Writes the document.
pub(super) fn write(bill: Bill<'_>, to: &mut dyn Write) -> io::Result<()> {
    let contents = bill.contents();
    let Contents { top, parts, .. } = &contents;
    let (mut packages, mut relationships) = (Vec::new(), Vec::new());
    let mut relate = |from: &str, kind, to: &str| {
        relationships.push(Relationship {
            spdx_element_id: from.to_owned(),
            relationship_type: kind,
            related_spdx_element: to.to_owned(),
        });
    };
    relate(DOCUMENT, "DESCRIBES", &id(&top.id));
    for part in parts {
        relate(&id(&top.id), "CONTAINS", &id(&part.id));
    }
    for part in contents.all() {
        packages.push(whole(part));
        if let Some(os) = part.os {
            let own = format!("{}/os", part.id);
            relate(&id(&part.id), "CONTAINS", &id(&own));
            packages.push(Entry { version_info: part.release(), ..entry(&os.id, &own, "OPERATING-SYSTEM") });
        }
        for (reference, package) in part.packages() {
            relate(&id(&part.id), "CONTAINS", &id(&reference));
            packages.push(of(package, &reference));
        }
        for (from, needed) in part.dependencies() {
            needed.iter().for_each(|to| relate(&id(&from), "DEPENDS_ON", &id(to)));
        }
    }
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: &top.name,
        document_namespace: contents.namespace("spdx-2.3"),
        creation_info: Creation {
            created: contents.created,
            creators: [concat!("Tool: icecore-", env!("CARGO_PKG_VERSION")).to_owned()],
            comment: contents.comment(),
        },
        packages,
        relationships,
    };
    json::compact(&document, to)?;
    to.write_all(b"\n")
}

/// An element's id: letters, digits, `.` and `-` only.
fn id(of: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("SPDXRef-{}", of.chars().map(plain).collect::<String>())
}

fn entry<'a>(name: &'a str, of: &str, purpose: &'static str) -> Entry<'a> {
    Entry {
        name,
        id: id(of),
        version_info: None,
        supplier: None,
        download_location: NONE,
        homepage: None,
        checksums: None,
        files_analyzed: false,
        source_info: None,
        license_concluded: NONE,
        license_declared: NONE,
        license_comments: None,
        copyright_text: NONE,
        external_refs: Vec::new(),
        primary_package_purpose: purpose,
    }
}

fn reference(purl: &str) -> Reference<'_> {
    Reference { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: purl }
}

fn whole<'a>(part: &'a Part<'_>) -> Entry<'a> {
    let purpose = if part.kind == Kind::Node { "DEVICE" } else { "CONTAINER" };
    Entry {
        version_info: part.version,
        external_refs: part.purl.as_deref().map(reference).into_iter().collect(),
        ..entry(&part.name, &part.id, purpose)
    }
}

fn of<'a>(package: &'a Package, reference_id: &str) -> Entry<'a> {
    let expression = License::of(package).and_then(License::expression);
    Entry {
        version_info: version(package),
        // Line breaks and the like are no part of a name.
        supplier: package.vendor.as_deref().map(|vendor| format!("Organization: {vendor}")),
        homepage: package.url.as_deref(),
        checksums: digest(package)
            .map(|(algorithm, value)| [Checksum { algorithm: algorithm.to_uppercase(), value }]),
        source_info: places(package),
        license_comments: package
            .license
            .as_deref()
            .filter(|text| expression != Some(text))
            .map(|text| format!("declared as: {text}")),
        license_declared: expression.unwrap_or(NONE),
        external_refs: vec![reference(&package.purl)],
        ..entry(&package.name, reference_id, "LIBRARY")
    }
}
