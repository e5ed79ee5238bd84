//! SUSE's and openSUSE's vulnerabilities, as OVAL (SUSE, "OVAL Information for SUSE Linux Enterprise and
//! openSUSE"): one definition a vulnerability, with the products that have it and the versions of binary
//! packages with the fix.

use std::collections::BTreeMap;

use super::product::Product;
use crate::vuln::{
    advisory::{Advisory, Details, Rating, State, Statement},
    feeds::{
        Feed, File, Output,
        claims::Claims,
        oval::{Leaf, Oval},
        text,
    },
};

/// One file of vulnerabilities.
pub(in super::super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let oval = Oval::parse(file.bytes)?;
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (number, definition) in (1_usize..).zip(&oval.definitions) {
        let id = definition.metadata("title").and_then(|title| title.split_whitespace().next());
        let name = || id.map_or_else(|| format!("definition {number}"), str::to_owned);
        let Some(ways) = oval.ways_or_note(definition, &name, &mut output.malformed) else { continue };
        let Some(id) = id else {
            output.malformed.push((name(), "no title".to_owned()));
            continue;
        };
        let mut claims = Claims::new(id, &mut output.unordered);
        for way in &ways {
            let product = way.iter().filter_map(product_name).find_map(Product::of);
            let package = way.iter().filter(|leaf| product_name(leaf).is_none()).find_map(package);
            match (product, package) {
                (Some(Product { ecosystem, channel }), Some((name, state, version, arches))) => {
                    let statement = Statement { state, channel, arches, ..Statement::default() };
                    match version {
                        Some(version) => claims.fixed(&ecosystem, name, version, statement),
                        None => claims.all(&ecosystem, name, statement),
                    }
                }
                // Products that are no distribution, or that no system reports any more.
                (None, _) if way.iter().any(|leaf| product_name(leaf).is_some()) => {}
                _ => claims.left_out("criteria", "no product, or no version of a package"),
            }
        }
        let claims = claims.done();
        let new = || Advisory {
            id: id.to_owned(),
            rating: Rating { severity: definition.severity(), ..Rating::default() },
            details: Details {
                description: definition.metadata("description").and_then(text::description),
                published: definition.date("issued"),
                modified: definition.date("updated"),
                ..Details::default()
            },
            ..Advisory::default()
        };
        advisories.entry(id.to_owned()).or_insert_with(new).claims.extend(claims);
    }
    output.advisories.extend(advisories.into_values());
    output.date = oval.date;
    Ok(())
}

/// The name of the product that a test finds to be installed.
fn product_name<'a>(leaf: &Leaf<'a>) -> Option<&'a str> {
    let name = leaf.comment.strip_suffix(" is installed")?;
    Product::is_name(name).then_some(name)
}

/// A package, whether it is affected, from which version it is not, and on which architectures.
fn package<'a>(leaf: &Leaf<'a>) -> Option<(&'a str, State, Option<&'a str>, Vec<String>)> {
    let (name, state) = (leaf.object?, leaf.state?);
    let arches = state.arch.as_deref().map(|arches| arches.trim_matches(['(', ')']));
    let arches: Vec<_> = arches.into_iter().flat_map(|arches| arches.split('|')).map(str::to_owned).collect();
    match (
        state.evr.as_ref().map(|(operation, version)| (operation.as_str(), version.as_str())),
        &state.version,
    ) {
        // No version is below it: not affected.
        (Some(("less than", "0:0-0" | "0:0")), _) => Some((name, State::NotAffected, None, arches)),
        (Some(("less than", version)), _) => Some((name, State::Affected, Some(version), arches)),
        // Every version is above it: affected, without a fix.
        (Some(("greater than", "0:0-0" | "0:0")), _) => Some((name, State::Affected, None, arches)),
        (None, Some(version)) if version == "0" => Some((name, State::NotAffected, None, arches)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_and_states() {
        let product =
            r#"<criterion test_ref="p" comment="SUSE Linux Enterprise Server 15 SP1-LTSS is installed"/>"#;
        let text = format!(
            r#"<o><definition id="d"><metadata><title>CVE-2021-29154</title><advisory><severity>Important</severity></advisory></metadata>
            <criteria operator="OR"><criteria operator="AND">{product}<criteria operator="OR">
            <criterion test_ref="k" comment="kernel-default-4.12.14-197.89.2 is installed"/>
            <criterion test_ref="n" comment="kernel-source is not affected"/></criteria></criteria>
            <criteria operator="AND"><criterion test_ref="p" comment="SUSE Manager 4 is installed"/><criterion test_ref="k" comment=""/></criteria>
            <criterion test_ref="x" comment="y"/></criteria></definition>
            <rpminfo_test id="k"><object object_ref="k"/><state state_ref="k"/></rpminfo_test>
            <rpminfo_test id="n"><object object_ref="n"/><state state_ref="n"/></rpminfo_test>
            <rpminfo_object id="k"><name>kernel-default</name></rpminfo_object><rpminfo_object id="n"><name>kernel-source</name></rpminfo_object>
            <rpminfo_state id="k"><arch operation="pattern match">(aarch64|x86_64)</arch><evr operation="less than">0:4.12.14-197.89.2</evr></rpminfo_state>
            <rpminfo_state id="n"><version operation="equals">0</version></rpminfo_state></o>"#
        );
        let mut output = Output::default();
        let feed = Feed::named("suse-oval").unwrap();
        read(feed, File { name: "a.xml", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len()), (0, 1));
        let claims = &output.advisories[0].claims;
        assert_eq!(claims.len(), 2);
        assert_eq!(claims[0].statement.channel.as_deref(), Some("ltss"));
        assert_eq!(claims[0].statement.arches, ["aarch64", "x86_64"]);
        assert_eq!(claims[1].statement.state, State::NotAffected);
    }
}
