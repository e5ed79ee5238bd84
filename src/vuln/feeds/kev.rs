//! CISA's catalogue of known exploited vulnerabilities, as JSON.

use serde::Deserialize;
use serde_json::Value;

use super::{Fact, Feed, File, Output};
use crate::vuln::database::Exploited;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue {
    #[serde(default)]
    date_released: Option<String>,
    vulnerabilities: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "cveID")]
    cve: String,
    date_added: String,
    #[serde(default)]
    due_date: Option<String>,
    #[serde(default)]
    known_ransomware_campaign_use: Option<String>,
}

/// The catalogue. The schema that is shipped beside it is JSON too, and is passed over.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let document: Value = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    if document.get("$schema").is_some() && document.get("vulnerabilities").is_none() {
        return Ok(());
    }
    let catalogue: Catalogue = serde_json::from_value(document).map_err(|error| error.to_string())?;
    for (number, row) in catalogue.vulnerabilities.into_iter().enumerate() {
        match serde_json::from_value::<Row>(row) {
            Ok(row) => {
                let ransomware = row.known_ransomware_campaign_use.as_deref() == Some("Known");
                let entry = Exploited { added: row.date_added, due: row.due_date, ransomware };
                output.facts.push((row.cve, Fact::Exploited(entry)));
            }
            Err(error) => output.malformed.push((format!("entry {number}"), error.to_string())),
        }
    }
    output.date = catalogue.date_released;
    Ok(())
}
