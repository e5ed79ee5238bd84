//! Gentoo's advisories (Gentoo, `glsa.dtd`): a version of a package is affected if one of its `vulnerable` elements
//! holds and none of the `unaffected` ones does, as Portage has it (`portage.glsa`).

use super::{Feed, File, Output, claims::Claims, text};
use crate::{
    vuln::{
        advisory::{Advisory, Details, Rating, Requirements, Statement},
        version::Scheme,
    },
    xml::{self, Element},
};

const ECOSYSTEM: &str = "Gentoo";

/// One advisory.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let mut advisories = Vec::new();
    xml::elements(file.bytes, |name| name == "glsa", |glsa| advisories.push(glsa))?;
    if advisories.is_empty() {
        return Err("no advisory".to_owned());
    }
    for glsa in advisories {
        match glsa.attribute("id") {
            Some(id) => add(&format!("GLSA-{id}"), &glsa, output),
            None => output.malformed.push((file.name.to_owned(), "no id".to_owned())),
        }
    }
    Ok(())
}

fn add(id: &str, glsa: &Element, output: &mut Output) {
    let mut claims = Claims::new(id, &mut output.unordered);
    // Others are about Gentoo's own machines, or about nothing that is installed.
    let is_ebuild = glsa.child("product").and_then(|product| product.attribute("type")) == Some("ebuild");
    let affected = glsa.child("affected").filter(|_| is_ebuild);
    for package in affected.into_iter().flat_map(|affected| affected.children("package")) {
        let Some(name) = package.attribute("name") else {
            claims.left_out("package", "no name");
            continue;
        };
        match statement(package) {
            // Nothing of it is affected.
            Ok(Statement { requirements: Some(requirements), .. }) if requirements.affected.is_empty() => {}
            Ok(statement) => claims.all(ECOSYSTEM, name, statement),
            Err(problem) => claims.left_out(name, &problem),
        }
    }
    let claims = claims.done();
    let references = || glsa.child("references").into_iter().flat_map(|all| all.children("uri"));
    let texts = references().flat_map(|one| [one.text(), one.attribute("link").unwrap_or_default()]);
    let mut members: Vec<_> = texts.flat_map(cves).collect();
    members.sort();
    members.dedup();
    let impact = glsa.child("impact").and_then(|impact| impact.attribute("type"));
    let modified = date(glsa, "revised").or_else(|| date(glsa, "announced"));
    let own = format!("https://security.gentoo.org/glsa/{}", id.trim_start_matches("GLSA-"));
    let links = references().filter_map(|one| one.attribute("link"));
    output.advisories.push(Advisory {
        id: id.to_owned(),
        modified: modified.clone(),
        rating: Rating {
            members,
            severity: impact.map(|word| if word == "normal" { "medium" } else { word }.to_ascii_lowercase()),
            ..Rating::default()
        },
        details: Details {
            title: glsa.text_of("title").and_then(text::title),
            description: glsa.text_of("synopsis").and_then(text::title),
            published: date(glsa, "announced"),
            modified,
            weaknesses: Vec::new(),
            references: text::references(std::iter::once(own.as_str()).chain(links)),
        },
        claims,
        ..Advisory::default()
    });
}

/// What is said of a package.
fn statement(package: &Element) -> Result<Statement, String> {
    let mut requirements = Requirements::default();
    for one in &package.children {
        let into = match (one.name.as_str(), one.attribute("range")) {
            ("vulnerable", _) => &mut requirements.affected,
            ("unaffected", Some("lt" | "le" | "rlt" | "rle")) => &mut requirements.unaffected,
            ("unaffected", _) => &mut requirements.patched,
            _ => continue,
        };
        into.push(requirement(one)?);
    }
    if let Some(problem) = requirements.unreadable(Scheme::Gentoo) {
        return Err(format!("requirement `{problem:.80}`"));
    }
    let arches = package.attribute("arch").unwrap_or("*").split_whitespace();
    let arches =
        arches.map(|arch| arch.trim_start_matches('~')).filter(|arch| *arch != "*").map(str::to_owned);
    Ok(Statement { requirements: Some(requirements), arches: arches.collect(), ..Statement::default() })
}

