//! Requests for ranges, with another try where that may help.

use std::{
    io::{self, Read},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use ureq::{
    Body,
    http::{Response, StatusCode},
};

use super::{
    agent::{Patience, Way},
    answer::{self, Failure, Version, header},
    pause,
    target::Target,
};
use crate::{block::Counter, limits, num};

/// How often a request is made before it has failed: for eight seconds, if the server does not ask for more.
const TRIES: u32 = 6;
/// The same after a request has failed so, until one succeeds: what is read then is what is left to be saved.
const TRIES_AFTER: u32 = 2;
/// Requests in a row that failed for good, after which nothing more is asked of a server.
const GIVEN_UP: u32 = 16;
const CHANGED: &str = "the object changed while it was read";

/// One object on a server.
pub(super) struct Client {
    way: Way,
    target: Target,
    patience: Patience,
    /// What tells this version of the object from others, by the first answer.
    version: Version,
    size: u64,
    /// The object is another one by now; nothing more of it is read.
    changed: AtomicBool,
    /// Requests that failed for good, one after the other.
    failed: AtomicU32,
    counter: Arc<Counter>,
}

/// What the first answer says of the object.
pub(super) struct First {
    /// Its bytes.
    pub(super) size: u64,
    /// Whether it is an Azure page blob.
    pub(super) is_page_blob: bool,
}

/// How much is done for an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// One try, for what is not needed yet: who needs it tries again.
    Once,
    /// What may help.
    All,
}

impl Client {
    /// Asks for the first byte of an object: a signed URL may be good for this method alone.
    pub(super) fn open(
        target: Target,
        way: Way,
        patience: Patience,
        counter: Arc<Counter>,
    ) -> io::Result<(Self, First)> {
        let (version, size, changed, failed) = (Version::default(), 0, false.into(), 0.into());
        let mut client = Self { way, target, patience, version, size, changed, failed, counter };
        let (first, version) = client.tried(Effort::All, Self::first)?;
        client.version = version;
        client.size = first.size;
        Ok((client, first))
    }

