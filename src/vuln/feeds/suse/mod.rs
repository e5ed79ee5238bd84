//! SUSE's sources: CSAF with its VEX profile, CVRF, and OVAL, with products by their names.

mod csaf;
mod cvrf;
mod nevra;
mod oval;
mod product;
mod statuses;

pub(super) use csaf::read as read_csaf;
pub(super) use cvrf::read as read_cvrf;
pub(super) use oval::read as read_oval;
