//! What `icecore match` is asked: packages without a disk, as lines or as a bill of materials.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Database, ecosystem, matching::Matches};
use crate::{
    error::FormatError,
    inventory::{self, Os, Package, PackageKind, SourcePackage},
    limits,
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
            return bill_of_materials(text);
        }
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        lines
            .map(|(number, line)| {
                Self::parse(line).ok_or_else(|| {
                    let line = line.chars().take(80).collect::<String>();
                    FormatError::corrupt("package", 0, format!("line {}: `{line}`", number.saturating_add(1)))
                })
            })
            .collect()
    }

    /// One line: a purl, or `ecosystem<TAB>name<TAB>version`. Further fields are passed over.
    pub fn parse(line: &str) -> Option<Self> {
        let text = line.trim_end_matches(['\r', '\n']);
        let subject = if text.trim_start().starts_with("pkg:") {
            purl(text.trim())?
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

/// A purl's package, and the distribution that it names. `None` for what is no purl.
fn purl(text: &str) -> Option<Subject> {
    let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split('#').next()?;
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, path) = rest.split_once('/')?;
    let (path, version) = match path.rsplit_once('@') {
        Some((path, version)) if !path.is_empty() && !version.contains('/') => (path, version),
        _ => (path, ""),
    };
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
    let (name, namespace) = segments.split_last()?;
    let qualifiers: BTreeMap<String, String> = qualifiers
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_ascii_lowercase(), decode(value)))
        .collect();
    let Some(kind) = PackageKind::from_text(&kind.to_ascii_lowercase()) else { return Some(Subject::Other) };
    let namespace = namespace.join("/");
    let mut package = Package::new(kind, name.clone(), decode(version));
    if kind == PackageKind::Npm && !namespace.is_empty() {
        package.name = format!("{namespace}/{name}");
    }
    if let Some(epoch) = qualifiers.get("epoch").filter(|_| kind == PackageKind::Rpm) {
        package.version = format!("{epoch}:{}", package.version);
    }
    package.arch = qualifiers.get("arch").cloned();
    package.module = qualifiers.get("rpmmod").cloned();
    let upstream = qualifiers.get("upstream").or_else(|| qualifiers.get("source"));
    package.source = upstream.map(|upstream| source(upstream, &package.version));
    let os = kind.is_os().then(|| os(&namespace, qualifiers.get("distro").map_or("", String::as_str)));
    Some(Subject::Package { package: Box::new(package), os })
}

/// `name`, `name@version`, or the file name of a source rpm, which is passed over by name alone.
fn source(upstream: &str, version: &str) -> SourcePackage {
    let (name, version) = upstream.split_once('@').unwrap_or((upstream, version));
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

/// The distribution: `debian-12`, or a codename (`bookworm`, `debian-bookworm`); its id is the namespace.
fn os(namespace: &str, distro: &str) -> Os {
    let id = if namespace == "redhat" { "rhel" } else { namespace };
    let release = distro.strip_prefix(id).or_else(|| distro.strip_prefix(namespace)).unwrap_or(distro);
    let release = release.trim_start_matches(['-', ':']).to_owned();
    let numbered = release.starts_with(|c: char| c.is_ascii_digit());
    let (version_id, codename) = match (release.is_empty(), numbered) {
        (true, _) => (None, None),
        (false, true) => (Some(release), None),
        (false, false) => (None, Some(release)),
    };
    Os { id: id.to_ascii_lowercase(), version_id, codename, ..Os::default() }
}

/// Percent-decoding; what does not decode stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[derive(Deserialize)]
struct Bill {
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

/// The components of a CycloneDX document with those inside them, in the document's order. An
/// `operating-system` among them is the distribution of purls that name none.
fn bill_of_materials(text: &str) -> Result<Vec<Query>, FormatError> {
    let bill: Bill = serde_json::from_str(text)
        .map_err(|error| FormatError::corrupt("CycloneDX document", 0, error.to_string()))?;
    let mut queries = Vec::new();
    let os = bill.components.iter().find(|component| component.kind == "operating-system");
    let os = os.map(|os| Os {
        id: os.name.to_ascii_lowercase(),
        version_id: Some(os.version.clone()).filter(|version| !version.is_empty()),
        ..Os::default()
    });
    collect(&bill.components, os.as_ref(), limits::COMPONENT_DEPTH, &mut queries)?;
    Ok(queries)
}

fn collect(
    components: &[Component],
    system: Option<&Os>,
    depth: usize,
    queries: &mut Vec<Query>,
) -> Result<(), FormatError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(FormatError::limit(format!("components nested deeper than {}", limits::COMPONENT_DEPTH)));
    };
    for component in components {
        if component.kind != "operating-system" {
            queries.push(query(component, system));
        }
        collect(&component.components, system, depth, queries)?;
    }
    Ok(())
}

fn query(component: &Component, system: Option<&Os>) -> Query {
    let Some(text) = &component.purl else {
        let text = format!("{} {}", component.name, component.version);
        return Query { text, subject: Subject::Other };
    };
    let mut subject = purl(text).unwrap_or(Subject::Other);
    if let Subject::Package { os: Some(os), .. } = &mut subject
        && let Some(system) =
            system.filter(|system| os.version_id.is_none() && os.codename.is_none() && system.id == os.id)
    {
        *os = system.clone();
    }
    Query { text: text.clone(), subject }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purls_come_back_as_they_were() {
        for text in [
            "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl",
            "pkg:deb/debian/libc-bin@2.36-9%2Bdeb12u4?distro=debian-12&upstream=glibc%402.36-9%2Bdeb12u3",
            "pkg:apk/alpine/libcrypto3@3.3.1-r3?arch=x86_64&distro=alpine-3.20.3&upstream=openssl",
            "pkg:rpm/almalinux/bind-libs@9.16.23-18.el9?arch=x86_64&distro=almalinux-9.4&epoch=32",
            "pkg:rpm/redhat/nodejs@18.1-1?distro=rhel-9.4&rpmmod=nodejs:18:90:x",
            "pkg:npm/%40babel/core@7.0.0",
            "pkg:pypi/django@4.2.1",
        ] {
            let Subject::Package { package, os } = Query::parse(text).expect("a query").subject else {
                panic!("{text}")
            };
            assert_eq!(inventory::purl(&package, os.as_ref()), text);
        }
    }

    #[test]
    fn lines_that_are_no_package() {
        assert_eq!(Query::parse("pkg:cargo/serde@1.0.0").expect("a purl").subject, Subject::Other);
        for line in ["", "django", "PyPI\tdjango", "pkg:npm"] {
            assert_eq!(Query::parse(line), None, "{line}");
        }
        assert_eq!(
            Query::parse_all("# x\n\nPyPI\ta\t1\nnonsense\n").unwrap_err().to_string(),
            "package at offset 0x0: line 4: `nonsense`"
        );
    }

    #[test]
    fn components_inside_components_and_their_system() {
        let text = r#"{"bomFormat":"CycloneDX","components":[
            {"type":"operating-system","name":"debian","version":"12"},
            {"type":"library","name":"a","purl":"pkg:deb/debian/a@1","components":[{"name":"b","version":"2"}]}]}"#;
        let queries = Query::parse_all(text).unwrap();
        let texts: Vec<_> = queries.iter().map(|query| query.text.as_str()).collect();
        assert_eq!(texts, ["pkg:deb/debian/a@1", "b 2"]);
        let Subject::Package { os: Some(os), .. } = &queries[0].subject else { panic!("{queries:?}") };
        assert_eq!(os.version_id.as_deref(), Some("12"));
    }
}
