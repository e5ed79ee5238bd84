//! What a purl says (ECMA-427, "Package-URL specification"), without its escapes.

use std::collections::BTreeMap;

use crate::bytes::unescaped;

/// A purl in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purl {
    /// The type, in lower case.
    pub(crate) kind: String,
    /// The parts of the namespace, then the name: at least that.
    pub(crate) segments: Vec<String>,
    /// The version, if there is one.
    pub(crate) version: Option<String>,
    /// The qualifiers, their keys in lower case.
    pub(crate) qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// The parts, or `None` for what is no purl. A subpath is passed over.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split('#').next()?;
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = rest.split_once('/')?;
        let (path, version) = match path.rsplit_once('@') {
            Some((path, _)) if path.ends_with('/') => return None,
            // The mark may be that of a scope, which should be escaped.
            Some((path, version)) if !version.contains('/') => (path, version),
            _ => (path, ""),
        };
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
        let pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        (is_type(kind) && !segments.is_empty()).then(|| Self {
            kind: kind.to_ascii_lowercase(),
            segments,
            version: Some(version).filter(|version| !version.is_empty()).map(decoded),
            qualifiers: pairs.map(|(key, value)| (key.to_ascii_lowercase(), decoded(value))).collect(),
        })
    }
}

/// Whether a word may be a type.
fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'))
}

/// Percent-decoding; what is no text then stays as it is.
fn decoded(text: &str) -> String {
    String::from_utf8(unescaped(text, "%")).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_what_has_none() {
        let purl = Purl::parse("pkg:NPM/%40babel/core@7.0.0+a?Arch=x%20y#sub").unwrap();
        assert_eq!((purl.kind.as_str(), purl.segments.join("/").as_str()), ("npm", "@babel/core"));
        assert_eq!((purl.version.as_deref(), purl.qualifiers["arch"].as_str()), (Some("7.0.0+a"), "x y"));
        assert_eq!(Purl::parse("pkg:npm/%ff%").unwrap().segments, ["%ff%"]);
        assert_eq!(Purl::parse("pkg:npm/a@").unwrap().version, None);
        for text in
            ["", "npm/a", "pkg:npm", "pkg:npm/", "pkg:npm/@1", "pkg:maven/a/@1", "pkg:1/a", "pkg:a:b/c"]
        {
            assert_eq!(Purl::parse(text), None, "{text}");
        }
    }
}
