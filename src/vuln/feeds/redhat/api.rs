//! Red Hat's Security Data API, one file a vulnerability: `affected_release` has the fixes of source packages
//! by product, `package_state` what is known of products without a fix (Red Hat, "Security Data API", CVE).
//!
//! Fixes of whole modules name builds and no packages, those of containers and middleware no rpms: they are
//! passed over. CSAF names the packages of modules.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::product::Product;
use crate::vuln::{
    advisory::{Advisory, Details, Provider, Rating, State, Statement},
    feeds::{
        Feed, File, Output,
        claims::{Claims, Part},
        text,
    },
};

#[derive(Deserialize)]
struct Cve {
    name: String,
    #[serde(default)]
    threat_severity: Option<String>,
    #[serde(default)]
    public_date: Option<String>,
    #[serde(default)]
    bugzilla: Option<Bug>,
    #[serde(default)]
    cvss: Option<Cvss>,
    #[serde(default)]
    cvss3: Option<Cvss>,
    #[serde(default)]
    cwe: Option<String>,
    #[serde(default)]
    details: Vec<String>,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    affected_release: Vec<Part<Release>>,
    #[serde(default)]
    package_state: Vec<Part<Package>>,
}

#[derive(Deserialize)]
struct Bug {
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
struct Cvss {
    #[serde(alias = "cvss_scoring_vector", alias = "cvss3_scoring_vector", default)]
    vector: Option<String>,
}

#[derive(Deserialize)]
struct Release {
    advisory: String,
    cpe: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    impact: Option<String>,
}

#[derive(Deserialize)]
struct Package {
    fix_state: String,
    cpe: String,
    package_name: String,
    #[serde(default)]
    impact: Option<String>,
}

/// One vulnerability.
pub(in super::super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let cve: Cve = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let id = cve.name;
    let mut claims = Claims::new(&id, &mut output.unordered);
    let mut fixed = BTreeSet::new();
    for release in cve.affected_release {
        let release = release.read(&mut output.malformed, || format!("{id}: affected_release"));
        let Some(Release { advisory, cpe, package: Some(package), impact }) = release else { continue };
        let (Some(product), Some((name, version))) = (Product::of(&cpe), nevr(&package)) else { continue };
        let statement = Statement {
            urgency: impact.as_deref().map(str::to_ascii_lowercase),
            note: Some(advisory.clone()),
            ..of_source(&product)
        };
        claims.fixed(&product.ecosystem, name, version, statement);
        fixed.insert((part(&cpe).to_owned(), name.to_owned()));
    }
    for package in cve.package_state {
        let package = package.read(&mut output.malformed, || format!("{id}: package_state"));
        let Some(package) = package else { continue };
        let Some(product) = Product::of(&package.cpe) else { continue };
        let (module, name) = match package.package_name.split_once('/') {
            None if !package.package_name.contains(':') => (None, package.package_name.as_str()),
            Some((module, name)) if module.contains(':') && !module.ends_with(":flatpak") => {
                (Some(module), name)
            }
            _ => continue,
        };
        // Some states were not taken back when the fix came.
        if module.is_none() && fixed.contains(&(part(&package.cpe).to_owned(), name.to_owned())) {
            continue;
        }
        let Some((state, note)) = state(&package.fix_state) else {
            claims.left_out(name, &format!("state `{:.40}`", package.fix_state));
            continue;
        };
        let statement = Statement {
            state,
            urgency: package.impact.as_deref().map(str::to_ascii_lowercase),
            module: module.map(str::to_owned),
            note: note.map(str::to_owned),
            ..of_source(&product)
        };
        claims.all(&product.ecosystem, name, statement);
    }
    let claims = claims.done();
    let vectors = [&cve.cvss3, &cve.cvss].into_iter().flatten().filter_map(|cvss| cvss.vector.as_deref());
    output.advisories.push(Advisory {
        rating: Rating {
            cvss: Provider::Source.vectors(vectors),
            severity: cve.threat_severity.as_deref().map(str::to_ascii_lowercase),
            ..Rating::default()
        },
        details: Details {
            title: cve.bugzilla.and_then(|bug| bug.description).as_deref().and_then(text::title),
            description: cve.details.first().map(String::as_str).and_then(text::description),
            published: cve.public_date,
            weaknesses: cve.cwe.as_deref().map(weaknesses).unwrap_or_default(),
            references: text::references(cve.references.iter().flat_map(|lines| lines.lines())),
            ..Details::default()
        },
        claims,
        id,
        ..Advisory::default()
    });
    Ok(())
}

/// The product that a CPE names, without its kind and its edition: `redhat:enterprise_linux:8`.
fn part(cpe: &str) -> &str {
    let product = cpe.strip_prefix("cpe:/").and_then(|rest| rest.get(2..)).unwrap_or(cpe);
    product.split("::").next().unwrap_or(product)
}

fn of_source(product: &Product) -> Statement {
    Statement { channel: product.channel.clone(), is_source: true, ..Statement::default() }
}

/// Name and version of a source package: `thunderbird-0:102.7.1-2.el7_9`.
fn nevr(package: &str) -> Option<(&str, &str)> {
    if package.contains('/') {
        return None;
    }
    let (epoch_end, _) = package.rmatch_indices(':').next()?;
    let name_end = package.get(..epoch_end)?.rfind('-')?;
    let (name, version) = (package.get(..name_end)?, package.get(name_end..)?.trim_start_matches('-'));
    let (epoch, rest) = version.split_once(':')?;
    let is_rpm = rest.contains('-') && !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
    (is_rpm && !name.is_empty() && !name.contains(':')).then_some((name, version))
}

/// What a `fix_state` says, with the word for what would not be told otherwise.
fn state(word: &str) -> Option<(State, Option<&str>)> {
    Some(match word {
        "Affected" => (State::Affected, None),
        "Not affected" => (State::NotAffected, None),
        "Fix deferred" => (State::Deferred, None),
        "Will not fix" => (State::WillNotFix, None),
        "Out of support scope" => (State::WillNotFix, Some("out of support scope")),
        "Under investigation" => (State::UnderInvestigation, None),
        _ => return None,
    })
}

/// The ids in a chain of weaknesses: `CWE-190->(CWE-125|CWE-787)`.
fn weaknesses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let words = words.map(|word| word.trim_matches('-')).filter(|word| word.starts_with("CWE-"));
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_and_states_by_product() {
        let text = r#"{"name":"CVE-2023-0430","threat_severity":"Important","cwe":"CWE-190->CWE-787",
            "cvss3":{"cvss3_scoring_vector":"CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H"},
            "affected_release":[
              {"advisory":"RHSA-2023:0600","cpe":"cpe:/o:redhat:enterprise_linux:7","package":"thunderbird-0:102.7.1-2.el7_9"},
              {"advisory":"RHSA-2023:0605","cpe":"cpe:/a:redhat:rhel_eus:8.6","package":"thunderbird-0:102.7.1-2.el8_6"},
              {"advisory":"RHSA-2023:1","cpe":"cpe:/a:redhat:enterprise_linux:8","package":"squid:4-8030020200828070549.30b713e6"},
              {"advisory":"RHSA-2023:2","cpe":"cpe:/a:redhat:enterprise_linux:9","package":"ubi9/openssl:9.0-25"},
              {"advisory":"RHSA-2023:3","cpe":"cpe:/a:redhat:openshift:4.12::el8","package":"podman-0:1-1.el8"},{"cpe":1}],
            "package_state":[
              {"cpe":"cpe:/o:redhat:enterprise_linux:6","fix_state":"Out of support scope","package_name":"thunderbird"},
              {"cpe":"cpe:/o:redhat:enterprise_linux:7","fix_state":"Affected","package_name":"thunderbird"},
              {"cpe":"cpe:/o:redhat:enterprise_linux:8","fix_state":"Not affected","package_name":"nodejs:10/nodejs"},
              {"cpe":"cpe:/o:redhat:enterprise_linux:8","fix_state":"Lost","package_name":"a"}]}"#;
        let mut output = Output::default();
        read(Feed::named("redhat-cve").unwrap(), File { name: "a", bytes: text.as_bytes() }, &mut output)
            .unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len()), (1, 1));
        let advisory = output.advisories.remove(0);
        assert_eq!(advisory.details.weaknesses, ["CWE-190", "CWE-787"]);
        assert_eq!((advisory.rating.severity.as_deref(), advisory.rating.cvss.len()), (Some("important"), 1));
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            assert!(one.is_source);
            let range = one.ranges.first().map(ToString::to_string).unwrap_or_default();
            format!(
                "{} {:?} {:?} {} {range} {:?}",
                claim.ecosystem, one.channel, one.state, claim.name, one.module
            )
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "Red Hat:7 None Affected thunderbird < 0:102.7.1-2.el7_9 None",
                "Red Hat:8 Some(\"eus:8.6\") Affected thunderbird < 0:102.7.1-2.el8_6 None",
                "Red Hat:6 None WillNotFix thunderbird  None",
                "Red Hat:8 None NotAffected nodejs  Some(\"nodejs:10\")",
            ]
        );
    }
}
