//! Licences as packages declare them, and as SPDX writes them (SPDX 2.3, annex D "SPDX license expressions").

use std::{collections::HashMap, sync::LazyLock};

use spdx::{Expression, ParseMode};

use super::Package;
use crate::inventory::PackageKind;

/// The names that ecosystems have for licences whose meaning is certain: types of packages (`*` for all), name, expression.
/// What may be one of several (`BSD`, Fedora's `LGPLv2+`) is not among them.
const NAMES: &str = include_str!("licenses.tsv");

/// What a declared licence is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum License<'a> {
    /// One licence of SPDX's list.
    Id(&'a str),
    /// An expression of such.
    Expression(&'a str),
    /// Words that SPDX has no expression for.
    Words(&'a str),
}

impl<'a> License<'a> {
    /// The licence that a package declares.
    pub(super) fn of(package: &'a Package) -> Option<Self> {
        let text = package.license_expression.as_deref().or(package.license.as_deref())?;
        let Some(expression) = parse(text) else { return Some(Self::Words(text)) };
        let mut terms = expression.requirements();
        Some(match (terms.next(), terms.next()) {
            (Some(only), None) if only.req.license.id().is_some_and(|id| id.name == text) => Self::Id(text),
            _ => Self::Expression(text),
        })
    }

    /// The expression, if it is one.
    pub(super) fn expression(self) -> Option<&'a str> {
        match self {
            Self::Id(text) | Self::Expression(text) => Some(text),
            Self::Words(_) => None,
        }
    }
}

/// The expression that declared words stand for. `None` if they are one themselves, or mean nothing certain.
pub(crate) fn expression(kind: PackageKind, declared: &str) -> Option<String> {
    if parse(declared).is_some() {
        return None;
    }
    known(kind, declared).map(str::to_owned).or_else(|| compound(kind, declared))
}

fn parse(text: &str) -> Option<Expression> {
    // Of old ids, the meaning is plain: `GPL-2.0`.
    let mode =
        ParseMode { allow_deprecated: true, allow_imprecise_license_names: false, ..ParseMode::STRICT };
    Expression::parse_mode(text, mode).ok()
}

/// Names and the licences that are known by them, for certain types or for all.
static KNOWN: LazyLock<HashMap<String, Vec<(&str, &str)>>> = LazyLock::new(|| {
    let mut known: HashMap<String, Vec<(&str, &str)>> = HashMap::new();
    for line in NAMES.lines() {
        let mut cells = line.split('\t');
        if let (Some(kind), Some(name), Some(expression)) = (cells.next(), cells.next(), cells.next()) {
            known.entry(normal(name)).or_default().push((kind, expression));
        }
    }
    known
});

/// Ids without case, which SPDX says has no meaning.
static IDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    spdx::identifiers::LICENSES
        .iter()
        .map(|license| (license.name.to_ascii_lowercase(), license.name))
        .collect()
});

/// The licence of one name.
fn known(kind: PackageKind, name: &str) -> Option<&'static str> {
    let own = KNOWN.get(&normal(name)).and_then(|meanings| {
        let of = |wanted: &str| meanings.iter().find(|(kind, _)| *kind == wanted);
        of(kind.text()).or_else(|| of("*"))
    });
    own.map(|(_, expression)| *expression).or_else(|| IDS.get(&name.to_ascii_lowercase()).copied())
}

/// A name without what makes no difference: `The Apache License, Version 2.0` is `apache 2.0`.
fn normal(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    if let Some((_, rest)) = name.split_once("://") {
        let mut rest = rest.strip_prefix("www.").unwrap_or(rest);
        for end in ["/", ".txt", ".html", ".php"] {
            rest = rest.strip_suffix(end).unwrap_or(rest);
        }
        return format!("://{rest}");
    }
    let words = name
        .split([' ', '\t', ',', '(', ')'])
        .filter(|word| !matches!(*word, "" | "-" | "the" | "license" | "licence" | "version" | "v"));
    let number = |word: &'_ str| {
        let digits = word.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        digits.unwrap_or(word).to_owned()
    };
    words.map(number).collect::<Vec<_>>().join(" ")
}

