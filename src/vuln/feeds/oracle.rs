//! Oracle Linux's advisories, as OVAL (Oracle, "OVAL information"). The generator's comments say what each
//! test is (`nodejs is earlier than 1:12.22.5-1`, `Module nodejs:12 is enabled`), so that a file of
//! definitions without its tests is read like a whole one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Feed, File, Output, claims::Claims, oval::Leaf, oval::Oval, text};
use crate::{
    vuln::advisory::{Advisory, Details, Provider, Rating, Statement},
    xml::Element,
};

/// One file of advisories.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let oval = Oval::parse(file.bytes)?;
    for (number, definition) in (1_usize..).zip(&oval.definitions) {
        let id = definition.references("elsa").chain(definition.references("ELSA")).next();
        match (id, oval.ways(definition)) {
            (Some(id), Ok(ways)) => add(id, definition, &ways, output),
            (id, ways) => {
                let name = id.or(definition.attribute("id"));
                let name = name.map_or_else(|| format!("definition {number}"), str::to_owned);
                output.malformed.push((name, ways.err().unwrap_or_else(|| "no ELSA id".to_owned())));
            }
        }
    }
    output.date = oval.date;
    Ok(())
}

/// A package and its fix.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Fix<'a> {
    release: &'a str,
    name: &'a str,
    version: &'a str,
    module: Option<&'a str>,
}

fn add(id: &str, definition: &Element, ways: &[Vec<Leaf<'_>>], output: &mut Output) {
    let mut fixes: BTreeMap<Fix<'_>, BTreeSet<&str>> = BTreeMap::new();
    let mut claims = Claims::new(id, &mut output.unordered);
    for way in ways {
        let found = |prefix: &str, ending: &str| {
            way.iter().find_map(|leaf| leaf.comment.strip_prefix(prefix)?.strip_suffix(ending))
        };
        let package = way.iter().find_map(|leaf| leaf.comment.split_once(" is earlier than "));
        let (Some(release), Some((name, version))) = (found("Oracle Linux ", " is installed"), package)
        else {
            claims.left_out("criteria", "no release, or no version of a package");
            continue;
        };
        if name.ends_with("-debuginfo") || name.ends_with("-debugsource") {
            continue;
        }
        let module = found("Module ", " is enabled");
        let module = module.or_else(|| version.contains(".module").then_some(""));
        let arch = way.iter().find_map(|leaf| leaf.comment.strip_prefix("Oracle Linux arch is "));
        fixes.entry(Fix { release, name, version, module }).or_default().extend(arch);
    }
    for (Fix { release, name, version, module }, arches) in fixes {
        let statement = Statement {
            module: module.map(str::to_owned),
            arches: arches.into_iter().map(str::to_owned).collect(),
            channel: flavor(version).map(str::to_owned),
            ..Statement::default()
        };
        claims.fixed(&format!("Oracle Linux:{release}"), name, version, statement);
    }
    let claims = claims.done();
    let mut members: Vec<_> = definition.references("CVE").map(str::to_owned).collect();
    members.sort();
    members.dedup();
    // Vectors are each of one vulnerability (`8.1/CVSS:3.0/AV:N/…`).
    let scored = definition.advisory().into_iter().flat_map(|advisory| advisory.children("cve"));
    let scored = scored.filter(|_| members.len() == 1);
    let vectors = scored.filter_map(|cve| Some(cve.attribute("cvss3")?.split_once('/')?.1));
    let cvss = Provider::Source.vectors(vectors);
    let issued = definition.date("issued");
    output.advisories.push(Advisory {
        id: id.to_owned(),
        modified: issued.clone(),
        rating: Rating { members, cvss, severity: definition.severity() },
        details: Details {
            title: definition.metadata("title").and_then(text::title),
            description: definition.metadata("description").and_then(text::description),
            published: issued,
            ..Details::default()
        },
        claims,
        ..Advisory::default()
    });
}

/// Builds that are validated for FIPS 140, or patched by Ksplice, compare among themselves only.
fn flavor(version: &str) -> Option<&'static str> {
    match version {
        version if version.contains("_fips") => Some("fips"),
        version if version.contains(".ksplice") => Some("ksplice"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_by_architecture_flavor_and_module() {
        let one = |text: &str| format!("<criterion test_ref=\"t\" comment=\"{text}\"/>");
        let text = [
            r#"<o><definition id="d"><metadata><title>ELSA-2022-4803: rsyslog (IMPORTANT)</title>
            <reference source="elsa" ref_id="ELSA-2022-4803"/><reference source="CVE" ref_id="CVE-2022-24903"/>
            <advisory><severity>IMPORTANT</severity><issued date="2022-05-31"/>
            <cve cvss3="8.1/CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H">CVE-2022-24903</cve></advisory></metadata><criteria operator="AND">"#.to_owned(),
            one("Oracle Linux 8 is installed"),
            "<criteria operator=\"OR\"><criteria>".to_owned(),
            one("Oracle Linux arch is aarch64"),
            one("rsyslog is earlier than 0:8.24.0-57.el8"),
            one("rsyslog is signed with the Oracle Linux 8 key"),
            "</criteria><criteria>".to_owned(),
            one("Oracle Linux arch is x86_64"),
            one("rsyslog is earlier than 0:8.24.0-57.el8"),
            "</criteria><criteria>".to_owned(),
            one("openssl is earlier than 10:1.1.1k-9.el8_fips"),
            "</criteria><criteria>".to_owned(),
            one("Module nodejs:12 is enabled"),
            one("nodejs is earlier than 1:12.22.5-1.module+el8"),
            "</criteria></criteria></criteria></definition><definition id=\"e\"/></o>".to_owned(),
        ]
        .concat();
        let mut output = Output::default();
        let feed = Feed::named("oracle-oval").unwrap();
        read(feed, File { name: "a.xml", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len()), (1, 0));
        let advisory = &output.advisories[0];
        assert_eq!((advisory.id.as_str(), advisory.rating.cvss.len()), ("ELSA-2022-4803", 1));
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            assert_eq!(claim.ecosystem, "Oracle Linux:8");
            let (channel, module) =
                (one.channel.as_deref().unwrap_or("-"), one.module.as_deref().unwrap_or("-"));
            format!("{} {} {channel} {module} {}", claim.name, one.ranges[0], one.arches.join(","))
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "nodejs < 1:12.22.5-1.module+el8 - nodejs:12 ",
                "openssl < 10:1.1.1k-9.el8_fips fips - ",
                "rsyslog < 0:8.24.0-57.el8 - - aarch64,x86_64",
            ]
        );
    }
}
