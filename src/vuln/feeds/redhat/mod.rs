//! Red Hat's two sources: the Security Data API's JSON, and CSAF with its VEX profile.

mod api;
mod csaf;
mod product;

pub(super) use api::read as read_api;
pub(super) use csaf::read as read_csaf;