/// A range of versions in Portage's words, with the slot behind a colon.
fn requirement(element: &Element) -> Result<String, String> {
    let range = element.attribute("range").unwrap_or_default();
    let sign = match range {
        "lt" => "<",
        "le" => "<=",
        "eq" => "=",
        "ge" => ">=",
        "gt" => ">",
        // Only among the revisions of that version.
        "rlt" => "<~",
        "rle" => "<=~",
        "rge" => ">=~",
        "rgt" => ">~",
        _ => return Err(format!("range `{range:.20}`")),
    };
    Ok(match element.attribute("slot").filter(|slot| *slot != "*") {
        Some(slot) => format!("{sign} {}:{slot}", element.text()),
        None => format!("{sign} {}", element.text()),
    })
}

/// A date, if it is written as ISO 8601 has it; older advisories have it in words.
fn date(glsa: &Element, name: &str) -> Option<String> {
    let date = glsa.text_of(name)?.get(..10)?;
    let shape = date.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00").then(|| date.to_owned())
}

/// The CVE ids in a text or an address; until 2005 candidates had another beginning.
fn cves(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter_map(|word| text::cve(word.strip_prefix("CVE-").or_else(|| word.strip_prefix("CAN-"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> (Advisory, Output) {
        let mut output = Output::default();
        let file = File { name: "glsa-1.xml", bytes: text.as_bytes() };
        read(Feed::named("gentoo-glsa").unwrap(), file, &mut output).unwrap();
        (output.advisories.remove(0), output)
    }

    #[test]
    fn an_advisory() {
        let (advisory, output) = read_one(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <!DOCTYPE glsa SYSTEM "http://www.gentoo.org/dtd/glsa.dtd">
            <glsa id="201709-09"><title>Subversion: Arbitrary code execution</title><synopsis>A command
            injection</synopsis><product type="ebuild">subversion</product><announced>2017-09-17</announced>
            <revised count="1">2017-09-18</revised><affected>
            <package name="dev-vcs/subversion" auto="yes" arch="*"><unaffected range="ge">1.9.7</unaffected>
            <unaffected range="rgt">1.8.18</unaffected><vulnerable range="lt">1.9.7</vulnerable></package>
            <package name="net-libs/webkit-gtk" arch="x86 ~amd64"><vulnerable range="lt" slot="4.1">2.48.5</vulnerable></package>
            <package name="a/b"><vulnerable range="xx">1</vulnerable></package>
            <package name="a/c"><vulnerable range="le">1_foo</vulnerable></package>
            <package name="a/d"><unaffected range="le">1</unaffected></package><package/></affected>
            <impact type="normal"/><references>
            <uri link="https://nvd.nist.gov/nvd.cfm?cvename=CVE-2017-9800">CVE-2017-9800</uri>
            <uri link="http://cve.mitre.org/cgi-bin/cvename.cgi?name=CAN-2004-0001">x</uri></references></glsa>"#,
        );
        assert_eq!((output.malformed.len(), output.unordered.len()), (0, 3));
        assert_eq!(
            (advisory.id.as_str(), advisory.modified.as_deref()),
            ("GLSA-201709-09", Some("2017-09-18"))
        );
        assert_eq!(advisory.rating.members, ["CVE-2004-0001", "CVE-2017-9800"]);
        assert_eq!(advisory.rating.severity.as_deref(), Some("medium"));
        assert_eq!(advisory.details.description.as_deref(), Some("A command injection"));
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            format!("{} {} {}", claim.name, one.requirements.as_ref().unwrap(), one.arches.join(","))
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "dev-vcs/subversion < 1.9.7 but >= 1.9.7 or >~ 1.8.18 ",
                "net-libs/webkit-gtk < 2.48.5:4.1 x86,amd64"
            ]
        );
    }

    #[test]
    fn what_is_about_no_package() {
        let (advisory, _) = read_one(
            r#"<glsa id="1"><product type="informational">x</product><revised>May 26, 2007: 01</revised><affected>
            <package name="a/b"><vulnerable range="le">1</vulnerable></package></affected></glsa>"#,
        );
        assert!(advisory.claims.is_empty() && advisory.modified.is_none());
        let mut output = Output::default();
        let feed = Feed::named("gentoo-glsa").unwrap();
        assert!(read(feed, File { name: "a", bytes: b"<a/>" }, &mut output).is_err());
        read(feed, File { name: "a", bytes: b"<glsa/>" }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 1);
    }
}
