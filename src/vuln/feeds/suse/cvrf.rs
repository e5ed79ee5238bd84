//! SUSE's CVRF documents, by advisory or by vulnerability (CVRF 1.1 and 1.2, "Document", "Product Tree",
//! "Vulnerability"): binary packages with the fix by product, of no architecture.

use std::collections::HashMap;

use super::statuses::{Part, Statuses};
use crate::{
    vuln::{
        advisory::{Advisory, Details},
        feeds::{
            Feed, File, Output,
            claims::Claims,
            csaf::{self, Said},
            text,
        },
    },
    xml::{self, Element},
};

/// What of a document is read.
#[derive(Default)]
struct Document {
    title: Element,
    tracking: Element,
    notes: Element,
    references: Element,
    severity: Element,
    vulnerabilities: Vec<Element>,
    /// Components of platforms, by the ids of products.
    parts: HashMap<String, (String, String)>,
}

/// One document.
pub(in super::super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let document = Document::parse(file.bytes)?;
    let identification = document.tracking.child("Identification");
    let id = identification.and_then(|one| one.text_of("ID")).ok_or("no id")?;
    // Of a document about one vulnerability: `SUSE CVE-2022-38150`.
    let id = id.strip_prefix("SUSE ").unwrap_or(id);
    let (mut claims, mut said) = (Claims::new(id, &mut output.unordered), Said::default());
    let (mut members, mut vectors, mut impacts) = (Vec::new(), Vec::new(), Vec::new());
    for vulnerability in &document.vulnerabilities {
        document.statuses(vulnerability, &mut claims).say(&mut said, &mut claims);
        members.extend(vulnerability.text_of("CVE").filter(|cve| *cve != id).map(str::to_owned));
        let sets = within(vulnerability, "CVSSScoreSets").flat_map(|set| &set.children);
        vectors.extend(sets.filter(|one| one.name.starts_with("Vector")).map(Element::text));
        let threats = within(vulnerability, "Threats").filter(|one| one.attribute("Type") == Some("Impact"));
        impacts.extend(threats.filter_map(|threat| threat.text_of("Description")));
    }
    said.file(&mut claims);
    let claims = claims.done();
    let description = document.notes.children.iter().find(|note| {
        note.attribute("Type") == Some("Description") || note.attribute("Title") == Some("Details")
    });
    let description = description.map(Element::text);
    let set_aside = id.starts_with("CVE-") && description.is_some_and(text::is_rejected);
    let severity = Some(document.severity.text()).filter(|word| !word.is_empty());
    let date = |name| document.tracking.text_of(name).map(str::to_owned);
    let references = document.references.children.iter().filter_map(|one| one.text_of("URL"));
    output.advisories.push(Advisory {
        id: id.to_owned(),
        modified: date("CurrentReleaseDate"),
        set_aside,
        rating: csaf::rating(members, vectors, severity.or_else(|| text::worst(impacts)).map(str::to_owned)),
        details: Details {
            title: text::title_of(document.title.text(), id),
            description: description.and_then(text::description),
            published: date("InitialReleaseDate"),
            modified: date("CurrentReleaseDate"),
            weaknesses: Vec::new(),
            references: text::references(references),
        },
        claims: if set_aside { Vec::new() } else { claims },
        ..Advisory::default()
    });
    Ok(())
}

impl Document {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        const WANTED: [&str; 7] = [
            "AggregateSeverity",
            "DocumentNotes",
            "DocumentReferences",
            "DocumentTitle",
            "DocumentTracking",
            "Relationship",
            "Vulnerability",
        ];
        let mut document = Self::default();
        xml::elements(bytes, |name| WANTED.contains(&name), |element| document.add(element))?;
        Ok(document)
    }

    fn add(&mut self, element: Element) {
        match element.name.as_str() {
            "AggregateSeverity" => self.severity = element,
            "DocumentNotes" => self.notes = element,
            "DocumentReferences" => self.references = element,
            "DocumentTitle" => self.title = element,
            "DocumentTracking" => self.tracking = element,
            "Relationship" => {
                let of = |name| element.attribute(name).unwrap_or_default().to_owned();
                let pair = (of("ProductReference"), of("RelatesToProductReference"));
                let id = element.child("FullProductName").and_then(|name| name.attribute("ProductID"));
                self.parts.extend(id.map(|id| (id.to_owned(), pair)));
            }
            _ => self.vulnerabilities.push(element),
        }
    }

    /// What is said of the products of a vulnerability. Remedies name no products.
    fn statuses<'a>(&'a self, vulnerability: &'a Element, claims: &mut Claims<'_>) -> Statuses<'a> {
        let mut statuses = Statuses::default();
        for status in within(vulnerability, "ProductStatuses") {
            let word = status.attribute("Type").unwrap_or_default().to_ascii_lowercase().replace(' ', "_");
            for id in status.children("ProductID") {
                match self.parts.get(id.text()) {
                    Some((component, platform)) => {
                        statuses.add(&word, Part { component, purl: None, platform, never: false });
                    }
                    None => claims.left_out(id.text(), "no component of a product"),
                }
            }
        }
        statuses
    }
}

