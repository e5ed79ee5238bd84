//! CSAF documents, whoever writes them (CSAF 2.0, "3.2 Properties", "4.5 Profile 5: VEX"): advisories, and VEX with
//! one vulnerability a file. Which packages its products are, and what is said of them, tells a vendor's own reader.

mod document;
mod products;
mod remedies;
mod said;

use std::collections::BTreeMap;

use self::document::{Csaf, Document, Tracking};
pub(super) use self::{
    document::Vulnerability,
    products::{Part, Products},
    remedies::Remedies,
    said::{Said, upstream},
};
use super::{File, Output, claims::Claims, text};
use crate::vuln::advisory::{Advisory, Details, Provider, Rating};

/// Puts down what a vulnerability's products are said to be.
type Say = fn(&Vulnerability, &Products, &mut Said, &mut Claims<'_>);

/// One document.
pub(super) fn read(file: File<'_>, output: &mut Output, say: Say) -> Result<(), String> {
    // Some of SUSE's have texts that are no UTF-8.
    let text = String::from_utf8_lossy(file.bytes);
    let csaf: Csaf = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let Csaf { document, product_tree, vulnerabilities } = csaf;
    let Document { title, aggregate_severity, notes, references, tracking } = document;
    let Tracking { id, status, initial_release_date, current_release_date } = tracking;
    let products = Products::of(product_tree);
    let (mut claims, mut said) = (Claims::new(&id, &mut output.unordered), Said::default());
    let (mut members, mut vectors) = (Vec::new(), Vec::new());
    let note = notes.iter().find(|note| note.category == "description");
    let mut details = Details {
        title: title.as_deref().and_then(|title| text::title_of(title, &id)),
        description: note.and_then(|note| text::description(&note.text)),
        published: initial_release_date,
        modified: current_release_date.clone(),
        weaknesses: Vec::new(),
        references: text::references(references.iter().map(|one| one.url.as_str())),
    };
    let mut severity = aggregate_severity.and_then(|word| word.text);
    let mut impacts = Vec::new();
    for vulnerability in &vulnerabilities {
        say(vulnerability, &products, &mut said, &mut claims);
        members.extend(vulnerability.cve.iter().filter(|cve| **cve != id).cloned());
        let scores = vulnerability.scores.iter().flat_map(BTreeMap::values);
        vectors.extend(scores.filter_map(|score| score.get("vectorString")?.as_str()));
        let impact = vulnerability.threats.iter().find(|threat| threat.category == "impact");
        impacts.extend(impact.map(|threat| threat.details.as_str()));
        if vulnerability.cve.as_ref() == Some(&id) {
            let own = vulnerability.title.as_deref().and_then(|title| text::title_of(title, &id));
            details.title = own.or(details.title);
            let note = vulnerability.notes.iter().find(|note| note.category == "description");
            let own = note.and_then(|note| text::description(&note.text));
            details.description = own.or(details.description);
            details.weaknesses = vulnerability.cwe.iter().map(|cwe| cwe.id.clone()).collect();
            details.references =
                text::references(vulnerability.references.iter().map(|one| one.url.as_str()));
            severity = impact.map(|threat| threat.details.clone()).or(severity);
        }
    }
    said.file(&mut claims);
    let claims = claims.done();
    // The format has no state for the id of a vulnerability that is none.
    let rejected = id.starts_with("CVE-") && details.description.as_deref().is_some_and(text::is_rejected);
    let set_aside = status.as_deref() == Some("deleted") || rejected;
    let severity = severity.or_else(|| text::worst(impacts).map(str::to_owned));
    output.advisories.push(Advisory {
        modified: current_release_date,
        set_aside,
        rating: rating(members, vectors, severity),
        details,
        claims: if set_aside { Vec::new() } else { claims },
        id,
        ..Advisory::default()
    });
    Ok(())
}

/// How bad a document says that its vulnerabilities are, by its vectors and its word.
pub(super) fn rating(mut members: Vec<String>, mut vectors: Vec<&str>, severity: Option<String>) -> Rating {
    members.sort();
    members.dedup();
    // An advisory's severity is that of its worst; vectors are each of one vulnerability.
    if !members.is_empty() {
        vectors.clear();
    }
    let severity = severity.map(|word| word.to_ascii_lowercase());
    Rating { members, cvss: Provider::Source.vectors(vectors), severity }
}
