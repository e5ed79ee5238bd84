//! Whole objects behind URLs, for who keeps them.

use std::io;

use super::Counter;

/// What a server says of a version of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Its tag (`ETag`).
    pub etag: Option<String>,
    /// When it last changed (`Last-Modified`).
    pub modified: Option<String>,
}

/// Where an object goes.
pub trait Sink {
    /// How many bytes are held of it, from its beginning, and of which version they are.
    fn held(&self) -> (u64, Version);
    /// Forgets what is held: what comes is of this version, from its beginning.
    fn begin(&mut self, version: &Version) -> io::Result<()>;
    /// What comes next. An error of it ends the download.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// What is to be downloaded.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Where it is.
    pub url: &'a str,
    /// The version that is there already, and is not wanted again.
    pub known: Option<&'a Version>,
    /// Bytes that it may have.
    pub limit: u64,
}

/// How a download ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The object is of the version that was there.
    Same,
    /// The sink has all of it.
    Whole,
}

/// Downloads an object. What the sink holds of it is continued, if it is of the same version still. `counter` gets
/// the requests and their bytes.
pub fn download(ask: Download<'_>, sink: &mut dyn Sink, counter: &Counter) -> io::Result<Outcome> {
    #[cfg(feature = "http")]
    return super::http::download(ask, sink, counter);
    #[cfg(not(feature = "http"))]
    {
        let _ = (ask, sink, counter);
        let problem = "this icecore was built without the feature \"http\", which reads URLs";
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}
