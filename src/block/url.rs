//! Places of inputs: host paths and URLs, and how they are shown without their secrets.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::place::unescaped;

/// The URL that a place is, if it is not a path of the host.
pub fn url(place: &Path) -> Option<&str> {
    place.to_str().filter(|text| scheme(text).is_some())
}

/// The length of `https://`.
fn scheme(text: &str) -> Option<usize> {
    let is = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["https://", "http://"].iter().find(|scheme| is(scheme)).map(|scheme| scheme.len())
}

/// A place as messages and reports show it: a URL without user, password, query and fragment, where signatures are.
pub fn shown(place: &Path) -> String {
    match url(place) {
        Some(url) => shown_url(url),
        None => place.display().to_string(),
    }
}

/// A word of a command line, with the URL that it may have in it as [`shown`] shows it.
pub fn shown_word(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let start = ["https://", "http://"].iter().filter_map(|scheme| lower.find(scheme)).min();
    match start.and_then(|at| word.split_at_checked(at)) {
        Some((before, url)) => format!("{before}{}", shown_url(url)),
        None => word.to_owned(),
    }
}

fn shown_url(url: &str) -> String {
    let (scheme, whole) = url.split_at_checked(scheme(url).unwrap_or(0)).unwrap_or(("", url));
    // A password with a `/`, `?` or `#` in it is not escaped as it should be, and a secret all the same.
    let authority = whole.split(['/', '?', '#']).next().unwrap_or_default();
    let port =
        authority.rsplit(']').next().and_then(|host| host.split_once(':')).map_or("", |(_, port)| port);
    let rest = match whole.rsplit_once('@') {
        Some((_, rest)) if port.bytes().any(|byte| !byte.is_ascii_digit()) => rest,
        _ => whole,
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

/// The last part of a place: what a file there is called, as the images that refer to it spell it.
pub fn file_name(place: &Path) -> Option<OsString> {
    match url(place) {
        Some(_) => shown(place).rsplit('/').next().filter(|name| !name.is_empty()).map(unescaped),
        None => place.file_name().map(OsStr::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_not_shown() {
        let place = Path::new("https://me:secret@host.example:8443/disks/node.vhd?sv=1&sig=SECRET#x");
        assert_eq!(shown(place), "https://host.example:8443/disks/node.vhd");
        assert_eq!(file_name(place).unwrap(), "node.vhd");
        for (url, expected) in [
            ("http://user:s3/cr3t@host/x", "http://host/x"),
            ("http://user:s3?cr3t@host:80/x?sig=1", "http://host:80/x"),
            ("http://user:s3#cr@3t@host", "http://host"),
            ("http://[::1]:80/disk@2.vhd", "http://[::1]:80/disk@2.vhd"),
            ("https://host/disk@2.vhd?sig=a@b", "https://host/disk@2.vhd"),
        ] {
            assert_eq!(shown(Path::new(url)), expected);
        }
        assert_eq!(shown_word("--backing=HTTP://a:b@c/d?e"), "--backing=HTTP://c/d");
        assert_eq!(shown_word("https://h?sig=SECRET"), "https://h");
        assert_eq!(
            (shown_word("scan"), shown(Path::new("/a/b?c"))),
            ("scan".to_owned(), "/a/b?c".to_owned())
        );
        assert_eq!(file_name(Path::new("/a/b?c")).unwrap(), "b?c");
        assert_eq!(file_name(Path::new("http://h/my%20disk-flat.vmdk?x=%20")).unwrap(), "my disk-flat.vmdk");
        assert!(url(Path::new("httpx://a")).is_none() && url(Path::new("/http://a")).is_none());
    }
}
