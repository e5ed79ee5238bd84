//! The National Vulnerability Database, in the form of its API 2.0 (`schema/nvd/api/2.0/cve_api_json_2.0.schema`):
//! pages or yearly files with `vulnerabilities`, or one vulnerability a file. What it says of products (CPE) is
//! not read: no name of a package follows from it.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Feed, File, Output, json, text,
    threat::{self, Reference, Text},
};
use crate::vuln::advisory::{Advisory, Details, Provider, Rating};

/// NVD itself among the sources of vectors.
const NVD: &str = "nvd@nist.gov";
/// CISA, which adds to others' records.
const CISA: &str = "134c704f-9b21-4f2e-91b3-4a467353bcc0";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    #[serde(default)]
    published: Option<String>,
    #[serde(default)]
    last_modified: Option<String>,
    #[serde(default)]
    vuln_status: Option<String>,
    #[serde(default)]
    descriptions: Vec<Text>,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    weaknesses: Vec<Weakness>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Default, Deserialize)]
struct Metrics {
    #[serde(default, rename = "cvssMetricV40")]
    v40: Vec<Metric>,
    #[serde(default, rename = "cvssMetricV31")]
    v31: Vec<Metric>,
    #[serde(default, rename = "cvssMetricV30")]
    v30: Vec<Metric>,
    #[serde(default, rename = "cvssMetricV2")]
    v2: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default)]
    source: String,
    cvss_data: CvssData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CvssData {
    #[serde(default)]
    vector_string: String,
}

#[derive(Deserialize)]
struct Weakness {
    #[serde(default)]
    description: Vec<Text>,
}

/// One document.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let mut records = |number: usize, item: Value| record(&format!("record {number}"), item, output);
    let around = json::items(file.bytes, "vulnerabilities", "timestamp", &mut records)
        .map_err(|error| error.to_string())?;
    if !around.found {
        let item = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
        record("record", item, output);
    }
    // Each page has a time of its own; records that nobody changed since are older than it.
    output.date = around.date;
    Ok(())
}

/// A vulnerability, as it is or as the member `cve`.
fn record(place: &str, item: Value, output: &mut Output) {
    let inner = match item {
        Value::Object(mut object) if object.contains_key("cve") => object.remove("cve").unwrap_or_default(),
        other => other,
    };
    let name = inner.get("id").and_then(Value::as_str).unwrap_or(place).to_owned();
    match serde_json::from_value::<Record>(inner) {
        Ok(record) => add(record, output),
        Err(error) => output.malformed.push((name, error.to_string())),
    }
}

fn add(record: Record, output: &mut Output) {
    let mut advisory = Advisory {
        id: record.id.clone(),
        modified: record.last_modified.clone(),
        set_aside: record
            .vuln_status
            .as_deref()
            .is_some_and(|status| status.eq_ignore_ascii_case("rejected")),
        ..Advisory::default()
    };
    if !advisory.set_aside {
        threat::references(&record.id, record.references.iter(), output);
        advisory.rating = Rating { cvss: vectors(&record.metrics), ..Rating::default() };
        let english = record.descriptions.iter().find(|text| text.lang == "en");
        let weaknesses = record.weaknesses.iter().flat_map(|weakness| &weakness.description);
        advisory.details = Details {
            title: None,
            description: english.and_then(|english| text::description(&english.value)),
            published: record.published,
            modified: record.last_modified,
            weaknesses: threat::weaknesses(weaknesses.map(|text| text.value.as_str())),
            references: text::references(record.references.iter().map(|reference| reference.url.as_str())),
        };
    }
    output.advisories.push(advisory);
}

fn vectors(metrics: &Metrics) -> Vec<(Provider, String)> {
    let Metrics { v40, v31, v30, v2 } = metrics;
    let all = || [v40, v31, v30, v2].into_iter().flatten();
    let mut vectors = Vec::new();
    for provider in [Provider::Nvd, Provider::Cna, Provider::Adp] {
        let of = |metric: &&Metric| match metric.source.as_str() {
            NVD => provider == Provider::Nvd,
            CISA => provider == Provider::Adp,
            _ => provider == Provider::Cna,
        };
        let texts = all().filter(of).map(|metric| metric.cvss_data.vector_string.as_str());
        vectors.extend(provider.vectors(texts));
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::feeds::Fact;

    #[test]
    fn a_page_and_single_records() {
        let record = r#"{"id":"CVE-2024-1","vulnStatus":"Analyzed","published":"2024-01-02T03:04:05.678","lastModified":"2024-02-01T00:00:00.000",
            "descriptions":[{"lang":"es","value":"no"},{"lang":"en","value":"A fault."}],
            "metrics":{"cvssMetricV31":[
              {"source":"security@x.org","type":"Secondary","cvssData":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
              {"source":"nvd@nist.gov","type":"Primary","cvssData":{"vectorString":"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]},
            "weaknesses":[{"source":"nvd@nist.gov","description":[{"lang":"en","value":"CWE-79"},{"lang":"en","value":"NVD-CWE-noinfo"}]}],
            "references":[{"url":"https://x.org/poc","tags":["Exploit","Third Party Advisory"]},{"url":"https://x.org/a"}]}"#;
        let read = |text: &str| {
            let mut output = Output::default();
            let file = File { name: "x", bytes: text.as_bytes() };
            super::read(Feed::named("nvd").unwrap(), file, &mut output).map(|()| output)
        };
        let page = format!(
            r#"{{"format":"NVD_CVE","timestamp":"2024-03-01T00:00:00.000","vulnerabilities":[{{"cve":{record}}},
            {{"cve":{{"id":"CVE-2024-2","vulnStatus":"Rejected"}}}},{{"cve":{{"id":"CVE-2024-3","metrics":[1]}}}}]}}"#
        );
        let page = read(&page).unwrap();
        let ids: Vec<_> = page.advisories.iter().map(|found| (found.id.as_str(), found.set_aside)).collect();
        assert_eq!(ids, [("CVE-2024-1", false), ("CVE-2024-2", true)]);
        assert_eq!(page.malformed[0].0, "CVE-2024-3");
        assert_eq!(page.date.as_deref(), Some("2024-03-01T00:00:00.000"));
        let Advisory { rating, details, .. } = &page.advisories[0];
        let providers: Vec<_> = rating.cvss.iter().map(|(provider, _)| *provider).collect();
        assert_eq!(providers, [Provider::Nvd, Provider::Cna]);
        assert_eq!(
            (details.weaknesses.as_slice(), details.references.len()),
            (&["CWE-79".to_owned()][..], 2)
        );
        let [(cve, Fact::Exploit(exploit))] = page.facts.as_slice() else { panic!("{:?}", page.facts) };
        assert_eq!((cve.as_str(), exploit.id.as_str()), ("CVE-2024-1", "https://x.org/poc"));
        for single in [record.to_owned(), format!(r#"{{"cve":{record}}}"#)] {
            assert_eq!(read(&single).unwrap().advisories[0], page.advisories[0]);
        }
        assert!(read("{").is_err());
    }
}
