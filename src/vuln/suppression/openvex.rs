//! OpenVEX documents (OpenVEX specification 0.2.0, and 0.0.x, in which products and vulnerabilities are mere
//! texts).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{By, Statement, Suppressed, malformed, product::Product, sha256, time};
use crate::error::FormatError;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
    statements: Vec<Value>,
}

#[derive(Deserialize)]
struct Said {
    vulnerability: Vulnerability,
    #[serde(default)]
    products: Vec<Named>,
    /// Of all products, in the older form.
    #[serde(default)]
    subcomponents: Vec<Named>,
    status: String,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    impact_statement: Option<String>,
    #[serde(default)]
    status_notes: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Text(String),
    Object {
        #[serde(default)]
        name: Option<String>,
        #[serde(default, rename = "@id")]
        id: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Text(String),
    Object {
        #[serde(default, rename = "@id")]
        id: Option<String>,
        #[serde(default)]
        identifiers: BTreeMap<String, String>,
        #[serde(default)]
        hashes: BTreeMap<String, String>,
        #[serde(default)]
        subcomponents: Vec<Named>,
    },
}

/// What a document says. The error names the statement.
pub(super) fn statements(name: &str, document: Value) -> Result<Vec<Statement>, FormatError> {
    let document: Document = serde_json::from_value(document).map_err(|error| malformed("OpenVEX", error))?;
    let stated = document.last_updated.or(document.timestamp);
    let mut statements = Vec::new();
    for (number, said) in document.statements.into_iter().enumerate() {
        let place = format!("statement {}", number.saturating_add(1));
        let said: Said = serde_json::from_value(said).map_err(|error| malformed(&place, error))?;
        let suppresses = match said.status.as_str() {
            "not_affected" | "fixed" => true,
            "affected" | "under_investigation" => false,
            other => return Err(malformed(&place, format!("status `{other:.40}`"))),
        };
        let verdict = suppresses.then(|| Suppressed {
            by: By::Openvex,
            source: name.to_owned(),
            status: said.status,
            justification: said.justification,
            reason: said.impact_statement.or(said.status_notes),
            until: None,
        });
        let products = said.products.iter().flat_map(|product| product.products(&said.subcomponents));
        statements.push(Statement {
            ids: said.vulnerability.ids(),
            products: products.collect(),
            time: time(said.last_updated.or(said.timestamp).as_ref().or(stated.as_ref()).map(String::as_str)),
            verdict,
        });
    }
    Ok(statements)
}

impl Vulnerability {
    fn ids(self) -> Vec<String> {
        match self {
            Self::Text(id) => vec![id],
            // An address of the vulnerability ends in its name.
            Self::Object { name, id, aliases } => {
                let last = id.and_then(|id| id.rsplit('/').next().map(str::to_owned));
                name.or(last).into_iter().chain(aliases).collect()
            }
        }
    }
}

impl Named {
    /// Everything by which it is named.
    fn names(&self) -> Vec<Product> {
        match self {
            Self::Text(text) => Product::of_purl(text).into_iter().collect(),
            Self::Object { id, identifiers, hashes, .. } => {
                let purls = id.iter().chain(identifiers.get("purl"));
                let digests = hashes.iter().filter_map(|(algorithm, value)| sha256(algorithm, value));
                purls
                    .filter_map(|purl| Product::of_purl(purl))
                    .chain(digests.map(Product::of_digest))
                    .collect()
            }
        }
    }

    /// It, or its parts if the statement is about them alone.
    fn products(&self, of_all: &[Self]) -> Vec<Product> {
        let own = match self {
            Self::Text(_) => &[][..],
            Self::Object { subcomponents, .. } => subcomponents,
        };
        let names = self.names();
        if own.is_empty() && of_all.is_empty() {
            return names;
        }
        let parts: Vec<_> = own.iter().chain(of_all).flat_map(Self::names).collect();
        names.iter().flat_map(|name| parts.iter().filter_map(|part| name.part(part))).collect()
    }
}