/// The expression of names with operators between them. In rpm's tags these are in lower case.
fn compound(kind: PackageKind, declared: &str) -> Option<String> {
    let is_rpm = kind == PackageKind::Rpm;
    let spaced = declared.replace('(', " ( ").replace(')', " ) ");
    let (mut parts, mut name) = (Vec::new(), Vec::new());
    // The operator of each parenthesis that is open: what two of them in one mean depends on who wrote it.
    let mut levels: Vec<Option<&str>> = vec![None];
    for token in spaced.split_whitespace() {
        let operator = match token {
            "AND" | "OR" => Some(token),
            "and" if is_rpm => Some("AND"),
            "or" if is_rpm => Some("OR"),
            _ => None,
        };
        if operator.is_none() && !["(", ")"].contains(&token) {
            name.push(token);
            continue;
        }
        take(kind, &mut name, &mut parts)?;
        parts.push(operator.unwrap_or(token).to_owned());
        match (token, operator) {
            ("(", _) => levels.push(None),
            (")", _) => levels.truncate(levels.len().saturating_sub(1)),
            (_, operator) => {
                let level = levels.last_mut()?;
                if level.is_some() && *level != operator {
                    return None;
                }
                *level = operator;
            }
        }
    }
    take(kind, &mut name, &mut parts)?;
    let expression = parts.join(" ").replace("( ", "(").replace(" )", ")");
    parse(&expression).map(|_| expression)
}

/// Takes the licence of the words of a name, if there are any.
fn take(kind: PackageKind, name: &mut Vec<&str>, parts: &mut Vec<String>) -> Option<()> {
    if name.is_empty() {
        return Some(());
    }
    let text = name.join(" ");
    name.clear();
    parts.push(if parse(&text).is_some() { text } else { known(kind, &text)?.to_owned() });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_told_once_and_has_an_expression() {
        for line in NAMES.lines() {
            let cells: Vec<_> = line.split('\t').collect();
            let [kind, name, expression] = cells[..] else { panic!("{line}") };
            assert!(kind == "*" || PackageKind::from_text(kind).is_some(), "{line}");
            assert!(parse(expression).is_some(), "{line}");
            let same = KNOWN[&normal(name)].iter().filter(|(known, _)| *known == kind).count();
            assert_eq!(same, 1, "{line}");
        }
    }

    #[test]
    fn words_of_ecosystems() {
        use PackageKind::{Alpm, Ebuild, Freebsd, Gem, Maven, Npm, Pypi, Rpm};
        for (kind, declared, expected) in [
            (Rpm, "GPLv2+", "GPL-2.0-or-later"),
            (Rpm, "ASL 2.0", "Apache-2.0"),
            (Rpm, "zlib", "Zlib"),
            (Rpm, "GPLv3+ and (MIT or ASL 2.0)", "GPL-3.0-or-later AND (MIT OR Apache-2.0)"),
            (Rpm, "(GPLv2 or MPLv2.0) and GPL-1.0+", "(GPL-2.0-only OR MPL-2.0) AND GPL-1.0-or-later"),
            (Alpm, "GPL3", "GPL-3.0-or-later"),
            (Ebuild, "BSD", "BSD-3-Clause"),
            (Freebsd, "BSD2CLAUSE", "BSD-2-Clause"),
            (Pypi, "Apache 2.0", "Apache-2.0"),
            (Pypi, "Apache License, Version 2.0", "Apache-2.0"),
            (Pypi, "Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
            (Pypi, "3-Clause BSD License", "BSD-3-Clause"),
            (Maven, "https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
            (Maven, "http://www.eclipse.org/legal/epl-2.0/", "EPL-2.0"),
            (Npm, "apache-2.0", "Apache-2.0"),
            (Gem, "Apache 2.0 OR Ruby", "Apache-2.0 OR Ruby"),
        ] {
            assert_eq!(expression(kind, declared).as_deref(), Some(expected), "{declared}");
        }
    }

    #[test]
    fn what_is_not_certain_stays_words() {
        use PackageKind::{Gem, Npm, Pypi, Rpm};
        for (kind, declared) in [
            (Rpm, "MIT and BSD"),
            (Rpm, "LGPLv2+"),
            (Rpm, "Public Domain"),
            (Rpm, "GPLv2+ with exceptions"),
            (Rpm, "GPLv2+ and MIT or ASL 2.0"),
            (Rpm, "(GPLv2+ and MIT"),
            (Rpm, "GPLv2+) and (MIT"),
            (Rpm, "GPLv2+ (MIT)"),
            (Pypi, "BSD"),
            (Pypi, "GPLv2"),
            (Pypi, "Apache 2.0 or later"),
            (Pypi, "ASL 2.0, BSD"),
            (Pypi, "Apache 2.0 or MIT License"),
            (Pypi, ""),
            (Gem, "MIT/X11"),
            (Npm, "UNLICENSED"),
            (Npm, "SEE LICENSE IN LICENSE.md"),
        ] {
            assert_eq!(expression(kind, declared), None, "{declared}");
        }
        assert_eq!(expression(Npm, "MIT"), None, "an expression already");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\PC| and | or | OR |\\(|\\)|MIT|GPLv2\\+|://|v2)*") {
            let _ = expression(PackageKind::Rpm, &text);
        }
    }
}
