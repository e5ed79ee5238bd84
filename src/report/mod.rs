//! The report: what was found and what could not be examined. Its types are its JSON, `icecore.report/1`;
//! the formats are pure functions of it.

mod bill;
mod columns;
mod containers;
mod diff;
mod explain;
mod findings;
mod json;
mod kernels;
mod license;
mod ndjson;
mod rows;
mod suppress;
mod table;
mod tree;
mod types;

pub use bill::{Bill, Form};
pub use containers::*;
pub use diff::diff;
pub use explain::{Explained, explain, explain_matches};
pub use findings::{Filter, Place};
pub use json::{Rendered, document, image, json};
pub use kernels::*;
pub use ndjson::{Record, match_record, ndjson};
pub use table::{Style, clean, table};
pub use tree::{Branch, BranchKind, tree};
pub use types::*;

pub(crate) use license::expression as license_expression;

pub use crate::{Gap, gap::Reason, vuln::Finding};

/// The report's schema, as its `schema` field names it.
pub const SCHEMA: &str = "icecore.report/1";
/// A record's schema in NDJSON.
pub const RECORD_SCHEMA: &str = "icecore.record/1";

/// The JSON Schema of a report.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Report)
}

/// The JSON Schema of an NDJSON record.
pub fn record_schema() -> schemars::Schema {
    schemars::schema_for!(Record<'static>)
}
