//! Amazon Linux's advisories, as the `updateinfo.xml` of its repositories (createrepo_c, "updateinfo") or as
//! JSON of it, one a file: binary packages with the fix, in the core of a release or in a repository that is
//! enabled by choice.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part, is_debug},
    text,
};
use crate::{
    vuln::advisory::{Advisory, Details, Rating, Statement},
    xml::{self, Element},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    issued: Date,
    #[serde(default)]
    updated: Date,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    references: References,
    pkglist: Pkglist,
}

#[derive(Deserialize, Default)]
struct Date {
    #[serde(rename = "Date", default)]
    date: Option<String>,
}

#[derive(Deserialize, Default)]
struct References {
    #[serde(rename = "Reference", default)]
    list: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reference {
    #[serde(default)]
    href: String,
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(default)]
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pkglist {
    collection: Collection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Collection {
    short: String,
    #[serde(default)]
    package: Option<Vec<Part<Package>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Package {
    name: String,
    #[serde(default)]
    epoch: String,
    version: String,
    release: String,
    #[serde(default)]
    arch: String,
}

/// One advisory, or all of a repository.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    if file.name.ends_with(".json") {
        return add(serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?, output);
    }
    let mut number = 0_usize;
    xml::elements(
        file.bytes,
        |name| name == "update",
        |element| {
            number = number.saturating_add(1);
            let name = || element.text_of("id").map_or_else(|| format!("update {number}"), str::to_owned);
            let added = Update::of(&element).ok_or_else(|| "no id or no collection".to_owned());
            if let Err(problem) = added.and_then(|update| add(update, output)) {
                output.malformed.push((name(), problem));
            }
        },
    )
}

impl Update {
    /// The advisory of an `update`.
    fn of(update: &Element) -> Option<Self> {
        let text = |name| update.text_of(name).map(str::to_owned);
        let date =
            |name| Date { date: update.child(name).and_then(|one| one.attribute("date")).map(str::to_owned) };
        let collection = update.child("pkglist")?.child("collection")?;
        let package = |package: &Element| {
            let attribute = |name| package.attribute(name).unwrap_or_default().to_owned();
            Part::Read(Package {
                name: attribute("name"),
                epoch: attribute("epoch"),
                version: attribute("version"),
                release: attribute("release"),
                arch: attribute("arch"),
            })
        };
        let references = update.child("references").into_iter().flat_map(|all| all.children("reference"));
        let reference = |one: &Element| {
            let attribute = |name| one.attribute(name).unwrap_or_default().to_owned();
            Reference { href: attribute("href"), id: attribute("id"), r#type: attribute("type") }
        };
        Some(Self {
            id: text("id")?,
            title: text("title"),
            issued: date("issued"),
            updated: date("updated"),
            severity: text("severity"),
            description: text("description"),
            references: References { list: Some(references.map(reference).collect()) },
            pkglist: Pkglist {
                collection: Collection {
                    short: collection.attribute("short")?.to_owned(),
                    package: Some(collection.children("package").map(package).collect()),
                },
            },
        })
    }
}

fn add(update: Update, output: &mut Output) -> Result<(), String> {
    let id = update.id;
    let Collection { short, package } = update.pkglist.collection;
    let (ecosystem, channel) = line(&short).ok_or_else(|| format!("collection `{short:.60}`"))?;
    let mut fixes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for package in package.unwrap_or_default() {
        let Some(one) = package.read(&mut output.malformed, || format!("{id}: package")) else { continue };
        if one.arch == "src" || is_debug(&one.name) {
            continue;
        }
        let epoch = if one.epoch.is_empty() { "0" } else { one.epoch.as_str() };
        let version = format!("{epoch}:{}-{}", one.version, one.release);
        fixes.entry((one.name, version)).or_default().insert(one.arch);
    }
    let mut claims = Claims::new(&id, &mut output.unordered);
    for ((name, version), arches) in fixes {
        let arches = arches.into_iter().filter(|arch| !arch.is_empty()).collect();
        claims.fixed(
            &ecosystem,
            &name,
            &version,
            Statement { arches, channel: channel.clone(), ..Statement::default() },
        );
    }
    let claims = claims.done();
    let references = update.references.list.unwrap_or_default();
    let cves = references.iter().map(|one| &one.id).filter(|id| id.starts_with("CVE-"));
    let members: BTreeSet<_> = cves.cloned().collect();
    output.advisories.push(Advisory {
        modified: update.updated.date.clone(),
        rating: Rating {
            members: members.into_iter().collect(),
            severity: update.severity.as_deref().map(str::to_ascii_lowercase),
            ..Rating::default()
        },
        details: Details {
            title: update.title.as_deref().and_then(text::title),
            description: update.description.as_deref().and_then(text::description),
            published: update.issued.date,
            modified: update.updated.date,
            references: text::references(
                references.iter().filter(|one| one.r#type != "cve").map(|one| one.href.as_str()),
            ),
            ..Details::default()
        },
        claims,
        id,
        ..Advisory::default()
    });
    Ok(())
}

/// The release and the line of updates of a collection: `amazon-linux-ami`, `amazon-linux-2`,
/// `amazon-linux-2---kernel-5.10`.
fn line(collection: &str) -> Option<(String, Option<String>)> {
    let (core, extra) =
        collection.split_once("---").map_or((collection, None), |(core, extra)| (core, Some(extra)));
    let release = match core.strip_prefix("amazon-linux")? {
        "" | "-ami" => "1",
        rest => rest.strip_prefix('-').filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?,
    };
    Some((format!("Amazon Linux:{release}"), extra.filter(|extra| *extra != "core").map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_of_a_repository() {
        let text = r#"{"ID":"ALAS2ECS-2023-025","Title":"t","Issued":{"Date":"2023-11-09 20:27:00"},"Updated":{"Date":"2023-11-15 23:19:00"},
            "Severity":"medium","References":{"Reference":[{"Href":"u","ID":"CVE-2021-41190","Type":"cve"}]},
            "Pkglist":{"Collection":{"Short":"amazon-linux-2---ecs","Package":[
            {"Arch":"x86_64","Epoch":"0","Name":"docker","Release":"5.amzn2","Version":"20.10.7"},
            {"Arch":"aarch64","Epoch":"0","Name":"docker","Release":"5.amzn2","Version":"20.10.7"},
            {"Arch":"x86_64","Epoch":"0","Name":"docker-debuginfo","Release":"5.amzn2","Version":"20.10.7"},{"Name":1}]}}}"#;
        let mut output = Output::default();
        let feed = Feed::named("amazon").unwrap();
        read(feed, File { name: "a.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 1);
        let advisory = &output.advisories[0];
        assert_eq!(advisory.rating.members, ["CVE-2021-41190"]);
        let [claim] = advisory.claims.as_slice() else { panic!() };
        assert_eq!((claim.ecosystem.as_str(), claim.name.as_str()), ("Amazon Linux:2", "docker"));
        assert_eq!(claim.statement.channel.as_deref(), Some("ecs"));
        assert_eq!(claim.statement.arches, ["aarch64", "x86_64"]);
        assert_eq!(claim.statement.ranges[0].to_string(), "< 0:20.10.7-5.amzn2");
    }

    #[test]
    fn a_repository() {
        let text = r#"<updates><update type="security" status="final"><id>ALAS2-2023-1</id><issued date="2023-11-09"/>
            <severity>medium</severity><references><reference href="u" id="CVE-2021-41190" type="cve"/></references>
            <pkglist><collection short="amazon-linux-2---core"><name>n</name><package name="curl" epoch="0" version="8.0"
            release="1.amzn2" arch="x86_64"><filename>f</filename></package></collection></pkglist></update>
            <update><id>x</id></update></updates>"#;
        let mut output = Output::default();
        let feed = Feed::named("amazon").unwrap();
        read(feed, File { name: "updateinfo.xml", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed, [("x".to_owned(), "no id or no collection".to_owned())]);
        let claim = &output.advisories[0].claims[0];
        assert_eq!((claim.ecosystem.as_str(), claim.statement.channel.as_deref()), ("Amazon Linux:2", None));
        assert_eq!(claim.statement.ranges[0].to_string(), "< 0:8.0-1.amzn2");
    }

    #[test]
    fn collections() {
        let release = |name| line(name).map(|(ecosystem, _)| ecosystem);
        assert_eq!(release("amazon-linux-ami").as_deref(), Some("Amazon Linux:1"));
        assert_eq!(release("amazon-linux-2023").as_deref(), Some("Amazon Linux:2023"));
        assert_eq!(release("fedora"), None);
    }
}
