//! Photon OS: advisories as OVAL, one file a release, and its older list of vulnerabilities as JSON
//! (`cve_data_photon4.0.json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Feed, File, Output,
    claims::{Claims, Part},
    oval::Oval,
    text,
};
use crate::vuln::advisory::{Advisory, Details, Rating, Statement};

#[derive(Deserialize)]
struct Row {
    cve_id: String,
    pkg: String,
    #[serde(default)]
    res_ver: Option<String>,
    status: String,
}

/// A list, or the advisories of a release.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    if file.name.ends_with(".json") { read_list(file, output) } else { read_oval(file, output) }
}

fn read_list(file: File<'_>, output: &mut Output) -> Result<(), String> {
    let rows: Vec<Part<Row>> = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let release = file.name.rsplit("photon").next().and_then(|rest| rest.strip_suffix(".json"));
    let release = release.filter(|release| release.starts_with(|c: char| c.is_ascii_digit()));
    let ecosystem = format!("Photon OS:{}", release.ok_or("the name tells no release")?);
    let mut advisories: BTreeMap<String, Advisory> = BTreeMap::new();
    for (number, row) in (0_usize..).zip(rows) {
        let row = row.read(&mut output.malformed, || format!("{}: row {number}", file.name));
        let Some(row) = row else { continue };
        let mut claims = Claims::new(&row.cve_id, &mut output.unordered);
        let fixed = row.res_ver.filter(|version| !version.is_empty() && version != "NA");
        match (row.status.as_str(), fixed) {
            ("Fixed", Some(version)) => claims.fixed(&ecosystem, &row.pkg, &version, Statement::default()),
            ("Not Affected", _) => claims.never(&ecosystem, &row.pkg, Statement::default()),
            ("Not Fixed" | "Open" | "Affected", _) => claims.all(&ecosystem, &row.pkg, Statement::default()),
            ("Fixed", None) => claims.left_out(&row.pkg, "fixed without a version"),
            (other, _) => claims.left_out(&row.pkg, &format!("status `{other:.40}`")),
        }
        let claims = claims.done();
        let id = row.cve_id;
        let new = || Advisory { id: id.clone(), ..Advisory::default() };
        advisories.entry(id.clone()).or_insert_with(new).claims.extend(claims);
    }
    output.advisories.extend(advisories.into_values());
    Ok(())
}

/// Advisories name source packages and binary ones alike.
fn read_oval(file: File<'_>, output: &mut Output) -> Result<(), String> {
    let oval = Oval::parse(file.bytes)?;
    for (number, definition) in (1_usize..).zip(&oval.definitions) {
        let title = definition.metadata("title").unwrap_or_default();
        let id = title.split_whitespace().next().filter(|id| id.starts_with("PHSA-"));
        let name = || id.map_or_else(|| format!("definition {number}"), str::to_owned);
        // `PHSA:00001:3.0:0036` has the release in full, the platform (`Photon 3`) its first number.
        let reference = definition.references("PHSA").next();
        let release = reference.and_then(|reference| reference.split(':').nth(2)).map(str::to_owned);
        let platform =
            definition.child("metadata").and_then(|one| one.child("affected")?.text_of("platform"));
        let platform =
            platform.and_then(|platform| platform.strip_prefix("Photon ")).map(|one| format!("{one}.0"));
        let release = release.or(platform);
        let (Some(_), Some(release)) = (id, release) else {
            output.malformed.push((name(), "no PHSA id or no release".to_owned()));
            continue;
        };
        let Some(ways) = oval.ways_or_note(definition, &name, &mut output.malformed) else { continue };
        // Numbers begin anew in every release.
        let id = format!("{}-{release}", name());
        let mut claims = Claims::new(&id, &mut output.unordered);
        for way in ways {
            let fix = way.iter().find_map(|leaf| Some((leaf.object?, leaf.state?.evr.as_ref()?)));
            match fix {
                Some((package, (operation, version))) if operation == "less than" => {
                    claims.fixed(&format!("Photon OS:{release}"), package, version, Statement::default());
                }
                _ => claims.left_out("criteria", "no version with the fix"),
            }
        }
        let claims = claims.done();
        let mut members: Vec<_> =
            definition.references("CVE").filter_map(|id| id.rsplit(':').next()).collect();
        members.sort_unstable();
        members.dedup();
        output.advisories.push(Advisory {
            modified: definition.date("updated"),
            rating: Rating {
                members: members.into_iter().map(str::to_owned).collect(),
                severity: definition.severity(),
                ..Rating::default()
            },
            details: Details {
                title: text::title(title),
                published: definition.date("issued"),
                ..Details::default()
            },
            claims,
            id,
            ..Advisory::default()
        });
    }
    output.date = oval.date;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::advisory::State;

    #[test]
    fn a_list() {
        let text = r#"[{"cve_id":"CVE-2023-38545","pkg":"curl","cve_score":9.8,"aff_ver":"all","res_ver":"7.88.1-4.ph4","status":"Fixed"},
            {"cve_id":"CVE-2023-38545","pkg":"nxtgn","res_ver":"NA","status":"Not Affected"},{"pkg":1},
            {"cve_id":"CVE-1","pkg":"a","status":"Odd"}]"#;
        let mut output = Output::default();
        let feed = Feed::named("photon").unwrap();
        read(feed, File { name: "cve_data_photon4.0.json", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!((output.malformed.len(), output.unordered.len()), (1, 1));
        let claims = &output.advisories[1].claims;
        assert_eq!(claims[0].ecosystem, "Photon OS:4.0");
        assert_eq!(claims[0].statement.ranges[0].to_string(), "< 7.88.1-4.ph4");
        assert_eq!(claims[1].statement.state, State::NotAffected);
        assert!(read(feed, File { name: "a.json", bytes: b"[]" }, &mut output).is_err());
    }

    #[test]
    fn an_advisory() {
        let text = r#"<o><definition id="d"><metadata><title>PHSA-2020:00001 sqlite Security Update. (Important)</title>
            <reference ref_id="PHSA:00001:3.0:0036" source="PHSA"/><reference ref_id="CVE:00001:CVE-2019-16168" source="CVE"/>
            <advisory><severity>Important</severity><issued date="2019-10-23"/></advisory></metadata>
            <criteria operator="AND"><criterion test_ref="i"/><criterion test_ref="t"/></criteria></definition>
            <definition id="e"/><rpminfo_test id="t"><object object_ref="o"/><state state_ref="s"/></rpminfo_test>
            <rpminfo_object id="o"><name>sqlite</name></rpminfo_object>
            <rpminfo_state id="s"><evr operation="less than">0:3.27.2-5.ph3</evr></rpminfo_state></o>"#;
        let mut output = Output::default();
        let feed = Feed::named("photon").unwrap();
        read(feed, File { name: "a.xml", bytes: text.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 1);
        let advisory = &output.advisories[0];
        assert_eq!(
            (advisory.id.as_str(), advisory.claims[0].ecosystem.as_str()),
            ("PHSA-2020:00001-3.0", "Photon OS:3.0")
        );
        assert_eq!(advisory.rating.members, ["CVE-2019-16168"]);
    }
}
