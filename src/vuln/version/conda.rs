//! Conda's order (`VersionOrder`): `[epoch!]version[+local]`; parts between dots are runs of numbers and words.

use std::cmp::Ordering;

use super::digits::{self, Number};

/// The runs of each part.
#[derive(Debug)]
pub(super) struct Version<'a> {
    epoch: Number<'a>,
    version: Vec<Vec<Run<'a>>>,
    local: Vec<Vec<Run<'a>>>,
}

/// In order: `dev`, then `_`, then other words, numbers, `post`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Dev,
    Word(String),
    Number(Number<'a>),
    Post,
}

const ZERO: Run<'static> = Run::Number(Number("0"));

impl<'a> Version<'a> {
    /// The parts, or `None` for what conda refuses.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"*.+!_-".contains(&byte);
        if text.is_empty() || !text.bytes().all(allowed) || text.contains('-') && text.contains('_') {
            return None;
        }
        let (epoch, text) = text.split_once('!').unwrap_or(("0", text));
        let (version, local) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
        Some(Self {
            epoch: Number(epoch).checked()?,
            version: parts(version)?,
            local: local.map_or(Some(Vec::new()), parts)?,
        })
    }
}

fn parts(text: &str) -> Option<Vec<Vec<Run<'_>>>> {
    // OpenSSL's versions once ended with an underscore, which is a word of its own there.
    let body = text.strip_suffix(['_', '-']).filter(|body| !body.is_empty());
    let mut parts: Vec<_> = body.unwrap_or(text).split(['.', '_', '-']).map(runs).collect::<Option<_>>()?;
    if body.is_some()
        && let Some(last) = parts.last_mut()
    {
        last.push(Run::Word("_".to_owned()));
    }
    Some(parts)
}

/// A part that begins with a word has a zero before it.
fn runs(part: &str) -> Option<Vec<Run<'_>>> {
    let mut runs = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let (number, tail) = digits::take(rest);
        if !number.is_empty() {
            runs.push(Run::Number(Number(number)));
            rest = tail;
            continue;
        }
        let star = rest.starts_with('*');
        let (word, tail) = digits::take_while(rest, |byte| !byte.is_ascii_digit() && (byte == b'*') == star);
        if word.is_empty() {
            return None;
        }
        if runs.is_empty() {
            runs.push(ZERO);
        }
        runs.push(match word.to_ascii_lowercase().as_str() {
            "dev" => Run::Dev,
            "post" => Run::Post,
            word => Run::Word(word.to_owned()),
        });
        rest = tail;
    }
    (!runs.is_empty()).then_some(runs)
}

fn compare(a: &[Vec<Run<'_>>], b: &[Vec<Run<'_>>]) -> Ordering {
    let mut orders = (0..a.len().max(b.len()))
        .map(|at| compare_part(a.get(at).map_or(&[], Vec::as_slice), b.get(at).map_or(&[], Vec::as_slice)));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_part(a: &[Run<'_>], b: &[Run<'_>]) -> Ordering {
    let mut orders =
        (0..a.len().max(b.len())).map(|at| a.get(at).unwrap_or(&ZERO).cmp(b.get(at).unwrap_or(&ZERO)));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let epochs = self.epoch.cmp(&other.epoch);
        epochs
            .then_with(|| compare(&self.version, &other.version))
            .then_with(|| compare(&self.local, &other.local))
    }
}

by_order!(Version<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in conda's own description of its order.
    #[test]
    fn condas_own_list() {
        let texts = [
            "0.4",
            "0.4.1.rc",
            "0.4.1",
            "0.5a1",
            "0.5b3",
            "0.5C1",
            "0.5",
            "0.9.6",
            "0.960923",
            "1.0",
            "1.1dev1",
            "1.1_",
            "1.1a1",
            "1.1.dev1",
            "1.1.a1",
            "1.1.0rc1",
            "1.1.0",
            "1.1.0post1",
            "1.1post1",
            "1996.07.12",
            "1!0.4.1",
            "1!3.1.1.6",
            "2!0.4.1",
        ];
        let versions: Vec<_> = texts.iter().map(|text| Version::parse(text).unwrap()).collect();
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        for (a, b) in
            [("0.4", "0.4.0"), ("0.4.1.rc", "0.4.1.RC"), ("1.1.0", "1.1"), ("1.1.0dev1", "1.1.dev1")]
        {
            assert_eq!(Version::parse(a), Version::parse(b), "{a} {b}");
        }
        for text in ["", "1..2", "a!1", "1-2_3", "1 2"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
