//! Red Hat's CSAF documents: advisories, and VEX with one vulnerability a file (CSAF 2.0, "3.2 Properties",
//! "4.5 Profile 5: VEX"). A product is a component in a platform: the component's purl tells name, version,
//! architecture and module, the platform's CPE tells release and line of updates.

use std::collections::BTreeSet;

use super::product::Product;
use crate::{
    inventory::Package,
    vuln::{
        advisory::{State, Statement},
        feeds::{
            Feed, File, Output,
            claims::{Claims, is_debug},
            csaf::{self, Products, Remedies, Said, Vulnerability},
        },
        query::rpm,
    },
};

/// One document.
pub(in super::super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    csaf::read(file, output, say)
}

fn say(vulnerability: &Vulnerability, products: &Products, said: &mut Said, _: &mut Claims<'_>) {
    let remedies = Remedies::of(vulnerability);
    // What has a fix or needs one is not told to be unaffected by a version of it that is.
    let mut spoken_of = BTreeSet::new();
    for status in ["fixed", "known_affected", "under_investigation", "known_not_affected"] {
        for id in vulnerability.product_status.get(status).into_iter().flatten() {
            let Some(component) = Component::of(products, id) else { continue };
            let Component { platform, package, purl } = component;
            let is_flatpak = package.module.as_deref().is_some_and(|module| module.ends_with(":flatpak"));
            if !purl.starts_with("pkg:rpm/") || is_debug(&package.name) || is_flatpak {
                continue;
            }
            let (state, note) = match status {
                "fixed" => (State::Affected, remedies.fixes.get(id.as_str()).map(|id| (*id).to_owned())),
                "known_affected" => remedies.state(id),
                "under_investigation" => (State::UnderInvestigation, None),
                _ => (State::NotAffected, None),
            };
            let is_fix = status == "fixed" && !package.version.is_empty();
            if status == "fixed" && !is_fix {
                continue;
            }
            let module = package.module.as_deref().filter(|module| module.contains(':')).map(stream);
            let place = (platform.ecosystem.clone(), platform.channel.clone(), package.name.clone());
            match status {
                "known_not_affected" if spoken_of.contains(&place) => continue,
                "known_not_affected" => {}
                _ => drop(spoken_of.insert(place)),
            }
            let fixes: Vec<_> = is_fix.then(|| package.version.clone()).into_iter().collect();
            let arch = package.arch.as_deref().filter(|arch| *arch != "src" && is_fix);
            for is_source in sources(&package) {
                let statement = Statement {
                    state,
                    channel: platform.channel.clone(),
                    module: module.clone(),
                    note: note.clone(),
                    is_source: *is_source,
                    ..Statement::default()
                };
                said.add(&platform.ecosystem, &package.name, fixes.clone(), statement, arch);
            }
        }
    }
}

/// A component of a platform that is a release of the distribution.
struct Component<'a> {
    platform: Product,
    package: Package,
    /// The component's purl.
    purl: &'a str,
}

impl<'a> Component<'a> {
    fn of(products: &'a Products, id: &str) -> Option<Self> {
        let part = products.part(id)?;
        let (platform, purl) = (Product::of(part.cpe?)?, part.purl?);
        Some(Self { platform, package: rpm(purl)?, purl })
    }
}

impl Remedies<'_> {
    /// What is meant to be done about an affected product without a fix.
    fn state(&self, id: &str) -> (State, Option<String>) {
        if let Some(reason) = self.never.get(id) {
            let reason = reason.to_ascii_lowercase();
            return (State::WillNotFix, Some(reason).filter(|reason| reason != "will not fix"));
        }
        match self.none.get(id) {
            Some(reason) if reason.eq_ignore_ascii_case("fix deferred") => (State::Deferred, None),
            _ => (State::Affected, None),
        }
    }
}

/// Whether a name is the source package's: a component without an architecture may be either.
fn sources(package: &Package) -> &'static [bool] {
    match package.arch.as_deref() {
        Some("src") => &[true],
        Some(_) => &[false],
        None => &[false, true],
    }
}

