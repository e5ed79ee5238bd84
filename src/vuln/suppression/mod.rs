//! What the user says about findings: VEX documents (OpenVEX, CSAF, CycloneDX) and a file of what to ignore.
//! A finding of which they say that it is none, or need not be heeded, stays in the report, with who says so.
//!
//! Statements of VEX documents are about products, which are packages, images, or packages in images; the newest
//! statement about a finding counts, and one that calls the product affected takes back what older ones said. A
//! product that cannot be told (by CPE alone) is none: nothing is suppressed for it.

mod csaf;
mod cyclonedx;
mod ignore;
mod openvex;
mod product;

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use self::product::{Product, Purl};
use super::Finding;
use crate::error::FormatError;

/// Who says that a finding is none, or need not be heeded, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Suppressed {
    /// What kind of file says so.
    pub by: By,
    /// The file's name.
    pub source: String,
    /// What it says of the package: `not_affected`, `fixed`, `false_positive`, or `ignored`.
    pub status: String,
    /// Why, in the document's own word (`vulnerable_code_not_in_execute_path`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day on which it holds (a date).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What kind of file speaks of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// OpenVEX.
    Openvex,
    /// The VEX profile of CSAF.
    Csaf,
    /// CycloneDX with `vulnerabilities`.
    Cyclonedx,
    /// A file of what to ignore.
    IgnoreFile,
}

/// Where a finding is.
#[derive(Debug, Clone, Default)]
pub struct Place<'a> {
    /// Digests of the image: of its configuration, its manifest, the indexes that lead to it.
    pub digests: Vec<&'a str>,
    /// Its names.
    pub references: Vec<&'a str>,
    /// Files by which packages show, by purl.
    pub paths: BTreeMap<&'a str, Vec<&'a str>>,
}

/// A statement of a VEX document about some vulnerabilities of some products.
struct Statement {
    ids: Vec<String>,
    products: Vec<Product>,
    /// When it was made; one that does not tell is the oldest.
    time: Option<OffsetDateTime>,
    /// What it says, unless that the products are affected, or may be.
    verdict: Option<Suppressed>,
}

/// All that the user says.
#[derive(Default)]
pub struct Suppressions {
    statements: Vec<Statement>,
    /// The places of statements by the ids of vulnerabilities.
    by_id: HashMap<String, Vec<usize>>,
    rules: Vec<ignore::Rule>,
}

impl Suppressions {
    /// Adds a VEX document of any form. The error names the place in it.
    pub fn add_vex(&mut self, name: &str, bytes: &[u8]) -> Result<(), FormatError> {
        let malformed = |error: serde_json::Error| FormatError::malformed("VEX document", error.to_string());
        let document: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let is_openvex = text("/@context").contains("openvex");
        let is_csaf = !text("/document/csaf_version").is_empty();
        let is_cyclonedx = text("/bomFormat") == "CycloneDX";
        let statements = match () {
            () if is_openvex => openvex::statements(name, document)?,
            () if is_csaf => csaf::statements(name, document)?,
            () if is_cyclonedx => cyclonedx::statements(name, document)?,
            () => {
                let problem = "neither OpenVEX (`@context`) nor CSAF (`document.csaf_version`) nor CycloneDX (`bomFormat`)";
                return Err(FormatError::malformed("VEX document", problem));
            }
        };
        for statement in statements {
            let place = self.statements.len();
            for id in &statement.ids {
                self.by_id.entry(id.clone()).or_default().push(place);
            }
            self.statements.push(statement);
        }
        Ok(())
    }

    /// Adds a file of what to ignore, as of a day (`2024-12-31`). Entries that have expired by then are left out
    /// and given back in words.
    pub fn add_ignored(&mut self, name: &str, text: &str, today: &str) -> Result<Vec<String>, FormatError> {
        let (rules, expired) = ignore::rules(name, text, today)?;
        self.rules.extend(rules);
        Ok(expired)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.rules.is_empty()
    }

    /// What is said of a finding: by the newest statement about it, or else by the first entry of what to ignore.
    pub fn of(&self, finding: &Finding, place: &Place<'_>) -> Option<Suppressed> {
        if self.is_empty() {
            return None;
        }
        let purl = Purl::parse(&finding.package);
        let ids = || [&finding.id].into_iter().chain(&finding.aliases).chain(&finding.records);
        let places = ids().filter_map(|id| self.by_id.get(id)).flatten();
        let about =
            places.filter_map(|at| Some((self.statements.get(*at)?, *at))).filter(|(statement, _)| {
                statement.products.iter().any(|product| product.is(purl.as_ref(), place))
            });
        // Of statements of the same time the last that was given.
        let newest = about.max_by_key(|(statement, at)| (statement.time, *at));
        let by_vex = newest.and_then(|(statement, _)| statement.verdict.clone());
        by_vex.or_else(|| {
            let rule = self.rules.iter().find(|rule| rule.holds(finding, purl.as_ref(), place));
            rule.map(|rule| rule.verdict.clone())
        })
    }
}

/// A time as documents write it (RFC 3339); what is none counts as not told.
fn time(text: Option<&str>) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text?, &Rfc3339).ok()
}

fn malformed(place: impl std::fmt::Display, problem: impl std::fmt::Display) -> FormatError {
    FormatError::malformed("VEX document", format!("{place}: {problem}"))
}

/// An id of an image, or of a file of one, as documents give it beside its algorithm.
fn sha256(algorithm: &str, value: &str) -> Option<String> {
    let named = algorithm.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let hex = value.trim_start_matches("sha256:").to_ascii_lowercase();
    (named.eq_ignore_ascii_case("sha256") && hex.len() == 64).then(|| format!("sha256:{hex}"))
}

#[cfg(test)]
mod tests;
