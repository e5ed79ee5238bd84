//! What a server's answers say, and what went wrong where there is none.

use std::{io, ops::Range, time::Duration};

use time::OffsetDateTime;
use ureq::{
    Body,
    http::{Response, StatusCode},
};

use super::pause;

/// Why a try failed.
pub(super) struct Failure {
    pub(super) error: io::Error,
    /// Whether another try may succeed, and after which time the server says so.
    pub(super) again: Option<Option<Duration>>,
}

impl Failure {
    pub(super) fn last(error: io::Error) -> Self {
        Self { error, again: None }
    }

    pub(super) fn passing(error: io::Error) -> Self {
        Self { error, again: Some(None) }
    }

    pub(super) fn told(problem: impl Into<String>) -> Self {
        Self::last(io::Error::other(problem.into()))
    }

    /// No answer, or half of one.
    pub(super) fn io(error: io::Error) -> Self {
        match error.kind() {
            // The end of a connection is not the end of the object.
            io::ErrorKind::UnexpectedEof => {
                Self::passing(io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string()))
            }
            // TLS: a certificate that is not trusted now is not a moment later.
            io::ErrorKind::InvalidData => Self::last(error),
            _ => Self::passing(error),
        }
    }

    /// An answer that is none of those that were hoped for.
    pub(super) fn refused(response: &Response<Body>) -> Self {
        let status = response.status();
        let kind = match status.as_u16() {
            404 | 410 => io::ErrorKind::NotFound,
            401 | 403 | 407 => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        let hint = if status.is_redirection() { ": name the URL that it leads to" } else { "" };
        let error = io::Error::new(kind, format!("the server answers {status}{hint}"));
        let date = header(response, "date");
        let asked = header(response, "retry-after")
            .and_then(|value| pause::asked(value, date, OffsetDateTime::now_utc()));
        Self { error, again: is_passing(status.as_u16()).then_some(asked) }
    }
}

/// Whether who answers so may answer otherwise a moment later.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        match error {
            // Its text has the URL, and so its secrets.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Self::last(io::Error::new(io::ErrorKind::InvalidInput, "not a URL that can be asked for"))
            }
            ureq::Error::HostNotFound => {
                Self::passing(io::Error::new(io::ErrorKind::HostUnreachable, "no such host"))
            }
            ureq::Error::Io(error) => Self::io(error),
            error @ (ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed) => {
                Self::passing(io::Error::new(io::ErrorKind::TimedOut, error.to_string()))
            }
            ureq::Error::Protocol(_) => Self::passing(io::Error::other("an answer that is not HTTP")),
            ureq::Error::ConnectProxyFailed(reason) => {
                // "proxy server responded 407/407", or that it did not.
                let status = reason.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok());
                let kind = match status {
                    Some(401 | 403 | 407) => io::ErrorKind::PermissionDenied,
                    _ => io::ErrorKind::Other,
                };
                let again = status.is_none_or(is_passing).then_some(None);
                let told = status.map_or(String::new(), |status: u16| format!(": it answers {status}"));
                Self { error: io::Error::new(kind, format!("the proxy makes no tunnel{told}")), again }
            }
            other => Self::last(io::Error::other(other.to_string())),
        }
    }
}

/// What does not change while an object does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Version {
    etag: Option<String>,
    modified: Option<String>,
}

impl Version {
    pub(super) fn of(response: &Response<Body>) -> Self {
        let header = |name| header(response, name).map(str::to_owned);
        Self { etag: header("etag"), modified: header("last-modified") }
    }

    /// Whether another answer may be of the same object: by its tag, and by its time if the tag is weak (RFC 9110, section
    /// 8.8.1: then it is the same for what is only much alike) or there is none.
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.etag == other.etag && (self.strong().is_some() || self.modified == other.modified)
    }

    /// A tag that is of these bytes only.
    pub(super) fn strong(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| !etag.starts_with("W/"))
    }

    pub(super) fn shown(&self) -> String {
        let or_none = |text: &Option<String>| text.as_deref().map_or("none".to_owned(), short);
        format!("tag {}, time {}", or_none(&self.etag), or_none(&self.modified))
    }
}