/// Name and stream of a module, without its build (`ruby:2.5:8090020230627084142:b46abd14`).
fn stream(module: &str) -> String {
    module.split(':').take(2).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_platforms() {
        let product = |id: &str, helper: &str| {
            format!(r#"{{"product":{{"product_id":"{id}","product_identification_helper":{{{helper}}}}}}}"#)
        };
        let part = |id: &str, of: &str, on: &str| {
            format!(
                r#"{{"full_product_name":{{"product_id":"{id}"}},"product_reference":"{of}","relates_to_product_reference":"{on}"}}"#
            )
        };
        let branches = [
            product("R", r#""cpe":"cpe:/a:redhat:enterprise_linux:8::appstream""#),
            product("E", r#""cpe":"cpe:/o:redhat:rhel_eus:9.2::baseos""#),
            product("O", r#""cpe":"cpe:/a:redhat:openshift:4.12::el8""#),
            product(
                "rx",
                r#""purl":"pkg:rpm/redhat/ruby@2.5.9-111.module%2Bel8.9.0%2B19193?arch=x86_64&rpmmod=ruby:2.5:8090020230627084142:b46abd14""#,
            ),
            product(
                "ra",
                r#""purl":"pkg:rpm/redhat/ruby@2.5.9-111.module%2Bel8.9.0%2B19193?arch=aarch64&rpmmod=ruby:2.5:8090020230627084142:b46abd14""#,
            ),
            product(
                "rd",
                r#""purl":"pkg:rpm/redhat/ruby-debuginfo@2.5.9-111.module%2Bel8.9.0%2B19193?arch=aarch64""#,
            ),
            product("cs", r#""purl":"pkg:rpm/redhat/curl@7.76.1-23.el9_2.4?arch=src&epoch=1""#),
            product("k", r#""purl":"pkg:rpm/redhat/kernel""#),
        ];
        let parts = [
            part("R:m", "m", "R"),
            part("R:rx", "rx", "R:m"),
            part("R:ra", "ra", "R:m"),
            part("R:rd", "rd", "R"),
            part("E:cs", "cs", "E"),
            part("O:cs", "cs", "O"),
            part("R:k", "k", "R"),
        ];
        let text = format!(
            r#"{{"document":{{"tracking":{{"id":"CVE-1","status":"final","current_release_date":"2025-01-01"}}}},
            "product_tree":{{"branches":[{{"branches":[{}]}}],"relationships":[{}]}},
            "vulnerabilities":[{{"cve":"CVE-1","threats":[{{"category":"impact","details":"Moderate"}}],
            "product_status":{{"fixed":["R:rx","R:ra","R:rd","E:cs","O:cs","lost"],"known_affected":["R:k"]}},
            "remediations":[{{"category":"no_fix_planned","details":"Out of support scope","product_ids":["R:k"]}},
            {{"category":"vendor_fix","url":"https://access.redhat.com/errata/RHSA-2023:7025","product_ids":["R:rx","R:ra"]}}]}}]}}"#,
            branches.join(","),
            parts.join(",")
        );
        let mut output = Output::default();
        read(Feed::named("redhat-csaf").unwrap(), File { name: "a", bytes: text.as_bytes() }, &mut output)
            .unwrap();
        let advisory = &output.advisories[0];
        assert_eq!(advisory.rating.severity.as_deref(), Some("moderate"));
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            let range = one.ranges.first().map(ToString::to_string).unwrap_or_default();
            let module = one.module.as_deref().unwrap_or("-");
            let source = if one.is_source { "source" } else { "binary" };
            let channel = one.channel.as_deref().unwrap_or("-");
            let (name, note, arches) =
                (&claim.name, one.note.as_deref().unwrap_or("-"), one.arches.join(","));
            format!(
                "{} {channel} {name} {source} {range} {module} {arches} {:?} {note}",
                claim.ecosystem, one.state
            )
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "Red Hat:8 - kernel binary  -  WillNotFix out of support scope",
                "Red Hat:8 - kernel source  -  WillNotFix out of support scope",
                "Red Hat:8 - ruby binary < 2.5.9-111.module+el8.9.0+19193 ruby:2.5 aarch64,x86_64 Affected RHSA-2023:7025",
                "Red Hat:9 eus:9.2 curl source < 1:7.76.1-23.el9_2.4 -  Affected -",
            ]
        );
    }
}
