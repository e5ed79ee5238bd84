//! The parts of a CSAF document that are read (CSAF 2.0, "3.2 Properties").

use std::collections::BTreeMap;

use serde::Deserialize;

/// A document.
#[derive(Deserialize)]
pub(super) struct Csaf {
    pub(super) document: Document,
    #[serde(default)]
    pub(super) product_tree: Tree,
    #[serde(default)]
    pub(super) vulnerabilities: Vec<Vulnerability>,
}

/// What it says about itself.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) aggregate_severity: Option<Word>,
    pub(super) tracking: Tracking,
}

/// A word in a namespace.
#[derive(Deserialize)]
pub(super) struct Word {
    pub(super) text: String,
}

/// Its id and its state.
#[derive(Deserialize)]
pub(super) struct Tracking {
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) initial_release_date: Option<String>,
    #[serde(default)]
    pub(super) current_release_date: Option<String>,
}

/// Its products.
#[derive(Deserialize, Default)]
pub(super) struct Tree {
    #[serde(default)]
    pub(super) branches: Vec<Branch>,
    #[serde(default)]
    pub(super) relationships: Vec<Relationship>,
}

/// A group of products.
#[derive(Deserialize)]
pub(super) struct Branch {
    #[serde(default)]
    pub(super) branches: Vec<Branch>,
    #[serde(default)]
    pub(super) product: Option<Full>,
}

/// A product.
#[derive(Deserialize)]
pub(super) struct Full {
    pub(super) product_id: String,
    #[serde(default, rename = "product_identification_helper")]
    pub(super) helper: Option<Helper>,
}

/// What else it is known by.
#[derive(Deserialize)]
pub(super) struct Helper {
    #[serde(default)]
    pub(super) cpe: Option<String>,
    #[serde(default)]
    pub(super) purl: Option<String>,
}

/// A product that is a component of another one.
#[derive(Deserialize)]
pub(super) struct Relationship {
    pub(super) full_product_name: Full,
    pub(super) product_reference: String,
    pub(super) relates_to_product_reference: String,
}

/// A vulnerability, and what is said of products.
#[derive(Deserialize)]
pub(super) struct Vulnerability {
    #[serde(default)]
    pub(super) cve: Option<String>,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) cwe: Option<Cwe>,
    #[serde(default)]
    pub(super) notes: Vec<Note>,
    #[serde(default)]
    pub(super) product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) remediations: Vec<Remediation>,
    #[serde(default)]
    pub(super) scores: Vec<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    pub(super) references: Vec<Reference>,
    #[serde(default)]
    pub(super) threats: Vec<Threat>,
}

/// A weakness.
#[derive(Deserialize)]
pub(super) struct Cwe {
    pub(super) id: String,
}

/// A text for people.
#[derive(Deserialize)]
pub(super) struct Note {
    pub(super) category: String,
    pub(super) text: String,
}

/// What is done about products.
#[derive(Deserialize)]
pub(super) struct Remediation {
    pub(super) category: String,
    #[serde(default)]
    pub(super) details: String,
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) product_ids: Vec<String>,
}

/// Where to read more.
#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) url: String,
}

/// How bad it is.
#[derive(Deserialize)]
pub(super) struct Threat {
    pub(super) category: String,
    pub(super) details: String,
}
