//! A URL taken apart: what is asked for, of whom, and who asks.

use std::{io, net::Ipv6Addr};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::bytes::unescaped;

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The URL without user, password and fragment; what follows `?` is still in it, and still secret.
    pub(super) url: String,
    /// Scheme and authority, as the request to a proxy has them before the path.
    pub(super) origin: String,
    pub(super) is_tls: bool,
    /// A name or address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// The header that tells user and password (RFC 7617), if the URL has them.
    pub(super) authorization: Option<String>,
}

/// A host with what may stand around it: `user:password@host:port`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// User and password without their escapes.
    pub(super) user: Option<(Vec<u8>, Vec<u8>)>,
    /// As it is spelled, with the brackets of IPv6.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl Target {
    /// Takes a URL apart; the error does not show it.
    pub(super) fn parse(url: &str) -> io::Result<Self> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "not a URL that can be asked for");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let is_tls = scheme.eq_ignore_ascii_case("https");
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) =
            rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).ok_or_else(wrong)?;
        let authority = Authority::parse(authority).ok_or_else(wrong)?;
        let port = authority.port.unwrap_or(if is_tls { 443 } else { 80 });
        let scheme = if is_tls { "https" } else { "http" };
        let origin = match authority.port {
            Some(port) => format!("{scheme}://{}:{port}", authority.host),
            None => format!("{scheme}://{}", authority.host),
        };
        // A request has a path, whatever the URL has.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let url = format!("{origin}{path}");
        let host = authority.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authorization = authority.user.as_ref().map(basic);
        Ok(Self { url, origin, is_tls, host, port, authorization })
    }

    /// The URL of a document about the object: more in the query.
    pub(super) fn with_query(&self, query: &str) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.url)
    }
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        let (host, port) = match host.strip_prefix('[') {
            Some(inner) => {
                let (address, port) = inner.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (
                    host.get(..address.len().checked_add(2)?)?,
                    port.strip_prefix(':').or(port.is_empty().then_some(""))?,
                )
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%[]:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return None;
        }
        let port = match port {
            "" => None,
            digits => Some(digits.parse().ok().filter(|port| *port != 0)?),
        };
        let user = user.map(|user| user.split_once(':').unwrap_or((user, "")));
        Some(Self {
            user: user.map(|(user, password)| (unescaped(user, "%"), unescaped(password, "%"))),
            host,
            port,
        })
    }
}

/// The header that tells a user and a password (RFC 7617).
pub(super) fn basic((user, password): &(Vec<u8>, Vec<u8>)) -> String {
    format!("Basic {}", BASE64_STANDARD.encode([user.as_slice(), b":", password].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parts = |url| {
            let target = Target::parse(url).unwrap();
            (target.url, target.host, target.port)
        };
        let expected = |url: &str, host: &str, port| (url.to_owned(), host.to_owned(), port);
        assert_eq!(parts("HTTP://host"), expected("http://host/", "host", 80));
        assert_eq!(
            parts("https://u:p@h.x:8443/a?b=c@d#e"),
            expected("https://h.x:8443/a?b=c@d", "h.x", 8443)
        );
        assert_eq!(parts("http://[::1]:81/disk@2"), expected("http://[::1]:81/disk@2", "::1", 81));
        assert_eq!(parts("https://[fe80::1]?sig=x"), expected("https://[fe80::1]/?sig=x", "fe80::1", 443));
        for wrong in [
            "http://",
            "http:///a",
            "http://h:0/",
            "http://h:65536/",
            "http://h:x/",
            "http://[::1/",
            "http://[::1]x/",
            "http://[no]/",
            "http://a b/",
            "http://user:s3/cr3t@host/x",
        ] {
            let error = Target::parse(wrong).unwrap_err();
            assert_eq!(error.to_string(), "not a URL that can be asked for", "{wrong}");
        }
        let target = Target::parse("http://h/a?b").unwrap();
        assert_eq!(
            (target.origin.as_str(), target.with_query("c=d").as_str()),
            ("http://h", "http://h/a?b&c=d")
        );
    }

    #[test]
    fn user_and_password_are_told_as_rfc_7617_says() {
        let header = |url| Target::parse(url).unwrap().authorization;
        assert_eq!(header("http://Aladdin:open%20sesame@h/").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(
            header("http://a%zz:b@c@h/").unwrap(),
            format!("Basic {}", BASE64_STANDARD.encode("a%zz:b@c"))
        );
        assert_eq!(header("http://a@h/").unwrap(), format!("Basic {}", BASE64_STANDARD.encode("a:")));
        assert_eq!(header("http://h/a@b"), None);
    }
}
