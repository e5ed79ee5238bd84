//! SUSE's sources: CSAF with its VEX profile, and OVAL, with products by their names.

mod csaf;
mod nevra;
mod oval;
mod product;
mod statuses;

pub(super) use csaf::read as read_csaf;
pub(super) use oval::read as read_oval;
