//! CycloneDX documents with `vulnerabilities` (CycloneDX 1.4 to 1.7, "Vulnerability Exploitability"): a
//! vulnerability names what it affects by `bom-ref`, of this document or of another (BOM-Link). If the document
//! is of an image that it tells, it is about the packages in that image.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{By, Statement, Suppressed, malformed, product::Product, sha256, time};
use crate::{bytes::unescaped, error::FormatError, limits};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    vulnerabilities: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Component>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    purl: Option<String>,
    hashes: Vec<Hash>,
    components: Vec<Component>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hash {
    alg: String,
    content: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
    #[serde(default)]
    updated: Option<String>,
    #[serde(default)]
    analysis: Analysis,
    #[serde(default)]
    affects: Vec<Affects>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    detail: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Affects {
    #[serde(rename = "ref")]
    reference: String,
    /// Versions that are, or are not, affected: another way to say what `analysis` says, and not read.
    #[serde(default)]
    versions: Vec<Value>,
}

/// What a document says. The error names the vulnerability.
pub(super) fn statements(name: &str, document: Value) -> Result<Vec<Statement>, FormatError> {
    let document: Document =
        serde_json::from_value(document).map_err(|error| malformed("CycloneDX", error))?;
    let Document { metadata, components, vulnerabilities } = document;
    let mut products = HashMap::new();
    collect(&components, limits::COMPONENT_DEPTH, &mut products)?;
    let subject = metadata.component.as_ref().map(|subject| (subject, subject.products()));
    let image = subject.as_ref().and_then(|(_, named)| named.iter().find(|product| product.is_image()));
    if let Some(image) = image {
        // What is told of a part holds in this image.
        for product in products.values_mut().flatten() {
            *product = image.part(product).unwrap_or_else(|| product.clone());
        }
    }
    if let Some((subject, named)) = &subject {
        products.insert(subject.reference.clone(), named.clone());
    }
    let mut statements = Vec::new();
    for (number, said) in vulnerabilities.into_iter().enumerate() {
        let place = format!("vulnerability {}", number.saturating_add(1));
        let said: Vulnerability = serde_json::from_value(said).map_err(|error| malformed(&place, error))?;
        let Some(state) = said.analysis.state else { continue };
        let status = match state.as_str() {
            "not_affected" | "false_positive" => Some(state),
            "resolved" | "resolved_with_pedigree" => Some("fixed".to_owned()),
            "exploitable" | "in_triage" => None,
            other => return Err(malformed(&place, format!("state `{other:.40}`"))),
        };
        let verdict = status.map(|status| Suppressed {
            by: By::Cyclonedx,
            source: name.to_owned(),
            status,
            justification: said.analysis.justification,
            reason: said.analysis.detail,
            until: None,
        });
        let told = said.affects.iter().filter(|affects| affects.versions.is_empty());
        let ids = said.id.into_iter().chain(said.references.into_iter().map(|reference| reference.id));
        let stamp = said.analysis.last_updated.or(said.updated);
        statements.push(Statement {
            ids: ids.filter(|id| !id.is_empty()).collect(),
            products: told.flat_map(|affects| named(&affects.reference, &products)).collect(),
            time: time(stamp.as_ref().or(metadata.timestamp.as_ref()).map(String::as_str)),
            verdict,
        });
    }
    Ok(statements)
}

fn collect(
    components: &[Component],
    depth: usize,
    products: &mut HashMap<String, Vec<Product>>,
) -> Result<(), FormatError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(FormatError::limit(format!("components nested deeper than {}", limits::COMPONENT_DEPTH)));
    };
    for component in components {
        products.insert(component.reference.clone(), component.products());
        collect(&component.components, depth, products)?;
    }
    Ok(())
}

/// What a reference names: a component of this document; or of another, whose `bom-ref` is a purl as most
/// generators have it (`urn:cdx:SERIAL/VERSION#REF`).
fn named(reference: &str, products: &HashMap<String, Vec<Product>>) -> Vec<Product> {
    if let Some(products) = products.get(reference) {
        return products.clone();
    }
    let linked = reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#'));
    let text = linked.map_or_else(
        || reference.to_owned(),
        |(_, inner)| String::from_utf8_lossy(&unescaped(inner, "%")).into_owned(),
    );
    products.get(&text).cloned().unwrap_or_else(|| Product::of_purl(&text).into_iter().collect())
}

impl Component {
    fn products(&self) -> Vec<Product> {
        let mut products: Vec<_> = self.purl.as_deref().and_then(Product::of_purl).into_iter().collect();
        if self.kind == "container" {
            let digests = self.hashes.iter().filter_map(|hash| sha256(&hash.alg, &hash.content));
            let version =
                self.version.split('@').next_back().filter(|version| version.starts_with("sha256:"));
            let version = version.and_then(|version| sha256("sha256", version));
            products.extend(digests.chain(version).map(Product::of_digest));
        }
        products
    }
}
