//! A boot loader's entries of type 1 (The Boot Loader Specification): files `NAME.conf` of keys and values, and their order.

use std::cmp::Ordering;

use crate::{
    block,
    error::{FormatError, note},
    fs::Root,
    limits,
};

const END: &[u8] = b".conf";

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The file's name without `.conf`.
    pub(super) name: String,
    text: String,
}

impl Entry {
    /// What the first line with a key says.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let lines = self.text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
        lines.filter(|(one, _)| *one == key).map(|(_, value)| value.trim()).next()
    }

    /// The name without the tries that are left and that were made (`+LEFT-DONE`), and whether none is left.
    pub(super) fn id(&self) -> (&str, bool) {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let Some((id, tries)) = self.name.rsplit_once('+') else { return (&self.name, false) };
        let (left, done) = tries.split_once('-').map_or((tries, None), |(left, done)| (left, Some(done)));
        let is_counted = digits(left) && done.is_none_or(digits);
        if is_counted { (id, left.bytes().all(|byte| byte == b'0')) } else { (&self.name, false) }
    }

    /// The order in which a boot loader lists entries ("Sorting"): the first one is booted if nothing else is said.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let ((a, a_failed), (b, b_failed)) = (self.id(), other.id());
        let by_key = || match (self.value("sort-key"), other.value("sort-key")) {
            (Some(a), Some(b)) => a
                .cmp(b)
                .then_with(|| self.value("machine-id").cmp(&other.value("machine-id")))
                .then_with(|| versions(other.value("version"), self.value("version"))),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        a_failed.cmp(&b_failed).then_with(by_key).then_with(|| compare(b, a))
    }
}

/// The entries in a directory, by name. One that cannot be read is noted; another may be the one that is booted.
pub(super) fn read(root: &Root, dir: &str, notes: &mut Vec<FormatError>) -> Result<Vec<Entry>, FormatError> {
    let Some((found, listing)) = root.list(dir.as_bytes())? else { return Ok(Vec::new()) };
    listing.damage.into_iter().for_each(|error| note(notes, error));
    let mut names: Vec<Vec<u8>> = listing.entries.into_iter().map(|entry| entry.name).collect();
    names.retain(|name| name.ends_with(END));
    names.sort();
    if names.len() > limits::BOOT_ENTRIES {
        return Err(FormatError::limit(format!("more than {} boot loader entries", limits::BOOT_ENTRIES)));
    }
    let below = Root::below(&found);
    let mut entries = Vec::new();
    for file in names {
        let text = below.find(&file).and_then(|file| {
            let Some(file) = file else { return Ok(None) };
            block::read_all(&file.open()?, "boot loader entry", limits::BOOT_ENTRY_BYTES).map(Some)
        });
        let name = file.strip_suffix(END).unwrap_or(&file);
        match text {
            Ok(text) => entries.extend(text.map(|text| Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                text: String::from_utf8_lossy(&text).into_owned(),
            })),
            Err(error) => note(notes, error),
        }
    }
    Ok(entries)
}

fn versions(a: Option<&str>, b: Option<&str>) -> Ordering {
    compare(a.unwrap_or_default(), b.unwrap_or_default())
}

/// The order of versions (Version Format Specification).
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b))
}

/// One piece of a version, in the order in which pieces of different kinds stand.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Tilde,
    End,
    Minus,
    Caret,
    Dot,
    Letters(&'a str),
    /// How many digits there are, and which.
    Digits(usize, &'a str),
}

/// The pieces from front to back, the end included.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && !"~-^.".contains(c));
        let Some(first) = text.bytes().next() else {
            rest = None;
            return Some(Part::End);
        };
        let is_same = |byte: u8| match first {
            b'0'..=b'9' => byte.is_ascii_digit(),
            _ => byte.is_ascii_alphabetic(),
        };
        let length = match first {
            b'~' | b'-' | b'^' | b'.' => 1,
            _ => text.bytes().take_while(|byte| is_same(*byte)).count(),
        };
        let (part, behind) = text.split_at_checked(length)?;
        rest = Some(behind);
        Some(match first {
            b'~' => Part::Tilde,
            b'-' => Part::Minus,
            b'^' => Part::Caret,
            b'.' => Part::Dot,
            b'0'..=b'9' => {
                let digits = part.trim_start_matches('0');
                Part::Digits(digits.len(), digits)
            }
            _ => Part::Letters(part),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, text: &str) -> Entry {
        Entry { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn versions_are_ordered_as_the_specification_has_them() {
        let ascending = [
            "~1",
            "",
            "122.1",
            "123~rc1-1",
            "123",
            "123-a",
            "123-a.1",
            "123-1",
            "123-1.1",
            "123^post1",
            "123.a-1",
            "123.1-1",
            "123a-1",
            "124-1",
        ];
        for (n, low) in ascending.iter().enumerate() {
            for high in &ascending[n + 1..] {
                assert_eq!(compare(low, high), Ordering::Less, "{low} {high}");
            }
        }
        assert_eq!(compare("01_2", "1.2"), Ordering::Greater);
        assert_eq!(compare("007", "7"), Ordering::Equal);
    }

    #[test]
    fn the_entry_to_boot_is_first() {
        let mut all = [
            entry("m-0-rescue", "linux /vmlinuz-0-rescue"),
            entry("m-5.14.0-70.el9.x86_64", "linux /a"),
            entry("m-5.14.0-427.el9.x86_64", "linux /b"),
            entry("z+0-3", "sort-key a\nversion 9"),
            entry("y+2", "sort-key debian\nversion 6.1"),
            entry("x", "sort-key debian\nversion 6.10"),
        ];
        all.sort_by(Entry::order);
        let names: Vec<&str> = all.iter().map(|entry| entry.id().0).collect();
        let plain = ["m-5.14.0-427.el9.x86_64", "m-5.14.0-70.el9.x86_64", "m-0-rescue"];
        assert_eq!(names, [&["x", "y"][..], &plain, &["z"]].concat());
        assert_eq!(entry("a", " title  My Linux \nlinux\t/x").value("title"), Some("My Linux"));
    }

    proptest::proptest! {
        #[test]
        fn orders_are_antisymmetric(a in "[0-9a~^.-]{0,8}", b in "[0-9a~^.-]{0,8}") {
            proptest::prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
