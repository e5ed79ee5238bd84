//! One layer: a directory or a tar in, its facts out. A layer is analyzed once, however many images and
//! nodes share it; an image is a fold over its layers' facts.

mod again;
mod analyze;
mod blob;
mod cache;
mod changes;
mod crc64;
mod facts;
pub mod overlay;
mod owned;
mod pack;
mod paths;
mod pax;
mod shadow;
mod split;
mod stream;
mod tar;
mod zero;

pub use analyze::{Walk, analyze, extract_one, wants};
pub use blob::{BlobTree, diff_id, open_blob};
pub use cache::Cache;
pub use changes::{Sameness, changes, whole_tree};
pub use facts::{FileFacts, LayerFacts, OsFile};
pub use owned::Owned;
pub use pack::pack;
pub use paths::Paths;
pub use shadow::Shadow;
pub use split::put_together;
pub use stream::Compression;
pub use zero::{Emptiness, emptiness};