/// What is in the containers of that name.
fn within<'a>(element: &'a Element, name: &'a str) -> impl Iterator<Item = &'a Element> {
    element.children(name).flat_map(|container| &container.children)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> (Advisory, Output) {
        let mut output = Output::default();
        read(Feed::named("suse-cvrf").unwrap(), File { name: "a", bytes: text.as_bytes() }, &mut output)
            .unwrap();
        (output.advisories.remove(0), output)
    }

    #[test]
    fn an_advisory() {
        let (advisory, output) = read_one(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <cvrfdoc xmlns="http://www.icasi.org/CVRF/schema/cvrf/1.1" xmlns:cvrf="http://www.icasi.org/CVRF/schema/cvrf/1.1">
            <DocumentTitle xml:lang="en">Security update for helm-mirror</DocumentTitle><DocumentType>SUSE Patch</DocumentType>
            <DocumentTracking><Identification><ID>SUSE-SU-2019:0048-2</ID></Identification><Status>Final</Status>
            <InitialReleaseDate>2019-07-04T12:26:14Z</InitialReleaseDate><CurrentReleaseDate>2019-07-04T12:26:15Z</CurrentReleaseDate></DocumentTracking>
            <DocumentNotes><Note Title="Topic" Type="Summary" Ordinal="1">Security update</Note>
            <Note Title="Details" Type="General" Ordinal="2">Security issues fixed</Note></DocumentNotes>
            <DocumentReferences><Reference Type="Self"><URL>https://www.suse.com/support/security/rating/</URL></Reference></DocumentReferences>
            <ProductTree xmlns="http://www.icasi.org/CVRF/schema/prod/1.1">
            <Branch Type="Product Version" Name="helm-mirror-0.2.1-1.7.1"><FullProductName ProductID="helm-mirror-0.2.1-1.7.1"/></Branch>
            <Relationship ProductReference="helm-mirror-0.2.1-1.7.1" RelationType="Default Component Of"
            RelatesToProductReference="SUSE Linux Enterprise Module for Containers 15 SP1">
            <FullProductName ProductID="SUSE Linux Enterprise Module for Containers 15 SP1:helm-mirror-0.2.1-1.7.1">h</FullProductName>
            </Relationship></ProductTree>
            <Vulnerability xmlns="http://www.icasi.org/CVRF/schema/vuln/1.1" Ordinal="1"><CVE>CVE-2018-16873</CVE>
            <ProductStatuses><Status Type="Fixed"><ProductID>SUSE Linux Enterprise Module for Containers 15 SP1:helm-mirror-0.2.1-1.7.1</ProductID>
            <ProductID>lost</ProductID></Status></ProductStatuses>
            <Threats><Threat Type="Impact"><Description>important</Description></Threat></Threats></Vulnerability>
            <Vulnerability Ordinal="2"><CVE>CVE-2018-16874</CVE><ProductStatuses><Status Type="Fixed">
            <ProductID>SUSE Linux Enterprise Module for Containers 15 SP1:helm-mirror-0.2.1-1.7.1</ProductID></Status></ProductStatuses>
            <Threats><Threat Type="Impact"><Description>moderate</Description></Threat></Threats></Vulnerability></cvrfdoc>"#,
        );
        assert_eq!(output.unordered.len(), 1);
        assert_eq!(advisory.rating.members, ["CVE-2018-16873", "CVE-2018-16874"]);
        assert_eq!(advisory.rating.severity.as_deref(), Some("important"));
        assert_eq!(advisory.details.description.as_deref(), Some("Security issues fixed"));
        assert_eq!(
            (advisory.modified.as_deref(), advisory.details.references.len()),
            (Some("2019-07-04T12:26:15Z"), 1)
        );
        assert_eq!(advisory.claims.len(), 1);
        let claim = &advisory.claims[0];
        assert_eq!(
            (claim.ecosystem.as_str(), claim.name.as_str()),
            ("SUSE:Linux Enterprise Server 15 SP1", "helm-mirror")
        );
        assert_eq!(
            (claim.statement.ranges[0].to_string().as_str(), claim.statement.is_source),
            ("< 0.2.1-1.7.1", false)
        );
    }

    #[test]
    fn a_vulnerability() {
        let text = r#"<cvrfdoc xmlns="http://docs.oasis-open.org/csaf/ns/csaf-cvrf/v1.2/cvrf"><DocumentTitle>CVE-2022-38150</DocumentTitle>
            <DocumentTracking><Identification><ID>SUSE CVE-2022-38150</ID></Identification></DocumentTracking>
            <DocumentNotes><Note Title="Mitre CVE Description" Type="Description">In Varnish Cache</Note></DocumentNotes>
            <ProductTree><Relationship ProductReference="varnish-7.1.1-1.1" RelatesToProductReference="openSUSE Tumbleweed">
            <FullProductName ProductID="openSUSE Tumbleweed:varnish-7.1.1-1.1"/></Relationship></ProductTree>
            <Vulnerability><CVE>CVE-2022-38150</CVE><CVSSScoreSets><ScoreSetV3><BaseScoreV3>7.5</BaseScoreV3>
            <VectorV3>CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H</VectorV3></ScoreSetV3></CVSSScoreSets>
            <ProductStatuses><Status Type="Fixed"><ProductID>openSUSE Tumbleweed:varnish-7.1.1-1.1</ProductID></Status></ProductStatuses>
            </Vulnerability></cvrfdoc>"#;
        let (advisory, _) = read_one(text);
        assert_eq!((advisory.id.as_str(), advisory.details.title.as_deref()), ("CVE-2022-38150", None));
        assert_eq!((advisory.rating.members.len(), advisory.rating.cvss.len()), (0, 1));
        assert_eq!(advisory.claims[0].ecosystem, "openSUSE:Tumbleweed");
        let (advisory, _) = read_one(&text.replace("In Varnish", "** REJECT ** In Varnish"));
        assert!(advisory.set_aside && advisory.claims.is_empty());
        let mut output = Output::default();
        let empty = File { name: "a", bytes: b"<cvrfdoc/>" };
        assert_eq!(read(Feed::named("suse-cvrf").unwrap(), empty, &mut output), Err("no id".to_owned()));
    }
}
