//! Azure Linux and CBL-Mariner, as OVAL (Microsoft, "AzureLinuxVulnerabilityData"): one definition a
//! vulnerability and source package, one file a release, whose number is in its name and in its packages'
//! versions.

use std::collections::BTreeMap;

use super::{Feed, File, Output, claims::Claims, oval::Leaf, oval::Oval, text};
use crate::{
    vuln::{
        advisory::{Advisory, Details, Rating, Statement},
        matching::range::EventKind,
    },
    xml::Element,
};

/// One release.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let oval = Oval::parse(file.bytes)?;
    let Some(ecosystem) = ecosystem(file.name) else {
        return Err("the name tells no release".to_owned());
    };
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (number, definition) in (1_usize..).zip(&oval.definitions) {
        let name =
            || definition.attribute("id").map_or_else(|| format!("definition {number}"), str::to_owned);
        let Some(cve) = definition.references("CVE").next() else {
            output.malformed.push((name(), "no CVE id".to_owned()));
            continue;
        };
        let Some(ways) = oval.ways_or_note(definition, &name, &mut output.malformed) else { continue };
        let severity = definition.metadata("severity").map(str::to_ascii_lowercase);
        let mut claims = Claims::new(cve, &mut output.unordered);
        for way in ways {
            let statement = Statement { urgency: severity.clone(), ..Statement::default() };
            match events(&way) {
                Some((package, events)) => {
                    let events: Vec<_> =
                        events.iter().map(|(kind, version)| (*kind, version.as_str())).collect();
                    claims.range(&ecosystem, package, &events, statement);
                }
                None => claims.left_out(&name(), "criteria that are no versions of one package"),
            }
        }
        let claims = claims.done();
        let new = || about(cve, definition, severity.clone());
        advisories.entry(cve.to_owned()).or_insert_with(new).claims.extend(claims);
    }
    output.advisories.extend(advisories.into_values());
    output.date = oval.date;
    Ok(())
}

fn about(cve: &str, definition: &Element, severity: Option<String>) -> Advisory {
    let url = definition.child("metadata").and_then(|metadata| metadata.child("reference"));
    let url = url.and_then(|reference| reference.attribute("ref_url"));
    Advisory {
        id: cve.to_owned(),
        rating: Rating { severity, ..Rating::default() },
        details: Details { references: text::references(url.into_iter()), ..Details::default() },
        ..Advisory::default()
    }
}

/// `azurelinux-3.0-oval.xml` is of Azure Linux 3.0, `cbl-mariner-2.0-oval.xml` of CBL-Mariner 2.0.
fn ecosystem(file: &str) -> Option<String> {
    let name = file.rsplit('/').next()?;
    let (family, at) =
        [("Azure Linux", "azurelinux-"), ("Azure Linux", "azure-linux-"), ("CBL-Mariner", "mariner-")]
            .iter()
            .find_map(|(family, mark)| Some((family, name.find(mark)?.checked_add(mark.len())?)))?;
    let rest = name.get(at..)?;
    let release = rest.split('-').find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("{family}:{release}"))
}

/// The one package that a way to hold is about, and where it begins and ends to be affected.
fn events<'a>(way: &[Leaf<'a>]) -> Option<(&'a str, Vec<(EventKind, String)>)> {
    let package = way.first()?.object?;
    let mut events = Vec::new();
    for leaf in way {
        let (operation, version) = leaf.state?.evr.as_ref()?;
        let version = version.clone();
        if leaf.object? != package {
            return None;
        }
        events.push(match operation.as_str() {
            "less than" => (EventKind::Fixed, version),
            "less than or equal" => (EventKind::LastAffected, version),
            "greater than or equal" => (EventKind::Introduced, version),
            // What is next after a version: `^` sorts after the end and before all else (rpm, "Versions").
            "greater than" => (EventKind::Introduced, format!("{version}^")),
            _ => return None,
        });
    }
    if !events.iter().any(|(kind, _)| *kind == EventKind::Introduced) {
        events.push((EventKind::Introduced, "0".to_owned()));
    }
    Some((package, events))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_and_bounds() {
        let definition = |id: &str, tests: &str| {
            format!(
                r#"<definition id="{id}"><metadata><reference ref_id="CVE-2024-1" source="CVE" ref_url="u"/>
                <severity>High</severity></metadata><criteria operator="AND">{tests}</criteria></definition>"#
            )
        };
        let test = |id: &str| {
            format!(
                r#"<rpminfo_test id="{id}"><object object_ref="o"/><state state_ref="{id}"/></rpminfo_test>"#
            )
        };
        let state = |id: &str, operation: &str, version: &str| {
            format!(
                r#"<rpminfo_state id="{id}"><evr operation="{operation}">{version}</evr></rpminfo_state>"#
            )
        };
        let text = [
            "<o><definitions>".to_owned(),
            definition("a", r#"<criterion test_ref="lt"/>"#),
            definition("b", r#"<criterion test_ref="le"/>"#),
            definition("c", r#"<criterion test_ref="gt"/><criterion test_ref="lt"/>"#),
            definition("d", r#"<criterion test_ref="lost"/>"#),
            "<definition id=\"e\"/></definitions>".to_owned(),
            ["lt", "le", "gt"].map(test).concat(),
            "<rpminfo_object id=\"o\"><name>curl</name></rpminfo_object>".to_owned(),
            state("lt", "less than", "0:2-1.azl3"),
            state("le", "less than or equal", "0:1-9.azl3"),
            state("gt", "greater than", "0:1-2.azl3"),
            "</o>".to_owned(),
        ]
        .concat();
        let mut output = Output::default();
        let file = File { name: "azurelinux-3.0-oval.xml", bytes: text.as_bytes() };
        read(Feed::named("azurelinux-oval").unwrap(), file, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len(), output.advisories.len()), (1, 1, 1));
        let claims = &output.advisories[0].claims;
        assert!(claims.iter().all(|claim| claim.ecosystem == "Azure Linux:3.0" && claim.name == "curl"));
        let said: Vec<_> = claims.iter().map(|claim| claim.statement.ranges[0].to_string()).collect();
        assert_eq!(said, ["< 0:2-1.azl3", "<= 0:1-9.azl3", ">= 0:1-2.azl3^, < 0:2-1.azl3"]);
    }

    #[test]
    fn releases_by_name() {
        assert_eq!(ecosystem("x/cbl-mariner-2.0-oval.xml").as_deref(), Some("CBL-Mariner:2.0"));
        assert_eq!(ecosystem("azure-linux-truncated-3.0-oval.xml").as_deref(), Some("Azure Linux:3.0"));
        assert_eq!(ecosystem("other.xml"), None);
    }
}
