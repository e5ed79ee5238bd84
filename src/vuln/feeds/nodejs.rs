//! The Node.js security working group's advisories (nodejs/security-wg, `vuln/`): of Node.js itself (`core`),
//! which is `Node.js` among the ecosystems here, and of npm packages, up to 2018. Versions are npm ranges. The
//! index beside them repeats them, and what is about Node.js' build dependencies (`deps`) names no package.

use serde::{Deserialize, Deserializer};

use super::{Feed, File, Output, npm_ranges, text};
use crate::vuln::advisory::{Advisory, Claim, Details, Provider, Rating, Statement};

#[derive(Deserialize)]
struct Record {
    // Of npm packages.
    #[serde(default, deserialize_with = "nullable")]
    module_name: String,
    #[serde(default, deserialize_with = "nullable")]
    cves: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    title: String,
    #[serde(default)]
    vulnerable_versions: Option<String>,
    #[serde(default)]
    patched_versions: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    cvss_vector: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    references: Vec<String>,
    // Of Node.js.
    #[serde(default, deserialize_with = "nullable")]
    cve: Vec<String>,
    #[serde(default)]
    vulnerable: Option<String>,
    #[serde(default)]
    patched: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, rename = "ref")]
    address: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default, rename = "affectedEnvironments", deserialize_with = "nullable")]
    environments: Vec<String>,
    // Of both.
    #[serde(default)]
    overview: Option<String>,
    #[serde(default)]
    publish_date: Option<String>,
}

/// Sources write `null` for what they do not know.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// One record.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let mut path = file.name.rsplit('/');
    let number = path.next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
    let folder = path.next().unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) || folder == "deps" {
        return Ok(());
    }
    let record: Record = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let is_core = record.vulnerable.is_some();
    let (ecosystem, name, versions, patched) = match is_core {
        true => ("Node.js", "node", &record.vulnerable, &record.patched),
        false => ("npm", record.module_name.as_str(), &record.vulnerable_versions, &record.patched_versions),
    };
    let versions = versions.as_deref().ok_or("no versions")?;
    if name.is_empty() {
        return Err("no package".to_owned());
    }
    let id = format!("NSWG-{}-{number}", if is_core { "COR" } else { "ECO" });
    let ranges = match npm_ranges::affected(versions, patched.as_deref()) {
        Ok(ranges) => ranges,
        Err(problem) => {
            output.unordered.push((id, problem));
            return Ok(());
        }
    };
    let everywhere = record.environments.iter().all(|place| place == "all");
    let statement = Statement {
        note: (!everywhere).then(|| format!("only on {}", record.environments.join(", "))),
        ranges,
        ..Statement::default()
    };
    // Without a range it would hold for every version.
    let claims = (!statement.ranges.is_empty()).then(|| Claim {
        ecosystem: ecosystem.to_owned(),
        name: name.to_owned(),
        statement,
    });
    let cves = record.cves.iter().chain(&record.cve).filter(|id| id.starts_with("CVE-"));
    let mut cves: Vec<String> = cves.cloned().collect();
    // Several are not the same vulnerability.
    let members = if cves.len() > 1 { std::mem::take(&mut cves) } else { Vec::new() };
    let title =
        if record.title.is_empty() { record.description.as_deref() } else { Some(record.title.as_str()) };
    let references = record.references.iter().chain(&record.address).map(String::as_str);
    output.advisories.push(Advisory {
        id,
        modified: record.updated_at.clone(),
        set_aside: false,
        aliases: cves,
        rating: Rating {
            members,
            cvss: Provider::Source.vectors(record.cvss_vector.as_deref()),
            severity: record.severity.filter(|word| word != "unknown"),
        },
        details: Details {
            title: title.and_then(text::title),
            description: record.overview.as_deref().and_then(text::description),
            published: record.publish_date,
            modified: record.updated_at,
            weaknesses: Vec::new(),
            references: text::references(references),
        },
        claims: claims.into_iter().collect(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, json: &str) -> Result<Output, String> {
        let mut output = Output::default();
        let file = File { name, bytes: json.as_bytes() };
        super::read(Feed::named("nodejs").unwrap(), file, &mut output).map(|()| output)
    }

    #[test]
    fn node_itself_and_packages() {
        let core = r#"{"cve":["CVE-2017-1000381"],"ref":"https://nodejs.org/a","vulnerable":"8.x || 7.x",
            "patched":"^8.1.4 || ^7.10.1","description":"memory overread","affectedEnvironments":["all"],"severity":"high"}"#;
        let advisory = read("vuln/core/1.json", core).unwrap().advisories.remove(0);
        assert_eq!(
            (advisory.id.as_str(), advisory.aliases.as_slice()),
            ("NSWG-COR-1", &["CVE-2017-1000381".to_owned()][..])
        );
        let Claim { ecosystem, name, statement } = &advisory.claims[0];
        assert_eq!((ecosystem.as_str(), name.as_str(), statement.ranges.len()), ("Node.js", "node", 2));
        let npm = r#"{"id":410,"title":"t","module_name":"merge-options","cves":["CVE-1","CVE-2"],"vulnerable_versions":"<=1.0.0",
            "patched_versions":null,"references":["https://a"],"cvss_vector":"CVSS:3.0/AV:N/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L"}"#;
        let advisory = read("vuln/npm/410.json", npm).unwrap().advisories.remove(0);
        assert_eq!((advisory.id.as_str(), advisory.rating.members.len()), ("NSWG-ECO-410", 2));
        assert_eq!(advisory.claims[0].statement.ranges[0].to_string(), "<= 1.0.0");
    }

    #[test]
    fn what_is_passed_over() {
        assert!(read("vuln/npm/index.json", "{").unwrap().advisories.is_empty());
        assert!(read("vuln/deps/1.json", "{").unwrap().advisories.is_empty());
        assert!(read("vuln/npm/1.json", r#"{"module_name":"a"}"#).is_err());
        let none = r#"{"module_name":"a","vulnerable_versions":"<0.0.0"}"#;
        assert!(read("vuln/npm/1.json", none).unwrap().advisories[0].claims.is_empty());
        let foreign = r#"{"module_name":"a","vulnerable_versions":"all"}"#;
        assert_eq!(read("vuln/npm/1.json", foreign).unwrap().unordered.len(), 1);
    }
}
