//! Which proxy a URL is asked through: what the environment says, read as curl reads it (curl(1), "ENVIRONMENT").
//!
//! The variable of the scheme, then that of all; small letters before capitals; an empty one says nothing. Without a scheme
//! a proxy speaks HTTP, without a port it listens at curl's 1080, or 443 with TLS. Capital `HTTP_PROXY`, which curl does
//! not read, is read where it cannot be a header of a request (a CGI program has `REQUEST_METHOD`). A value that cannot be
//! used is an error: to ask without the proxy could tell the secrets of the URL to whom they were not meant for.

use std::{ffi::OsString, io};

use super::{
    no_proxy,
    target::{Authority, Target},
};

/// A proxy that requests go through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Whether it is spoken to in TLS.
    pub(super) is_tls: bool,
    /// With the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// Who it is told asks: user and password.
    pub(super) user: Option<(Vec<u8>, Vec<u8>)>,
}

impl Proxy {
    /// The proxy for a target by variables of the environment; an error names the variable and not its value.
    pub(super) fn of(
        target: &Target,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> io::Result<Option<Self>> {
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, value(name)?)));
        let found = match (target.is_tls, variable("REQUEST_METHOD")) {
            (true, _) => first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            (false, None) => first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            (false, Some(_)) => first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
        };
        let Some((name, value)) = found else { return Ok(None) };
        if let Some((_, list)) = first(&["no_proxy", "NO_PROXY"])
            && no_proxy::has(&list.to_string_lossy(), &target.host, target.port)
        {
            return Ok(None);
        }
        let parsed = value.to_str().ok_or("is not text").and_then(Self::parse);
        let wrong =
            |problem| io::Error::new(io::ErrorKind::InvalidInput, format!("the proxy in {name} {problem}"));
        parsed.map(Some).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            scheme if scheme.starts_with("socks") => return Err("speaks SOCKS, which is not supported"),
            _ => return Err("is of a scheme other than http and https"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = Authority::parse(authority).ok_or("is not a URL of a host")?;
        let port = authority.port.unwrap_or(if is_tls { 443 } else { 1080 });
        Ok(Self { is_tls, host: authority.host.to_owned(), port, user: authority.user })
    }

    /// The proxy as messages show it.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, variables: &[(&str, &str)]) -> io::Result<Option<String>> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        let proxy = Proxy::of(&Target::parse(url).unwrap(), find)?;
        Ok(proxy.map(|proxy| format!("{}{}", if proxy.is_tls { "tls " } else { "" }, proxy.shown())))
    }

    #[test]
    fn the_variable_of_the_scheme_comes_before_that_of_all_and_small_letters_before_capitals() {
        let all = [
            ("http_proxy", "a:1"),
            ("HTTP_PROXY", "b:2"),
            ("https_proxy", "c:3"),
            ("HTTPS_PROXY", "d:4"),
            ("all_proxy", "e:5"),
            ("ALL_PROXY", "f:6"),
        ];
        for (from, http, https) in [
            (0, "a:1", "c:3"),
            (1, "b:2", "c:3"),
            (2, "e:5", "c:3"),
            (3, "e:5", "d:4"),
            (4, "e:5", "e:5"),
            (5, "f:6", "f:6"),
        ] {
            assert_eq!(of("http://h/", &all[from..]).unwrap().unwrap(), http, "{from}");
            assert_eq!(of("https://h/", &all[from..]).unwrap().unwrap(), https, "{from}");
        }
        assert_eq!(of("http://h/", &[("https_proxy", "a"), ("http_proxy", "")]).unwrap(), None);
        assert_eq!(of("http://h/", &[("http_proxy", ""), ("ALL_PROXY", "a:1")]).unwrap().unwrap(), "a:1");
        let cgi = [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(of("http://h/", &cgi).unwrap(), None);
    }

    #[test]
    fn values_are_urls_or_hosts() {
        for (value, expected) in [
            ("proxy", "proxy:1080"),
            ("http://proxy:3128/", "proxy:3128"),
            ("HTTPS://proxy", "tls proxy:443"),
            ("user:p%40ss@proxy:8080", "proxy:8080"),
            ("http://user:p@ss@[::1]:8080/x", "[::1]:8080"),
        ] {
            assert_eq!(of("http://h/", &[("http_proxy", value)]).unwrap().unwrap(), expected, "{value}");
        }
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@proxy").unwrap();
        assert_eq!(proxy.user.unwrap(), (b"Aladdin".to_vec(), b"open sesame".to_vec()));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_an_error_that_does_not_show_it() {
        for (value, problem) in [
            ("socks5h://user:s3cr3t@proxy:1080", "SOCKS"),
            ("ftp://user:s3cr3t@proxy", "scheme"),
            ("http://user:s3cr3t@", "not a URL"),
            ("http://user:s3cr3t@proxy:99999", "not a URL"),
            ("http://user:s3/cr3t@proxy:99", "not a URL"),
        ] {
            let error = of("http://h/", &[("http_proxy", value)]).unwrap_err().to_string();
            assert!(
                error.contains("http_proxy") && error.contains(problem) && !error.contains("s3"),
                "{error}"
            );
            // What is not used need not be usable.
            assert_eq!(of("http://h/", &[("http_proxy", value), ("NO_PROXY", "h")]).unwrap(), None);
        }
    }
}
