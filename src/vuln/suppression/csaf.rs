//! The VEX profile of CSAF documents (CSAF 2.0, sections 3.2 and 4.5): products have ids, by which the statuses of
//! vulnerabilities name them; a product may be a component of another.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{By, Statement, Suppressed, malformed, product::Product, sha256, time};
use crate::{error::FormatError, limits};

#[derive(Deserialize)]
struct Document {
    document: About,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Value>,
}

#[derive(Deserialize)]
struct About {
    #[serde(default)]
    tracking: Tracking,
}

#[derive(Default, Deserialize)]
struct Tracking {
    #[serde(default)]
    current_release_date: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tree {
    branches: Vec<Branch>,
    full_product_names: Vec<FullName>,
    relationships: Vec<Relationship>,
    product_groups: Vec<Group>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Branch {
    branches: Vec<Branch>,
    product: Option<FullName>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FullName {
    product_id: String,
    product_identification_helper: Helper,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Helper {
    purl: Option<String>,
    /// CSAF 2.1.
    purls: Vec<String>,
    hashes: Vec<Hashes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hashes {
    file_hashes: Vec<FileHash>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileHash {
    algorithm: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Relationship {
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: FullName,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    group_id: String,
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    cve: Option<String>,
    #[serde(default)]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    flags: Vec<Note>,
    #[serde(default)]
    threats: Vec<Note>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

/// A flag (with a label) or a threat (with details) of some products.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Note {
    label: String,
    category: String,
    details: String,
    product_ids: Vec<String>,
    group_ids: Vec<String>,
}

type Products = HashMap<String, Vec<Product>>;

/// What a document says. The error names the vulnerability.
pub(super) fn statements(name: &str, document: Value) -> Result<Vec<Statement>, FormatError> {
    let document: Document = serde_json::from_value(document).map_err(|error| malformed("CSAF", error))?;
    let products = document.product_tree.products()?;
    let groups: HashMap<&str, &Vec<String>> = document
        .product_tree
        .product_groups
        .iter()
        .map(|group| (group.group_id.as_str(), &group.product_ids))
        .collect();
    let stated = time(document.document.tracking.current_release_date.as_deref());
    let mut statements = Vec::new();
    for (number, said) in document.vulnerabilities.into_iter().enumerate() {
        let place = format!("vulnerability {}", number.saturating_add(1));
        let said: Vulnerability = serde_json::from_value(said).map_err(|error| malformed(&place, error))?;
        let ids: Vec<_> = said.cve.iter().cloned().chain(said.ids.iter().map(|id| id.text.clone())).collect();
        let about = |notes: &[Note], product: &String, text: fn(&Note) -> &str| {
            let is_about = |note: &&Note| {
                let grouped = note.group_ids.iter().filter_map(|id| groups.get(id.as_str()));
                note.product_ids.contains(product)
                    || grouped.flat_map(|ids| ids.iter()).any(|id| id == product)
            };
            notes.iter().find(is_about).map(|note| text(note).to_owned()).filter(|text| !text.is_empty())
        };
        let impacts: Vec<_> = said.threats.into_iter().filter(|threat| threat.category == "impact").collect();
        for (status, named) in &said.product_status {
            let verdict = match status.as_str() {
                "known_not_affected" => Some("not_affected"),
                "fixed" | "first_fixed" => Some("fixed"),
                _ => None,
            };
            for product in named {
                let verdict = verdict.map(|status| Suppressed {
                    by: By::Csaf,
                    source: name.to_owned(),
                    status: status.to_owned(),
                    justification: about(&said.flags, product, |flag| &flag.label),
                    reason: about(&impacts, product, |threat| &threat.details),
                    until: None,
                });
                let products = products.get(product).cloned().unwrap_or_default();
                statements.push(Statement { ids: ids.clone(), products, time: stated, verdict });
            }
        }
    }
    Ok(statements)
}

impl Tree {
    /// All products by their ids. What is a component of an image is looked for in it; what is one of anything
    /// else, a distribution that only a CPE names among them, is not known.
    fn products(&self) -> Result<Products, FormatError> {
        let mut products = Products::new();
        for full in &self.full_product_names {
            full.put(&mut products);
        }
        for branch in &self.branches {
            branch.put(limits::COMPONENT_DEPTH, &mut products)?;
        }
        for related in &self.relationships {
            let (part, whole) = (&related.product_reference, &related.relates_to_product_reference);
            let parts = products.get(part).cloned().unwrap_or_default();
            let wholes = products.get(whole).cloned().unwrap_or_default();
            let mut both: Vec<_> =
                wholes.iter().flat_map(|whole| parts.iter().filter_map(|part| whole.part(part))).collect();
            both.extend(related.full_product_name.names());
            products.entry(related.full_product_name.product_id.clone()).or_default().extend(both);
        }
        Ok(products)
    }
}

impl Branch {
    fn put(&self, depth: usize, products: &mut Products) -> Result<(), FormatError> {
        let Some(depth) = depth.checked_sub(1) else {
            let limit = limits::COMPONENT_DEPTH;
            return Err(FormatError::limit(format!("product branches nested deeper than {limit}")));
        };
        if let Some(full) = &self.product {
            full.put(products);
        }
        self.branches.iter().try_for_each(|branch| branch.put(depth, products))
    }
}

impl FullName {
    fn put(&self, products: &mut Products) {
        products.entry(self.product_id.clone()).or_default().extend(self.names());
    }

    fn names(&self) -> Vec<Product> {
        let Helper { purl, purls, hashes } = &self.product_identification_helper;
        let purls = purl.iter().chain(purls).filter_map(|purl| Product::of_purl(purl));
        let hashes = hashes.iter().flat_map(|hashes| &hashes.file_hashes);
        let digests = hashes.filter_map(|hash| sha256(&hash.algorithm, &hash.value));
        purls.chain(digests.map(Product::of_digest)).collect()
    }
}
