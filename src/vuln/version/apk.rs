//! Alpine's order (apk-package(5), "package version"):
//! `digits(.digits)*[letter](_suffix[number])*[~hash][-rnumber]`.
//!
//! apk compares strings that break the grammar too, as far as they keep to it; so does this: the rest of a
//! string that cannot be read sorts before everything that could have stood there, as in libsolv.

use super::digits::{self, Number};

/// A version as the tokens that apk reads it into.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a>(Vec<Token<'a>>);

impl<'a> Version<'a> {
    /// The tokens; only an empty string has none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(tokens(text)))
    }
}

/// Kinds in the order in which they stand where two versions part: what is invalid and a pre-release suffix
/// come before the end of the version, everything else after it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    Invalid,
    PreSuffix(Early),
    End,
    Revision(Number<'a>),
    Hash(&'a str),
    SuffixNumber(Number<'a>),
    PostSuffix(Late),
    Letter(u8),
    Component(Component<'a>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Early {
    Alpha,
    Beta,
    Pre,
    Rc,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Late {
    Cvs,
    Svn,
    Git,
    Hg,
    P,
}

/// A number between dots. One that begins with 0 is read like the digits after a decimal point.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Component<'a> {
    Fraction(&'a str),
    Whole(Number<'a>),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let (first, mut rest) = digits::take(text);
    let mut tokens = vec![Token::Component(Component::Whole(Number(first)))];
    while let Some((token, tail)) = next(tokens.last(), rest) {
        let last = matches!(token, Token::Invalid);
        tokens.push(token);
        rest = tail;
        if last {
            return tokens;
        }
    }
    tokens.push(Token::End);
    tokens
}

/// The token that `text` begins with, given the one before it; `None` at the end.
fn next<'a>(before: Option<&Token<'_>>, text: &'a str) -> Option<(Token<'a>, &'a str)> {
    let first = text.bytes().next()?;
    let tail = text.get(1..).unwrap_or("");
    Some(match (first, before) {
        (b'.', Some(Token::Component(_))) => component(tail),
        (b'a'..=b'z', Some(Token::Component(_))) => (Token::Letter(first), tail),
        (b'0'..=b'9', Some(Token::Letter(_))) => {
            let (number, tail) = digits::take(text);
            (Token::Component(Component::Whole(Number(number))), tail)
        }
        (b'0'..=b'9', Some(Token::PreSuffix(_) | Token::PostSuffix(_))) => {
            let (number, tail) = digits::take(text);
            (Token::SuffixNumber(Number(number)), tail)
        }
        (b'_', Some(Token::Hash(_) | Token::Revision(_))) => (Token::Invalid, ""),
        (b'_', _) => suffix(tail),
        (b'~', Some(Token::Hash(_) | Token::Revision(_))) => (Token::Invalid, ""),
        (b'~', _) => {
            let (hash, tail) = digits::take_while(tail, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            (Token::Hash(hash), tail)
        }
        (b'-', Some(Token::Revision(_))) => (Token::Invalid, ""),
        (b'-', _) => match tail.strip_prefix('r') {
            Some(tail) if tail.starts_with(|c: char| c.is_ascii_digit()) => {
                let (number, tail) = digits::take(tail);
                (Token::Revision(Number(number)), tail)
            }
            _ => (Token::Invalid, ""),
        },
        _ => (Token::Invalid, ""),
    })
}

fn component(text: &str) -> (Token<'_>, &str) {
    let (number, tail) = digits::take(text);
    match number.bytes().next() {
        Some(b'0') => (Token::Component(Component::Fraction(number)), tail),
        Some(_) => (Token::Component(Component::Whole(Number(number))), tail),
        None => (Token::Invalid, ""),
    }
}

fn suffix(text: &str) -> (Token<'_>, &str) {
    let (word, tail) = digits::take_while(text, |byte| byte.is_ascii_lowercase());
    let token = match word {
        "alpha" => Token::PreSuffix(Early::Alpha),
        "beta" => Token::PreSuffix(Early::Beta),
        "pre" => Token::PreSuffix(Early::Pre),
        "rc" => Token::PreSuffix(Early::Rc),
        "cvs" => Token::PostSuffix(Late::Cvs),
        "svn" => Token::PostSuffix(Late::Svn),
        "git" => Token::PostSuffix(Late::Git),
        "hg" => Token::PostSuffix(Late::Hg),
        "p" => Token::PostSuffix(Late::P),
        _ => Token::Invalid,
    };
    (token, tail)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn suffixes_letters_fractions_and_revisions() {
        for (a, order, b) in [
            ("1.0_alpha1", Less, "1.0_beta"),
            ("1.0_rc1-r0", Less, "1.0-r0"),
            ("1.0_p1", Greater, "1.0-r5"),
            ("1.0.1", Less, "1.01"),
            ("1.2b", Greater, "1.2"),
            ("1.2b-r1", Less, "1.2.1"),
            ("6.6.2p1-r0", Less, "6.6.2p2-r0"),
            ("1.2.3-r2", Less, "1.2.3-r10"),
            ("1.0_git20200101~ab12-r0", Greater, "1.0_git20200101-r0"),
            ("01.2", Equal, "1.2"),
        ] {
            assert_eq!(Version::parse(a).unwrap().cmp(&Version::parse(b).unwrap()), order, "{a} {b}");
        }
    }
}