/// A text of a server's for a message: not more of it than tells what it is.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The bytes of an answer and how many the whole has, by `bytes 0-499/1234`.
pub(super) fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, size) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (number(first)?, number(last)?, number(size)?);
    let is_range = unit.eq_ignore_ascii_case("bytes") && first <= last && last < size;
    is_range.then_some((first..last.checked_add(1)?, size))
}

/// The bytes that the whole has, by an answer that has none of them: `bytes */1234`.
pub(super) fn unsatisfied(response: &Response<Body>) -> Option<u64> {
    number(header(response, "content-range")?.split_once("*/")?.1.trim())
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// That the bytes of an answer are the object's own, and not encoded on the way.
pub(super) fn check_encoding(response: &Response<Body>) -> Result<(), Failure> {
    match header(response, "content-encoding").map(str::trim) {
        None | Some("") => Ok(()),
        Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(encoding) => {
            Err(Failure::told(format!("the server sends it in the encoding {}", short(encoding))))
        }
    }
}

/// What an answer that has a part of the object is of.
pub(super) fn check_part(response: &Response<Body>) -> Result<(Range<u64>, u64), Failure> {
    let told = header(response, "content-range").unwrap_or_default();
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Err(Failure::refused(response));
    }
    if let Some(part) = content_range(told) {
        return Ok(part);
    }
    let kind = header(response, "content-type").unwrap_or_default();
    Err(Failure::told(match told {
        "" if kind.starts_with("multipart/") => {
            "the server sends several parts where one was asked for".to_owned()
        }
        "" => "the server does not tell which part it sends".to_owned(),
        told if told.ends_with("/*") => "the server does not tell the size".to_owned(),
        told => format!("the server says that it sends \"{}\"", short(told)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        assert_eq!(content_range("bytes 0-0/1"), Some((0..1, 1)));
        assert_eq!(content_range(" Bytes 5-9/10 "), Some((5..10, 10)));
        let max = u64::MAX;
        assert_eq!(content_range(&format!("bytes 0-0/{max}")), Some((0..1, max)));
        for wrong in [
            "",
            "bytes",
            "bytes 0-0",
            "bytes 0-0/*",
            "bytes */5",
            "bytes 1-0/5",
            "bytes 0-5/5",
            "items 0-0/5",
            "bytes +0-0/5",
            "bytes -0/5",
            "bytes 0-/5",
            "bytes 0-0/18446744073709551616",
            "bytes 0-0,2-3/5",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn versions_fit_by_strong_tags_alone_and_by_times_otherwise() {
        let version = |etag: Option<&str>, modified: Option<&str>| Version {
            etag: etag.map(str::to_owned),
            modified: modified.map(str::to_owned),
        };
        for (one, other, fits) in [
            (version(Some("\"a\""), Some("1")), version(Some("\"a\""), Some("2")), true),
            (version(Some("\"a\""), None), version(Some("\"b\""), None), false),
            (version(Some("\"a\""), None), version(None, None), false),
            (version(Some("W/\"a\""), Some("1")), version(Some("W/\"a\""), Some("2")), false),
            (version(Some("W/\"a\""), Some("1")), version(Some("W/\"a\""), Some("1")), true),
            (version(None, Some("1")), version(None, Some("2")), false),
            (version(None, Some("1")), version(None, Some("1")), true),
            (version(None, Some("1")), version(Some("\"a\""), Some("1")), false),
        ] {
            assert_eq!(one.fits(&other), fits, "{} and {}", one.shown(), other.shown());
        }
        assert!(version(Some(&"x".repeat(10_000)), None).shown().len() < 200);
    }
}
