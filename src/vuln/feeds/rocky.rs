//! Rocky Linux's errata, as its own service tells them: JSON, one advisory a file, with the files of all rpms
//! that it is made of. The file names have no field for a module: the synopsis names it, as for OSV records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part, is_debug},
    osv, text,
};
use crate::vuln::advisory::{Advisory, Details, Provider, Rating, Statement};

#[derive(Deserialize)]
struct Erratum {
    name: String,
    #[serde(default)]
    synopsis: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, rename = "publishedAt")]
    published: Option<String>,
    #[serde(default)]
    cves: Vec<Part<Cve>>,
    /// By product (`Rocky Linux 8`).
    #[serde(default)]
    rpms: BTreeMap<String, Part<Rpms>>,
}

#[derive(Deserialize)]
struct Cve {
    name: String,
    #[serde(default, rename = "cvss3ScoringVector")]
    vector: Option<String>,
}

#[derive(Deserialize)]
struct Rpms {
    nvras: Vec<String>,
}

/// One advisory.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let erratum: Erratum = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let id = erratum.name;
    let stream = osv::stream(&erratum.synopsis).to_owned();
    let mut claims = Claims::new(&id, &mut output.unordered);
    for (product, rpms) in erratum.rpms {
        let rpms = rpms.read(&mut output.malformed, || format!("{id}: rpms of {product}"));
        let (Some(rpms), Some((ecosystem, channel))) = (rpms, line(&product)) else { continue };
        let mut fixes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for file in &rpms.nvras {
            match nevra(file) {
                Some((name, version, arch)) => {
                    if arch != "src" && !is_debug(name) {
                        fixes.entry((name, version)).or_default().insert(arch);
                    }
                }
                None => output.malformed.push((format!("{id}: rpm"), format!("`{file:.80}`"))),
            }
        }
        for ((name, version), arches) in fixes {
            let statement = Statement {
                module: version.contains(".module").then(|| stream.clone()),
                arches: arches.into_iter().map(str::to_owned).collect(),
                channel: channel.clone(),
                ..Statement::default()
            };
            claims.fixed(&ecosystem, name, version, statement);
        }
    }
    let claims = claims.done();
    let cves = erratum.cves.into_iter();
    let cves: Vec<_> =
        cves.filter_map(|cve| cve.read(&mut output.malformed, || format!("{id}: CVE"))).collect();
    let members: BTreeSet<_> =
        cves.iter().map(|cve| cve.name.clone()).filter(|id| id.starts_with("CVE-")).collect();
    // Vectors are each of one vulnerability.
    let vectors = cves.iter().filter_map(|cve| cve.vector.as_deref()).filter(|_| members.len() == 1);
    output.advisories.push(Advisory {
        rating: Rating {
            cvss: Provider::Source.vectors(vectors),
            members: members.into_iter().collect(),
            severity: erratum
                .severity
                .as_deref()
                .map(|word| word.trim_start_matches("SEVERITY_").to_ascii_lowercase()),
        },
        details: Details {
            title: text::title(&erratum.synopsis),
            description: erratum.description.as_deref().and_then(text::description),
            published: erratum.published.clone(),
            ..Details::default()
        },
        modified: erratum.published,
        claims,
        id,
        ..Advisory::default()
    });
    Ok(())
}

/// The release and the line of updates of a product: `Rocky Linux 8`, `Rocky Linux SIG Cloud 9`.
fn line(product: &str) -> Option<(String, Option<String>)> {
    let (kind, release) = product.strip_prefix("Rocky Linux ")?.rsplit_once(' ').unwrap_or_else(|| {
        let release = product.rsplit(' ').next().unwrap_or_default();
        ("", release)
    });
    let number = !release.is_empty() && release.bytes().all(|byte| byte.is_ascii_digit());
    let channel = Some(kind.to_ascii_lowercase().replace(' ', "-")).filter(|kind| !kind.is_empty());
    number.then(|| (format!("Rocky Linux:{release}"), channel))
}

/// Name, version and architecture of `nodejs-1:16.20.2-3.module+el8.8.0+1543+5f4d09d5.aarch64.rpm`.
fn nevra(file: &str) -> Option<(&str, &str, &str)> {
    let (rest, arch) = file.strip_suffix(".rpm")?.rsplit_once('.')?;
    let release = rest.rfind('-')?;
    let version = rest.get(..release)?.rfind('-')?;
    let name = rest.get(..version)?;
    Some((name, rest.get(version..)?.strip_prefix('-')?, arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_rpms() {
        let text = r#"{"name":"RLSA-2023:5850","synopsis":"Important: nodejs:16 security update","severity":"SEVERITY_IMPORTANT",
            "cves":[{"name":"CVE-2023-44487","cvss3ScoringVector":"UNKNOWN"}],
            "rpms":{"Rocky Linux 8":{"nvras":["nodejs-1:16.20.2-3.module+el8.8.0+1543.aarch64.rpm",
            "nodejs-1:16.20.2-3.module+el8.8.0+1543.x86_64.rpm","nodejs-1:16.20.2-3.module+el8.8.0+1543.src.rpm",
            "nodejs-debuginfo-1:16.20.2-3.module+el8.8.0+1543.aarch64.rpm","plain-0:1-1.el8.noarch.rpm","odd"]},
            "Rocky Linux SIG Cloud 9":{"nvras":["a-0:1-1.noarch.rpm"]},"Other":{"nvras":[]}}}"#;
        let mut output = Output::default();
        let feed = Feed::named("rocky-errata").unwrap();
        read(feed, File { name: "a.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 1);
        let advisory = &output.advisories[0];
        assert_eq!(
            (advisory.rating.members.as_slice(), advisory.rating.cvss.len()),
            (&["CVE-2023-44487".to_owned()][..], 0)
        );
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            let (module, channel) =
                (one.module.as_deref().unwrap_or("-"), one.channel.as_deref().unwrap_or("-"));
            format!(
                "{} {} {} {module} {channel} {}",
                claim.ecosystem,
                claim.name,
                one.ranges[0],
                one.arches.join(",")
            )
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "Rocky Linux:8 nodejs < 1:16.20.2-3.module+el8.8.0+1543 nodejs:16 - aarch64,x86_64",
                "Rocky Linux:8 plain < 0:1-1.el8 - - noarch",
                "Rocky Linux:9 a < 0:1-1 - sig-cloud noarch",
            ]
        );
    }
}
