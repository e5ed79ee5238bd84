//! An image from its layers: the fold of their facts (its inventory), and the merged file system (to look at
//! files, and to hold the fold against).

mod fold;
mod hiding;
mod merged;
mod requires;

pub use fold::{Inventory, Located, fold, hidden};
pub use hiding::Hiding;
pub use merged::merge;
pub use requires::requires;
