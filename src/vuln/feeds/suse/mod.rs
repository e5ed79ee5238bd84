//! SUSE's source: OVAL, with products by their names.

mod oval;
mod product;

pub(super) use oval::read as read_oval;