    fn first(&self) -> Result<(First, Version), Failure> {
        let response = self.ask(&self.target.url, Some(&(0..1)))?;
        match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE if answer::unsatisfied(&response).unwrap_or(0) == 0 => {
                return Ok((First { size: 0, is_page_blob: false }, Version::default()));
            }
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::OK => {
                return Err(Failure::told("the server does not serve ranges"));
            }
            _ => {}
        }
        let (part, size) = answer::check_part(&response)?;
        if part != (0..1) {
            return Err(Failure::told(format!("asked for the first byte, given {part:?}")));
        }
        answer::check_encoding(&response)?;
        let is_page_blob = header(&response, "x-ms-blob-type").is_some_and(|kind| kind == "PageBlob");
        let version = Version::of(&response);
        if version == Version::default() {
            let what = "the server gives neither a tag nor a time by which a change of the object shows";
            return Err(Failure::told(what));
        }
        self.exactly(response, 1)?;
        Ok((First { size, is_page_blob }, version))
    }

    /// The bytes of a range of the object.
    pub(super) fn range(&self, range: Range<u64>, effort: Effort) -> io::Result<Vec<u8>> {
        let length = range.end.saturating_sub(range.start);
        self.tried(effort, |client| {
            let response = client.ask(&client.target.url, Some(&range))?;
            client.check(&response)?;
            let (part, size) = answer::check_part(&response)?;
            if part != range || size != client.size {
                let asked = format!("asked for {range:?} of {} bytes", client.size);
                return Err(Failure::told(format!("{asked}, given {part:?} of {size}")));
            }
            answer::check_encoding(&response)?;
            client.exactly(response, length)
        })
    }

    /// A document about the object: what its URL gives with more in its query.
    pub(super) fn document(&self, query: &str) -> io::Result<Vec<u8>> {
        let url = self.target.with_query(query);
        self.tried(Effort::All, |client| {
            let response = client.ask(&url, None)?;
            if response.status() != StatusCode::OK {
                return Err(Failure::refused(&response));
            }
            // Of another version, or of one that is not told: of no use, and whether the object changed shows when it is read.
            if !client.version.fits(&Version::of(&response)) {
                return Err(Failure::told("a document about another version of the object"));
            }
            answer::check_encoding(&response)?;
            let limit = limits::HTTP_DOCUMENT_BYTES;
            let bytes = client.body(response, limit)?;
            match num::to_u64(bytes.len()) > limit {
                true => Err(Failure::told(format!("a document of more than {limit} bytes"))),
                false => Ok(bytes),
            }
        })
    }

    /// Whether the URL's own query would make a list of its pages another one.
    pub(super) fn lists_other_pages(&self) -> bool {
        let query = self.target.url.split_once('?').map_or("", |(_, query)| query).to_ascii_lowercase();
        ["comp=", "prevsnapshot", "marker=", "maxresults="].iter().any(|word| query.contains(word))
    }

    /// Tries until it succeeds, or another try cannot.
    fn tried<T>(&self, effort: Effort, attempt: impl Fn(&Self) -> Result<T, Failure>) -> io::Result<T> {
        let mut tries: u32 = 1;
        loop {
            if self.changed.load(Relaxed) {
                return Err(io::Error::other(CHANGED));
            }
            let failed = self.failed.load(Relaxed);
            if failed >= GIVEN_UP {
                return Err(io::Error::other("the server has failed too often"));
            }
            let Failure { error, again } = match attempt(self) {
                Ok(done) => {
                    self.failed.store(0, Relaxed);
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            let most = match (effort, failed) {
                (Effort::Once, _) => 1,
                (Effort::All, 0) => TRIES,
                (Effort::All, _) => TRIES_AFTER,
            };
            let Some(asked) = again.filter(|_| tries < most) else {
                self.failed.fetch_add(u32::from(effort == Effort::All), Relaxed);
                let by =
                    self.way.proxy.as_ref().map_or(String::new(), |proxy| format!(" by the proxy {proxy}"));
                return Err(io::Error::new(error.kind(), format!("{error} (tried {tries} times{by})")));
            };
            (self.patience.sleep)(pause::after(tries, asked));
            tries = tries.saturating_add(1);
        }
    }

    fn ask(&self, url: &str, range: Option<&Range<u64>>) -> Result<Response<Body>, Failure> {
        let mut request = self.way.agent.get(url);
        if let Some(range) = range {
            let last = range.end.saturating_sub(1);
            request = request.header("Range", format!("bytes={}-{last}", range.start));
        }
        let headers = [
            ("If-Match", self.version.strong()),
            ("Authorization", self.target.authorization.as_deref()),
            ("Proxy-Authorization", self.way.proxy_authorization.as_deref()),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        self.counter.requested();
        Ok(request.call()?)
    }

    /// That the answer is of the version that the first one was of. One that has nothing of the object says nothing.
    fn check(&self, response: &Response<Body>) -> Result<(), Failure> {
        let (version, status) = (Version::of(response), response.status());
        let is_other = match status {
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => true,
            status => status.is_success() && !self.version.fits(&version),
        };
        if !is_other {
            return Ok(());
        }
        self.changed.store(true, Relaxed);
        let (was, is) = (self.version.shown(), version.shown());
        Err(Failure::told(format!("{CHANGED}: {was}; then {is}, with status {status}")))
    }

    /// A body of as many bytes as were asked for.
    fn exactly(&self, response: Response<Body>, length: u64) -> Result<Vec<u8>, Failure> {
        let bytes = self.body(response, length)?;
        let count = num::to_u64(bytes.len());
        if count != length {
            let given = if count > length { "more" } else { "fewer" };
            return Err(Failure::passing(io::Error::other(format!("given {given} than {length} bytes"))));
        }
        Ok(bytes)
    }

    /// A body, no more of it than a byte beyond `limit`.
    fn body(&self, response: Response<Body>, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut body =
            response.into_body().into_with_config().limit(u64::MAX).reader().take(limit.saturating_add(1));
        let read = body.read_to_end(&mut bytes);
        self.counter.transferred(num::to_u64(bytes.len()));
        read.map_err(Failure::io)?;
        Ok(bytes)
    }
}
