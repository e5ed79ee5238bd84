//! CISA's catalogue of known exploited vulnerabilities, as JSON.

use serde::Deserialize;
use serde_json::Value;

use super::Feed;
use crate::vuln::database::{Builder, Exploited};

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
pub(super) fn read(feed: &Feed, builder: &mut Builder, bytes: &[u8]) -> Result<(), String> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if document.get("$schema").is_some() && document.get("vulnerabilities").is_none() {
        return Ok(());
    }
    let catalogue: Catalogue = serde_json::from_value(document).map_err(|error| error.to_string())?;
    for (number, row) in catalogue.vulnerabilities.into_iter().enumerate() {
        match serde_json::from_value::<Row>(row) {
            Ok(row) => {
                let ransomware = row.known_ransomware_campaign_use.as_deref() == Some("Known");
                let entry = Exploited { added: row.date_added, due: row.due_date, ransomware };
                builder.exploited(feed, row.cve, entry);
            }
            Err(error) => builder.malformed(feed, format!("entry {number}"), error.to_string()),
        }
    }
    let source = builder.source(feed);
    source.date = source.date.take().max(catalogue.date_released);
    Ok(())
}
