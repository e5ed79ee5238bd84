//! A whole object, unless it is the one that is there already; continued where it was cut (RFC 9110, sections 13
//! and 14), and begun anew if it is another one by then.

use std::{
    io::{self, Read},
    time::Duration,
};

use ureq::{
    Body,
    http::{Response, StatusCode, Uri},
};

use super::{
    agent::{Patience, Way},
    answer::{self, Failure, header},
    pause,
    target::Target,
};
use crate::{
    block::{Counter, Download, Outcome, Sink, Version},
    num,
};

/// How often a request is made in a row without a byte more.
const TRIES: u32 = 6;
/// Redirections that are followed.
const REDIRECTIONS: u32 = 5;
/// For the whole body of an answer: a stalled one is continued by the next request.
const BODY: Duration = Duration::from_secs(1800);

/// What tells that a range is of this version: a strong tag, else a time.
fn strong(version: &Version) -> Option<&str> {
    let tag = version.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
    tag.or(version.modified.as_deref().filter(|_| version.etag.is_none()))
}

fn version(response: &Response<Body>) -> Version {
    let text = |name| header(response, name).map(str::to_owned);
    Version { etag: text("etag"), modified: text("last-modified") }
}

/// Downloads an object, with another try where that may help: as often as there is a byte more, and some times
/// without.
pub(in crate::block) fn download(
    ask: Download<'_>,
    sink: &mut dyn Sink,
    counter: &Counter,
) -> io::Result<Outcome> {
    by(ask, sink, counter, &Patience { body: BODY, ..Patience::default() })
}

pub(super) fn by(
    ask: Download<'_>,
    sink: &mut dyn Sink,
    counter: &Counter,
    patience: &Patience,
) -> io::Result<Outcome> {
    let mut target = Target::parse(ask.url)?;
    let mut way = Way::to(&target, patience)?;
    let (mut tries, mut redirections) = (1_u32, 0_u32);
    loop {
        let before = sink.held().0;
        let failure = match attempt(&target, &way, ask, sink, counter) {
            Ok(Step::Done(outcome)) => return Ok(outcome),
            Ok(Step::Elsewhere(next)) if redirections < REDIRECTIONS => {
                redirections = redirections.saturating_add(1);
                target = elsewhere(&target, &next)?;
                way = Way::to(&target, patience)?;
                continue;
            }
            Ok(Step::Elsewhere(_)) => Failure::told("more redirections than are followed"),
            Err(failure) => failure,
        };
        if sink.held().0 > before {
            tries = 1;
        }
        let Some(asked) = failure.again.filter(|_| tries < TRIES) else {
            let by = way.proxy.as_ref().map_or(String::new(), |proxy| format!(" by the proxy {proxy}"));
            let error = failure.error;
            return Err(io::Error::new(error.kind(), format!("{error} (tried {tries} times{by})")));
        };
        (patience.sleep)(pause::after(tries, asked));
        tries = tries.saturating_add(1);
    }
}

enum Step {
    Done(Outcome),
    Elsewhere(String),
}

fn attempt(
    target: &Target,
    way: &Way,
    Download { known, limit, .. }: Download<'_>,
    sink: &mut dyn Sink,
    counter: &Counter,
) -> Result<Step, Failure> {
    let (held, held_version) = sink.held();
    let mut request = way.agent.get(&target.url);
    match strong(&held_version).filter(|_| held > 0) {
        Some(strong) => {
            request = request.header("Range", format!("bytes={held}-")).header("If-Range", strong);
        }
        None => {
            let known = known.cloned().unwrap_or_default();
            if let Some(etag) = known.etag {
                request = request.header("If-None-Match", etag);
            }
            if let Some(modified) = known.modified {
                request = request.header("If-Modified-Since", modified);
            }
        }
    }
    let headers = [
        ("Authorization", target.authorization.as_deref()),
        ("Proxy-Authorization", way.proxy_authorization.as_deref()),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    counter.requested();
    let response = request.call()?;
    let (mut at, total) = match response.status() {
        StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Step::Done(Outcome::Same)),
        StatusCode::OK => {
            sink.begin(&version(&response)).map_err(Failure::last)?;
            (0, header(&response, "content-length").and_then(|length| length.parse::<u64>().ok()))
        }
        StatusCode::PARTIAL_CONTENT if held > 0 => {
            let (part, total) = answer::check_part(&response)?;
            if part.start != held || version(&response) != held_version {
                // Of another version, or another part: what is held is no beginning of it.
                sink.begin(&Version::default()).map_err(Failure::last)?;
                return Err(Failure::passing(io::Error::other("the object changed while it was downloaded")));
            }
            (held, Some(total))
        }
        StatusCode::RANGE_NOT_SATISFIABLE if held > 0 => {
            sink.begin(&Version::default()).map_err(Failure::last)?;
            return Err(Failure::passing(io::Error::other("the object changed while it was downloaded")));
        }
        status if status.is_redirection() => {
            let next = header(&response, "location");
            return next
                .map(|next| Step::Elsewhere(next.to_owned()))
                .ok_or_else(|| Failure::refused(&response));
        }
        _ => return Err(Failure::refused(&response)),
    };
    answer::check_encoding(&response)?;
    let too_much = || Failure::told(format!("more than {limit} bytes"));
    if total.is_some_and(|total| total > limit) {
        return Err(too_much());
    }
    let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::io(error)),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        counter.transferred(num::to_u64(count));
        at = u64::saturating_add(at, num::to_u64(count));
        if at > limit {
            return Err(too_much());
        }
        sink.put(bytes).map_err(Failure::last)?;
    }
    match total.filter(|total| *total != at) {
        Some(total) => Err(Failure::passing(io::Error::other(format!("given {at} of {total} bytes")))),
        None => Ok(Step::Done(Outcome::Whole)),
    }
}

/// Where a server says that an object is. One that is asked safely is not asked otherwise.
fn elsewhere(from: &Target, location: &str) -> io::Result<Target> {
    let wrong = || io::Error::other("the server redirects to what cannot be asked for");
    let base: Uri = from.url.parse().map_err(|_| wrong())?;
    let scheme = location.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let next = if let Some(scheme) = scheme {
        if scheme != "http" && scheme != "https" {
            return Err(wrong());
        }
        Target::parse(location)?
    } else if let Some(rest) = location.strip_prefix("//") {
        Target::parse(&format!("{}://{rest}", base.scheme_str().unwrap_or("https")))?
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path =
            if location.starts_with('/') { location.to_owned() } else { format!("{folder}/{location}") };
        let mut next = Target::parse(&format!("{}{path}", from.origin))?;
        next.authorization = from.authorization.clone();
        next
    };
    if from.is_tls && !next.is_tls {
        return Err(io::Error::other("the server redirects from https to http"));
    }
    Ok(next)
}
