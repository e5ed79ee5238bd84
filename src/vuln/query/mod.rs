//! What `icecore match` is asked: packages without a disk, as lines or as a bill of materials.

mod cyclonedx;
mod purl;

use super::{Database, ecosystem, matching::Matches};
use crate::{
    error::FormatError,
    inventory::{self, Os, Package},
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

impl Query {
    /// The packages of a text: lines, or a CycloneDX document in JSON. Empty lines and those that begin with
    /// `#` are passed over. The error is about the line or the document.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, FormatError> {
        if text.trim_start().starts_with('{') {
            return cyclonedx::queries(text);
        }
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        lines
            .map(|(number, line)| {
                Self::parse(line).ok_or_else(|| {
                    let line = line.chars().take(80).collect::<String>();
                    FormatError::malformed("package", format!("line {}: `{line}`", number.saturating_add(1)))
                })
            })
            .collect()
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
        match &self.subject {
            Subject::Osv { ecosystem, name, version } => {
                let package = ecosystem::package(ecosystem, name, version);
                let purl = package.map(|(package, os)| inventory::purl(&package, os.as_ref()));
                database.evaluate(ecosystem, name, version, &purl.unwrap_or_else(|| self.text.clone()))
            }
            Subject::Package { package, os } => database.matches(package, os.as_ref()),
            Subject::Other => Ok(Matches::nothing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_package() {
        assert_eq!(Query::parse("pkg:cargo/serde@1.0.0").expect("a purl").subject, Subject::Other);
        for line in ["", "django", "PyPI\tdjango", "pkg:npm"] {
            assert_eq!(Query::parse(line), None, "{line}");
        }
        assert_eq!(
            Query::parse_all("# x\n\nPyPI\ta\t1\nnonsense\n").unwrap_err().to_string(),
            "package: line 4: `nonsense`"
        );
    }
}
