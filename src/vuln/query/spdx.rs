//! A bill of materials as questions (SPDX 2.3, "Package information"; SPDX 3.0, "Software").

use serde::Deserialize;

use super::{Query, Subject, purl};
use crate::error::FormatError;

#[derive(Deserialize)]
struct Second {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    reference_type: String,
    #[serde(default)]
    reference_locator: String,
}

/// The packages of a document of SPDX 2, in its order.
pub(super) fn queries(text: &str) -> Result<Vec<Query>, FormatError> {
    let document: Second = serde_json::from_str(text)
        .map_err(|error| FormatError::malformed("SPDX document", error.to_string()))?;
    let query = |package: Package| {
        let purl = package.external_refs.into_iter().find(|one| one.reference_type == "purl");
        query(package.name, package.version_info, purl.map(|one| one.reference_locator))
    };
    Ok(document.packages.into_iter().map(query).collect())
}

#[derive(Deserialize)]
struct Third {
    #[serde(default, rename = "@graph")]
    graph: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "software_packageVersion")]
    version: String,
    #[serde(default, rename = "software_packageUrl")]
    purl: Option<String>,
}

/// The packages of a document of SPDX 3, in its order.
pub(super) fn queries_of_3(text: &str) -> Result<Vec<Query>, FormatError> {
    let document: Third = serde_json::from_str(text)
        .map_err(|error| FormatError::malformed("SPDX document", error.to_string()))?;
    let packages = document.graph.into_iter().filter(|element| element.kind == "software_Package");
    Ok(packages.map(|package| query(package.name, package.version, package.purl)).collect())
}

fn query(name: String, version: String, purl: Option<String>) -> Query {
    match purl {
        Some(text) => Query { subject: purl::parse(&text).unwrap_or(Subject::Other), text },
        None => Query { text: format!("{name} {version}"), subject: Subject::Other },
    }
}
