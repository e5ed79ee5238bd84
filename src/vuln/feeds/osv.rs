//! OSV records, one a file, or a list of them in one file; JSON, or YAML as PyPA writes it.

use super::Feed;
use crate::vuln::{database::Builder, osv::Record};

/// A JSON file.
pub(super) fn read_json(feed: &Feed, builder: &mut Builder, bytes: &[u8]) -> Result<(), String> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        let records: Vec<Record> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        records.iter().for_each(|record| builder.record(feed, record));
        return Ok(());
    }
    let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    builder.record(feed, &record);
    Ok(())
}

/// A YAML file.
pub(super) fn read_yaml(feed: &Feed, builder: &mut Builder, bytes: &[u8]) -> Result<(), String> {
    let record: Record = serde_saphyr::from_slice(bytes).map_err(|error| error.to_string())?;
    builder.record(feed, &record);
    Ok(())
}
