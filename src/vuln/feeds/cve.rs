//! CVE records (CVE JSON record format 5.x), one a file, with what others add to them: CISA's assessments of
//! exploitation (SSVC) among it. What they say of products is not read: it names no packages of ecosystems.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{
    Fact, Feed, File, Output, text,
    threat::{self, Reference, Text},
};
use crate::vuln::{
    advisory::{Advisory, Details, Provider, Rating},
    finding::{Exploit, ExploitKind},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    cve_metadata: Metadata,
    #[serde(default)]
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    date_published: Option<String>,
    #[serde(default)]
    date_updated: Option<String>,
}

#[derive(Default, Deserialize)]
struct Containers {
    #[serde(default)]
    cna: Container,
    #[serde(default)]
    adp: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    descriptions: Vec<Text>,
    #[serde(default)]
    metrics: Vec<Metric>,
    #[serde(default)]
    references: Vec<Reference>,
    #[serde(default)]
    problem_types: Vec<Problem>,
}

/// A rating by one or several systems.
#[derive(Default, Deserialize)]
struct Metric {
    #[serde(default, rename = "cvssV4_0")]
    v4_0: Option<Vector>,
    #[serde(default, rename = "cvssV3_1")]
    v3_1: Option<Vector>,
    #[serde(default, rename = "cvssV3_0")]
    v3_0: Option<Vector>,
    #[serde(default, rename = "cvssV2_0")]
    v2_0: Option<Vector>,
    #[serde(default)]
    other: Option<Other>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Vector {
    vector_string: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Other {
    #[serde(rename = "type")]
    kind: String,
    /// Of any form, by its kind.
    content: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    descriptions: Vec<Weakness>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Weakness {
    #[serde(deserialize_with = "nullable")]
    cwe_id: String,
}

fn nullable<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// One record. The lists of changes that lie among them are passed over.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let name = file.name.rsplit('/').next().unwrap_or(file.name);
    if name.starts_with("delta") || name.starts_with("recent_") {
        return Ok(());
    }
    let record: Record = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let Metadata { cve_id: id, state, date_published, date_updated } = record.cve_metadata;
    let mut advisory = Advisory {
        id: id.clone(),
        modified: date_updated.clone(),
        set_aside: state.eq_ignore_ascii_case("rejected"),
        ..Advisory::default()
    };
    if !advisory.set_aside {
        let Containers { cna, adp } = record.containers;
        exploitation(&id, &adp, output);
        let all = || std::iter::once(&cna).chain(&adp);
        let referred = || all().flat_map(|part| &part.references);
        threat::references(&id, referred(), output);
        let mut vectors = given(Provider::Cna, &cna.metrics);
        vectors.extend(given(Provider::Adp, adp.iter().flat_map(|part| &part.metrics)));
        advisory.rating = Rating { cvss: vectors, ..Rating::default() };
        let weaknesses = all().flat_map(|part| &part.problem_types).flat_map(|problem| &problem.descriptions);
        let english = cna.descriptions.iter().find(|text| text.lang.starts_with("en"));
        advisory.details = Details {
            title: cna.title.as_deref().and_then(text::title),
            description: english.and_then(|english| text::description(&english.value)),
            published: date_published,
            modified: date_updated,
            weaknesses: threat::weaknesses(weaknesses.map(|weakness| weakness.cwe_id.as_str())),
            references: text::references(referred().map(|reference| reference.url.as_str())),
        };
    }
    output.advisories.push(advisory);
    Ok(())
}

/// The vectors of one provider, best first.
fn given<'a>(provider: Provider, metrics: impl IntoIterator<Item = &'a Metric>) -> Vec<(Provider, String)> {
    let metrics = metrics.into_iter();
    let vectors =
        metrics.flat_map(|metric| [&metric.v4_0, &metric.v3_1, &metric.v3_0, &metric.v2_0]).flatten();
    provider.vectors(vectors.map(|vector| vector.vector_string.as_str()))
}

/// What CISA saw of exploitation (SSVC, "Exploitation": `none`, `poc`, `active`; in any case): one that is used
/// is one that works. The newest assessment counts.
fn exploitation(id: &str, adp: &[Container], output: &mut Output) {
    let assessments = adp.iter().flat_map(|part| &part.metrics).filter_map(|metric| metric.other.as_ref());
    let assessments = assessments.filter(|other| other.kind.eq_ignore_ascii_case("ssvc"));
    let newest = assessments.max_by_key(|other| stamp(other).map(str::to_owned));
    let Some(newest) = newest else { return };
    let options = newest.content.get("options").and_then(Value::as_array);
    let mut words = options.into_iter().flatten().filter_map(|option| option.get("Exploitation")?.as_str());
    let word = words.next().unwrap_or_default().to_ascii_lowercase();
    if word == "poc" || word == "active" {
        let exploit = Exploit {
            source: "ssvc".to_owned(),
            verified: word == "active",
            id: word,
            kind: ExploitKind::Unknown,
            in_kit: false,
            date: stamp(newest).and_then(|time| time.get(..10)).map(str::to_owned),
        };
        output.facts.push((id.to_owned(), Fact::Exploit(exploit)));
    }
}

fn stamp(other: &Other) -> Option<&str> {
    other.content.get("timestamp")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Output, String> {
        let mut output = Output::default();
        let file = File { name: "cves/2024/CVE-2024-1.json", bytes: text.as_bytes() };
        super::read(Feed::named("cve").unwrap(), file, &mut output).map(|()| output)
    }

    #[test]
    fn what_each_container_gives() {
        let ssvc = |word, time| {
            format!(
                r#"{{"other":{{"type":"ssvc","content":{{"timestamp":"{time}","options":[{{"Exploitation":"{word}"}},{{"Automatable":"no"}}]}}}}}}"#
            )
        };
        let (old, new) = (ssvc("none", "2024-01-01T00:00:00Z"), ssvc("Active", "2024-02-03T00:00:00Z"));
        let text = format!(
            r#"{{"dataType":"CVE_RECORD","cveMetadata":{{"cveId":"CVE-2024-1","state":"PUBLISHED","datePublished":"2024-01-01T00:00:00.000Z",
            "dateUpdated":"2024-02-01T00:00:00.000Z"}},"containers":{{"cna":{{"title":"T","descriptions":[{{"lang":"en-US","value":"D"}}],
            "metrics":[{{"format":"CVSS","cvssV3_1":{{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}}}],
            "references":[{{"url":"https://a/1","tags":["exploit"]}}],
            "problemTypes":[{{"descriptions":[{{"cweId":"CWE-79"}},{{"type":"text","description":"n/a"}}]}}]}},
            "adp":[{{"metrics":[{new},{old}]}},{{"metrics":[{{"cvssV3_1":{{"vectorString":"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}}}],
            "references":[{{"url":"https://a/1","tags":["exploit"]}},{{"url":"https://a/2"}}],"problemTypes":[{{"descriptions":[{{"cweId":"CWE-80"}}]}}]}}]}}}}"#
        );
        let output = read(&text).unwrap();
        let Advisory { rating, details, .. } = &output.advisories[0];
        let providers: Vec<_> = rating.cvss.iter().map(|(provider, _)| *provider).collect();
        assert_eq!(providers, [Provider::Cna, Provider::Adp]);
        assert_eq!(details.weaknesses, ["CWE-79", "CWE-80"]);
        assert_eq!(details.references, ["https://a/1", "https://a/2"]);
        assert_eq!((details.title.as_deref(), details.description.as_deref()), (Some("T"), Some("D")));
        let exploits: Vec<_> = output.facts.iter().map(|(_, fact)| fact.clone()).collect();
        let [Fact::Exploit(ssvc), Fact::Exploit(reference)] = exploits.as_slice() else {
            panic!("{exploits:?}")
        };
        assert_eq!(
            (ssvc.id.as_str(), ssvc.verified, ssvc.date.as_deref()),
            ("active", true, Some("2024-02-03"))
        );
        assert_eq!((reference.id.as_str(), reference.verified), ("https://a/1", false));
    }

    #[test]
    fn a_rejected_record_says_nothing() {
        let text = r#"{"cveMetadata":{"cveId":"CVE-2024-1","state":"REJECTED"},"containers":{"cna":{"rejectedReasons":[],
            "references":[{"url":"https://a/1","tags":["exploit"]}]}}}"#;
        let output = read(text).unwrap();
        assert!(output.advisories[0].set_aside && output.facts.is_empty());
        assert!(read(r#"{"cveMetadata":{}}"#).is_err());
    }
}
