//! Debian's order (deb-version(7), Debian Policy 5.6.12): `[epoch:]upstream[-revision]`.

use std::cmp::Ordering;

use super::digits;

/// A Debian version in its three parts.
#[derive(Debug)]
pub(super) struct Version<'a> {
    epoch: u32,
    upstream: Part<'a>,
    revision: Part<'a>,
}

/// Upstream version or revision: alternating runs of other characters and digits.
#[derive(Debug)]
struct Part<'a>(&'a str);

impl<'a> Version<'a> {
    /// The parts, or `None` for what dpkg refuses: nothing at all, white space inside, an epoch that is no
    /// number, or nothing after the epoch.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                let epoch = epoch.bytes().all(|byte| byte.is_ascii_digit()).then_some(epoch)?;
                (epoch.parse().ok().filter(|epoch| i32::try_from(*epoch).is_ok())?, rest)
            }
            None => (0, text),
        };
        if rest.is_empty() || rest.contains(char::is_whitespace) {
            return None;
        }
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Some(Self { epoch, upstream: Part(upstream), revision: Part(revision) })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| self.upstream.cmp(&other.upstream))
            .then_with(|| self.revision.cmp(&other.revision))
    }
}

impl Ord for Part<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.0, other.0);
        while !(a.is_empty() && b.is_empty()) {
            let (words, numbers);
            (words, a, b) = compare_words(a, b);
            (numbers, a, b) = compare_numbers(a, b);
            let order = words.then(numbers);
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

type Step<'a> = (Ordering, &'a str, &'a str);

fn compare_numbers<'a>(a: &'a str, b: &'a str) -> Step<'a> {
    let ((a, rest_a), (b, rest_b)) = (digits::take(a), digits::take(b));
    (digits::compare(a, b), rest_a, rest_b)
}

fn compare_words<'a>(a: &'a str, b: &'a str) -> Step<'a> {
    let ((a, rest_a), (b, rest_b)) = (word(a), word(b));
    (weights(a).cmp(weights(b)), rest_a, rest_b)
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `~` before the end of the word, which is 0 here, before letters, before everything else.
fn weights(word: &str) -> impl Iterator<Item = i32> {
    let weight = |byte: u8| match byte {
        b'~' => -1,
        letter if letter.is_ascii_alphabetic() => i32::from(letter),
        other => i32::from(other).saturating_add(256),
    };
    word.bytes().map(weight).chain([0])
}

by_order!(Version<'_>, Part<'_>);

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn tildes_epochs_revisions_and_zeros() {
        for (a, order, b) in [
            ("1.0~rc1-1", Less, "1.0-1"),
            ("1.0~~", Less, "1.0~"),
            ("1:0.1", Greater, "9.9"),
            ("1.0000-1", Equal, "1.0-1"),
            ("0", Equal, "0-0"),
            ("1.0+b1", Greater, "1.0"),
            ("1.0a", Less, "1.0+"),
            ("2.2-rc-4", Greater, "2.2-1"),
            ("1.2.3-1+deb12u1", Greater, "1.2.3-1"),
        ] {
            assert_eq!(Version::parse(a).unwrap().cmp(&Version::parse(b).unwrap()), order, "{a} {b}");
        }
    }

    #[test]
    fn what_dpkg_refuses() {
        for text in ["", "1:", "a:1", ":1", "1 2", "9999999999:1", "-1:1"] {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
    }
}
