//! Node.js' packages: in `node_modules` directories, and in the archives that are used in place of them.

mod asar;
mod installed;
mod manifest;
mod yarn;

pub(super) use asar::Asar;
pub(super) use installed::Npm;
pub(super) use yarn::YarnCache;
