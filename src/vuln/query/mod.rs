//! What `icecore match` is asked: packages without a disk, as lines or as a bill of materials.

mod cyclonedx;
mod purl;
mod spdx;

use serde::{Deserialize, de::IgnoredAny};

use super::{
    Database, ecosystem,
    matching::{Asked, Matches},
};
use crate::{
    error::FormatError,
    inventory::{self, Os, Package, PackageKind},
    limits, num,
};

/// One package that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The line, or the component's purl.
    pub text: String,
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// A name and version of an ecosystem, as OSV names them.
    Osv { ecosystem: String, name: String, version: String },
    /// A purl.
    Package { package: Box<Package>, os: Option<Os> },
    /// A purl of a type that has no advisories, or a component without one.
    Other,
}

/// What tells the kinds of documents apart.
#[derive(Deserialize)]
struct Document {
    #[serde(default, rename = "spdxVersion")]
    spdx: Option<String>,
    #[serde(default, rename = "@context")]
    context: Option<IgnoredAny>,
}

impl Query {
    /// The packages of a bill of materials in JSON: CycloneDX, or SPDX 2 or 3.
    pub fn document(text: &str) -> Result<Vec<Self>, FormatError> {
        if text.len() > num::to_usize(limits::BILL_BYTES) {
            let problem = format!("bill of materials of more than {} bytes", limits::BILL_BYTES);
            return Err(FormatError::limit(problem));
        }
        let document: Document = serde_json::from_str(text)
            .map_err(|error| FormatError::malformed("bill of materials", error.to_string()))?;
        match document {
            Document { spdx: None, context: None } => cyclonedx::queries(text),
            Document { spdx: Some(_), .. } => spdx::queries(text),
            Document { context: Some(_), .. } => spdx::queries_of_3(text),
        }
    }

    /// One line: a purl, or `ecosystem<TAB>name<TAB>version`. Further fields are passed over.
    pub fn parse(line: &str) -> Option<Self> {
        let text = line.trim_end_matches(['\r', '\n']);
        let subject = if text.trim_start().starts_with("pkg:") {
            purl::parse(text.trim())?
        } else {
            let mut fields = text.split('\t');
            let mut field = || fields.next().map(str::to_owned);
            Subject::Osv { ecosystem: field()?, name: field()?, version: field()? }
        };
        Some(Self { text: text.to_owned(), subject })
    }

    /// What the database says.
    pub fn matches(&self, database: &Database) -> Result<Matches, FormatError> {
        self.answer(database, Asked::default())
    }

    /// What there is to say.
    pub fn answer(&self, database: &Database, asked: Asked) -> Result<Matches, FormatError> {
        match &self.subject {
            Subject::Osv { ecosystem, name, version } => {
                let package = ecosystem::package(ecosystem, name, version);
                let purl = package.map(|(package, os)| inventory::purl(&package, os.as_ref()));
                database.evaluate(ecosystem, name, version, &purl.unwrap_or_else(|| self.text.clone()), asked)
            }
            Subject::Package { package, os } => database.answer(package, os.as_ref(), asked),
            Subject::Other => Ok(Matches::nothing()),
        }
    }
}

/// The package of an rpm's purl, as advisories name their products.
pub(super) fn rpm(text: &str) -> Option<Package> {
    match purl::parse(text)? {
        Subject::Package { package, .. } if package.kind == PackageKind::Rpm => Some(*package),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_package() {
        assert_eq!(Query::parse("pkg:generic/openssl@1.0.0").expect("a purl").subject, Subject::Other);
        for line in ["", "django", "PyPI\tdjango", "pkg:npm"] {
            assert_eq!(Query::parse(line), None, "{line}");
        }
        assert!(Query::document("{").is_err());
    }

    #[test]
    fn every_kind_of_document() {
        for document in [
            r#"{"bomFormat":"CycloneDX","components":[{"name":"a","purl":"pkg:npm/a@1.0.0"}]}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"a","externalRefs":[
                {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/a@1.0.0"}]}]}"#,
            r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"Person","name":"x"},
                {"type":"software_Package","name":"a","software_packageUrl":"pkg:npm/a@1.0.0"}]}"#,
        ] {
            let texts: Vec<_> =
                Query::document(document).unwrap().into_iter().map(|query| query.text).collect();
            assert_eq!(texts, ["pkg:npm/a@1.0.0"], "{document}");
        }
    }
}
