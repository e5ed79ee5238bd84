//! Models of machine learning: files that describe themselves in a header, and the cache of a hub's client. Their weights are
//! not read. A model may have no version, and its purl has none then: it is there all the same.

mod gguf;
mod hub;
mod naming;
mod safetensors;

pub(super) use gguf::Gguf;
pub(super) use hub::Hub;
pub(super) use safetensors::Safetensors;
