//! Numbers of any length, compared as text.

use std::cmp::Ordering;

/// How two strings of ASCII digits stand to each other as numbers; an empty one is 0.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// ASCII digits that compare as the number they spell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a>(pub(super) &'a str);

impl<'a> Number<'a> {
    /// The number, if the text is one.
    pub(super) fn checked(self) -> Option<Self> {
        (!self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_digit())).then_some(self)
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

/// The leading ASCII digits of a text, and what follows them.
pub(super) fn take(text: &str) -> (&str, &str) {
    take_while(text, |byte| byte.is_ascii_digit())
}

/// The leading ASCII characters of a text for which `is` holds, and what follows them.
pub(super) fn take_while(text: &str, is: impl Fn(u8) -> bool) -> (&str, &str) {
    let length = text.bytes().take_while(|byte| byte.is_ascii() && is(*byte)).count();
    text.split_at_checked(length).unwrap_or((text, ""))
}

by_order!(Number<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_do_not_count_and_length_does() {
        assert_eq!(compare("007", "7"), Ordering::Equal);
        assert_eq!(compare("", "0"), Ordering::Equal);
        assert_eq!(compare("99999999999999999999999", "100000000000000000000000"), Ordering::Less);
        assert_eq!(take("12ä"), ("12", "ä"));
    }
}
