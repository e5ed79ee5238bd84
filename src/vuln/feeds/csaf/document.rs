//! The parts of a CSAF document that are read (CSAF 2.0, "3.2 Properties").

use std::collections::BTreeMap;

use serde::Deserialize;

/// A document.
#[derive(Deserialize)]
pub(in super::super) struct Csaf {
    pub(in super::super) document: Document,
    #[serde(default)]
    pub(in super::super) product_tree: Tree,
    #[serde(default)]
    pub(in super::super) vulnerabilities: Vec<Vulnerability>,
}

/// What it says about itself.
#[derive(Deserialize)]
pub(in super::super) struct Document {
    #[serde(default)]
    pub(in super::super) title: Option<String>,
    #[serde(default)]
    pub(in super::super) aggregate_severity: Option<Word>,
    #[serde(default)]
    pub(in super::super) notes: Vec<Note>,
    #[serde(default)]
    pub(in super::super) references: Vec<Reference>,
    pub(in super::super) tracking: Tracking,
}

/// A word in a namespace.
#[derive(Deserialize)]
pub(in super::super) struct Word {
    /// SUSE's advisories have null here if they have none.
    #[serde(default)]
    pub(in super::super) text: Option<String>,
}

/// Its id and its state.
#[derive(Deserialize)]
pub(in super::super) struct Tracking {
    pub(in super::super) id: String,
    #[serde(default)]
    pub(in super::super) status: Option<String>,
    #[serde(default)]
    pub(in super::super) initial_release_date: Option<String>,
    #[serde(default)]
    pub(in super::super) current_release_date: Option<String>,
}

/// Its products.
#[derive(Deserialize, Default)]
pub(in super::super) struct Tree {
    #[serde(default)]
    pub(in super::super) branches: Vec<Branch>,
    #[serde(default)]
    pub(in super::super) relationships: Vec<Relationship>,
}

/// A group of products.
#[derive(Deserialize)]
pub(in super::super) struct Branch {
    #[serde(default)]
    pub(in super::super) branches: Vec<Branch>,
    #[serde(default)]
    pub(in super::super) product: Option<Full>,
}

/// A product.
#[derive(Deserialize)]
pub(in super::super) struct Full {
    pub(in super::super) product_id: String,
    #[serde(default, rename = "product_identification_helper")]
    pub(in super::super) helper: Option<Helper>,
}

/// What else it is known by.
#[derive(Deserialize)]
pub(in super::super) struct Helper {
    #[serde(default)]
    pub(in super::super) cpe: Option<String>,
    #[serde(default)]
    pub(in super::super) purl: Option<String>,
}

/// A product that is a component of another one.
#[derive(Deserialize)]
pub(in super::super) struct Relationship {
    pub(in super::super) full_product_name: Full,
    pub(in super::super) product_reference: String,
    pub(in super::super) relates_to_product_reference: String,
}

/// A vulnerability, and what is said of products.
#[derive(Deserialize)]
pub(in super::super) struct Vulnerability {
    #[serde(default)]
    pub(in super::super) cve: Option<String>,
    #[serde(default)]
    pub(in super::super) title: Option<String>,
    #[serde(default)]
    pub(in super::super) cwe: Option<Cwe>,
    #[serde(default)]
    pub(in super::super) notes: Vec<Note>,
    #[serde(default)]
    pub(in super::super) product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(in super::super) remediations: Vec<Remediation>,
    #[serde(default)]
    pub(in super::super) scores: Vec<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    pub(in super::super) references: Vec<Reference>,
    #[serde(default)]
    pub(in super::super) threats: Vec<Threat>,
}

/// A weakness.
#[derive(Deserialize)]
pub(in super::super) struct Cwe {
    pub(in super::super) id: String,
}

/// A text for people.
#[derive(Deserialize)]
pub(in super::super) struct Note {
    pub(in super::super) category: String,
    pub(in super::super) text: String,
}

/// What is done about products.
#[derive(Deserialize)]
pub(in super::super) struct Remediation {
    pub(in super::super) category: String,
    #[serde(default)]
    pub(in super::super) details: String,
    #[serde(default)]
    pub(in super::super) url: Option<String>,
    #[serde(default)]
    pub(in super::super) product_ids: Vec<String>,
}

/// Where to read more.
#[derive(Deserialize)]
pub(in super::super) struct Reference {
    pub(in super::super) url: String,
}

/// How bad it is.
#[derive(Deserialize)]
pub(in super::super) struct Threat {
    pub(in super::super) category: String,
    pub(in super::super) details: String,
}
