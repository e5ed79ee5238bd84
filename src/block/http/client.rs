//! Requests for ranges, with another try where that may help.

use std::{
    io::{self, Read},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
    tls::{RootCerts, TlsConfig},
};

use crate::{block::Counter, limits, num};

/// How often a request is made before it has failed.
const TRIES: u32 = 5;
/// Requests in a row that failed for good, after which nothing more is asked of a server.
const GIVEN_UP: u32 = 16;
/// What is waited before the second try; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest time that a server may ask to wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const CHANGED: &str = "the object changed while it was read";
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(60);

/// One object on a server.
pub(super) struct Client {
    agent: Agent,
    url: String,
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

/// What does not change while an object does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Version {
    etag: Option<String>,
    modified: Option<String>,
}

/// Why a try failed.
struct Failure {
    error: io::Error,
    /// Whether another try may succeed, and after which time the server says so.
    again: Option<Option<Duration>>,
}

impl Failure {
    fn last(error: io::Error) -> Self {
        Self { error, again: None }
    }

    fn passing(error: io::Error) -> Self {
        Self { error, again: Some(None) }
    }
}

impl Client {
    /// Asks for the first bytes of an object: a signed URL may be good for this method alone.
    pub(super) fn open(url: &str, counter: Arc<Counter>) -> io::Result<(Self, First)> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // A redirection would open what the caller did not name.
            .max_redirects(0)
            .user_agent(concat!("icecore/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(ANSWER))
            .build();
        let (version, changed) = (Version::default(), AtomicBool::new(false));
        let mut client = Self {
            agent: config.new_agent(),
            url: url.to_owned(),
            version,
            size: 0,
            changed,
            failed: AtomicU32::new(0),
            counter,
        };
        let (first, version) = client.tried(|client| {
            let response = client.ask(&client.url, Some(&(0..1)))?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {}
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    return Ok((First { size: 0, is_page_blob: false }, Version::default()));
                }
                StatusCode::OK => {
                    return Err(Failure::last(io::Error::other("the server does not serve ranges")));
                }
                status => return Err(refused(status, &response)),
            }
            let size = content_range(&response).map(|(_, size)| size);
            let size =
                size.ok_or_else(|| Failure::last(io::Error::other("the server does not tell the size")))?;
            let is_page_blob = header(&response, "x-ms-blob-type").is_some_and(|kind| kind == "PageBlob");
            let version = Version::of(&response);
            if version == Version::default() {
                let what = "the server gives neither a tag nor a time by which a change of the object shows";
                return Err(Failure::last(io::Error::other(what)));
            }
            client.body(response, 1)?;
            Ok((First { size, is_page_blob }, version))
        })?;
        client.version = version;
        client.size = first.size;
        Ok((client, first))
    }

    /// The bytes of a range of the object.
    pub(super) fn range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let length = range.end.saturating_sub(range.start);
        self.tried(|client| {
            let response = client.ask(&client.url, Some(&range))?;
            client.check(&response)?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {}
                status => return Err(refused(status, &response)),
            }
            if content_range(&response)
                .is_none_or(|(start, size)| start != range.start || size != client.size)
            {
                let told = header(&response, "content-range").unwrap_or_default();
                return Err(Failure::last(io::Error::other(format!("asked for {range:?}, given {told:?}"))));
            }
            client.body(response, length)
        })
    }

    /// A document about the object: what its URL gives with more in its query.
    pub(super) fn document(&self, query: &str) -> io::Result<Vec<u8>> {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}{query}", self.url);
        self.tried(|client| {
            let response = client.ask(&url, None)?;
            client.check(&response)?;
            if response.status() != StatusCode::OK {
                return Err(refused(response.status(), &response));
            }
            let mut bytes = Vec::new();
            let limit = limits::HTTP_DOCUMENT_BYTES;
            let mut body = response.into_body().into_with_config().limit(limit).reader();
            body.read_to_end(&mut bytes).map_err(Failure::passing)?;
            client.counter.transferred(num::to_u64(bytes.len()));
            Ok(bytes)
        })
    }

    /// Tries until it succeeds, or another try cannot.
    fn tried<T>(&self, attempt: impl Fn(&Self) -> Result<T, Failure>) -> io::Result<T> {
        let mut pause = FIRST_PAUSE;
        let mut tries: u32 = 1;
        loop {
            if self.changed.load(Relaxed) {
                return Err(io::Error::other(CHANGED));
            }
            if self.failed.load(Relaxed) >= GIVEN_UP {
                return Err(io::Error::other("the server has failed too often"));
            }
            let Failure { error, again } = match attempt(self) {
                Ok(done) => {
                    self.failed.store(0, Relaxed);
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            let Some(asked) = again.filter(|_| tries < TRIES) else {
                self.failed.fetch_add(1, Relaxed);
                return Err(io::Error::new(error.kind(), format!("{} (tried {tries} times)", error)));
            };
            thread::sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE));
            pause = pause.saturating_mul(2);
            tries = tries.saturating_add(1);
        }
    }

    fn ask(&self, url: &str, range: Option<&Range<u64>>) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        if let Some(range) = range {
            let last = range.end.saturating_sub(1);
            request = request.header("Range", format!("bytes={}-{last}", range.start));
        }
        if let Some(etag) = self.version.etag.as_ref().filter(|etag| !etag.starts_with("W/")) {
            request = request.header("If-Match", etag);
        }
        self.counter.requested();
        request.call().map_err(|error| match error {
            // Its text has the URL, and so its secrets.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Failure::last(io::Error::new(io::ErrorKind::InvalidInput, "not a URL that can be asked for"))
            }
            ureq::Error::HostNotFound => {
                Failure::passing(io::Error::new(io::ErrorKind::HostUnreachable, "no such host"))
            }
            ureq::Error::Io(error) => Failure::passing(error),
            error @ (ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed) => {
                Failure::passing(io::Error::new(io::ErrorKind::TimedOut, error.to_string()))
            }
            ureq::Error::Protocol(_) => Failure::passing(io::Error::other("an answer that is not HTTP")),
            ureq::Error::TooManyRedirects => Failure::last(io::Error::other("too many redirects")),
            other => Failure::last(io::Error::other(other.to_string())),
        })
    }

    /// That the answer is of the version that the first one was of.
    fn check(&self, response: &Response<Body>) -> Result<(), Failure> {
        let version = Version::of(response);
        let failed = response.status() == StatusCode::PRECONDITION_FAILED;
        if is_passing(response.status()) || !failed && self.version.fits(&version) {
            return Ok(());
        }
        self.changed.store(true, Relaxed);
        let problem =
            format!("{CHANGED}: {:?}, then {version:?} with status {}", self.version, response.status());
        Err(Failure::last(io::Error::other(problem)))
    }

    /// A body of as many bytes as were asked for.
    fn body(&self, response: Response<Body>, length: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(num::to_usize(length));
        let mut body =
            response.into_body().into_with_config().limit(u64::MAX).reader().take(length.saturating_add(1));
        let read = body.read_to_end(&mut bytes);
        self.counter.transferred(num::to_u64(bytes.len()));
        read.map_err(Failure::passing)?;
        match num::to_u64(bytes.len()) == length {
            true => Ok(bytes),
            false => Err(Failure::passing(io::Error::other(format!("{} bytes of {length}", bytes.len())))),
        }
    }
}

impl Version {
    fn of(response: &Response<Body>) -> Self {
        let header = |name| header(response, name).map(str::to_owned);
        Self { etag: header("etag"), modified: header("last-modified") }
    }

    /// Whether another answer may be of the same object: by its tag, or without tags by its time.
    fn fits(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (None, None) => self.modified == other.modified,
            (own, other) => own == other,
        }
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first byte of an answer and the bytes of the whole: `bytes 0-499/1234`.
fn content_range(response: &Response<Body>) -> Option<(u64, u64)> {
    let (range, size) = header(response, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

/// Whether a server that answers so may answer otherwise a moment later.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn refused(status: StatusCode, response: &Response<Body>) -> Failure {
    let kind = match status.as_u16() {
        404 | 410 => io::ErrorKind::NotFound,
        401 | 403 => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    let error = io::Error::new(kind, format!("the server answers {status}"));
    // A date instead of seconds is not worth a clock: the usual pause does.
    let asked = header(response, "retry-after").and_then(|seconds| seconds.trim().parse().ok());
    Failure { error, again: is_passing(status).then(|| asked.map(Duration::from_secs)) }
}
