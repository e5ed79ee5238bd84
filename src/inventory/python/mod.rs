//! Python's packages: as they are installed, and as archives that Python runs or imports as they are.

mod archive;
mod installed;
mod metadata;
mod requirement;

pub(super) use archive::Archive;
pub(super) use installed::Python;
