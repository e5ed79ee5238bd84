//! Versions as an ecosystem's own tools write them: Cargo's, RubyGems', Composer's and Portage's requirements.

use std::{cmp::Ordering, fmt};

use super::judge::Held;
use crate::vuln::{advisory::Requirements, version::Scheme};

impl Requirements {
    /// Which of them hold the version, if it is affected. A version, or a requirement, that the scheme rejects
    /// holds nothing.
    pub(super) fn held(&self, scheme: Scheme, version: &str) -> Option<Held> {
        let holds = |one: &&String| satisfies(scheme, one, version) == Some(true);
        let affected = self.affected.iter().find(holds);
        let spared = self.patched.iter().chain(&self.unaffected).any(|one| holds(&one));
        if !scheme.accepts(version) || spared || (affected.is_none() && !self.affected.is_empty()) {
            return None;
        }
        let above = |bound: &&str| scheme.compare(bound, version).is_ok_and(Ordering::is_gt);
        let patched = self.patched.iter().flat_map(|one| comparators(one));
        let patched = patched.filter(|(sign, _)| matches!(*sign, ">=" | ">=~" | "~>" | "^" | "=" | ""));
        let ends = affected.into_iter().flat_map(|one| comparators(one)).filter(|(sign, _)| *sign == "<");
        let mut fixes: Vec<_> =
            patched.chain(ends).map(|(_, bound)| slot(scheme, bound).0).filter(above).collect();
        scheme.sort(&mut fixes, |a, b| scheme.compare(a, b).unwrap_or(Ordering::Equal));
        Some(Held {
            range: affected.cloned().unwrap_or_else(|| self.to_string()),
            fixed: fixes.first().map(|fix| (*fix).to_owned()),
            scheme: scheme.name(),
        })
    }

    /// The first requirement that the scheme does not understand.
    pub(in crate::vuln) fn unreadable(&self, scheme: Scheme) -> Option<&str> {
        let all = self.affected.iter().chain(&self.patched).chain(&self.unaffected);
        all.map(String::as_str).find(|one| satisfies(scheme, one, "1.0.0").is_none())
    }
}

/// For people: `all but >= 1.2, < 2 or >= 2.1`.
impl fmt::Display for Requirements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spared: Vec<_> = self.patched.iter().chain(&self.unaffected).map(String::as_str).collect();
        match (self.affected.is_empty(), spared.is_empty()) {
            (true, true) => f.write_str("all versions"),
            (true, false) => write!(f, "all but {}", spared.join(" or ")),
            (false, true) => f.write_str(&self.affected.join(" or ")),
            (false, false) => write!(f, "{} but {}", self.affected.join(" or "), spared.join(" or ")),
        }
    }
}

/// Whether a version satisfies a requirement; `None` if either is not understood.
fn satisfies(scheme: Scheme, requirement: &str, version: &str) -> Option<bool> {
    let mut all = true;
    for (sign, bound) in comparators(requirement) {
        all &= compares(scheme, sign, bound, version)?;
    }
    Some(all)
}

/// The signs and versions of a requirement all of which must hold.
fn comparators(requirement: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = requirement.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| {
        let sign = part.find(|c: char| !"<>=!~^".contains(c)).unwrap_or(part.len());
        let (sign, bound) = part.split_at_checked(sign).unwrap_or(("", part));
        (sign, bound.trim())
    })
}

fn compares(scheme: Scheme, sign: &str, bound: &str, version: &str) -> Option<bool> {
    let marked;
    // Composer counts pre-releases of a bound to what comes after it.
    let bound = if scheme == Scheme::Composer && matches!(sign, "<" | ">=") && is_release(bound) {
        marked = format!("{bound}-dev");
        &marked
    } else {
        bound
    };
    // Cargo's requirements may leave numbers out; a pre-release is a version like any other here, as RustSec's own
    // tools have it.
    let scheme = if scheme == Scheme::SemVer { Scheme::Npm } else { scheme };
    let (bound, slot) = slot(scheme, bound);
    let order = || scheme.compare(version, bound).ok();
    if slot.is_some_and(|slot| is_other_slot(slot, bound, version)) {
        return order().map(|_| false);
    }
    Some(match sign {
        "" if bound == "*" => true,
        "" | "^" | "~" if scheme == Scheme::Npm => {
            order()?.is_ge() && scheme.compare(version, &beyond(sign, bound)?).ok()?.is_lt()
        }
        "" | "=" | "==" => order()?.is_eq(),
        "!=" => order()?.is_ne(),
        "<" => order()?.is_lt(),
        "<=" => order()?.is_le(),
        ">" => order()?.is_gt(),
        ">=" => order()?.is_ge(),
        "~>" if scheme == Scheme::RubyGems => {
            order()?.is_ge() && scheme.compare(release(version), &bumped(bound)?).ok()?.is_lt()
        }
        "<~" | "<=~" | ">~" | ">=~" if scheme == Scheme::Gentoo => {
            let of_same = scheme.compare(unrevised(version), unrevised(bound)).ok()?.is_eq();
            of_same && compares(scheme, sign.trim_end_matches('~'), bound, version)?
        }
        _ => return None,
    })
}

/// The first version that Cargo's `^` (or no sign) or `~` does not allow: up to the next number that may break
/// things, its pre-releases included.
fn beyond(sign: &str, bound: &str) -> Option<String> {
    let release = bound.split(['-', '+']).next().unwrap_or(bound);
    let numbers: Vec<u64> = release.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
    let kept = match sign {
        "~" => numbers.len().min(2),
        _ => numbers
            .iter()
            .position(|number| *number != 0)
            .unwrap_or(numbers.len().saturating_sub(1))
            .saturating_add(1),
    };
    let mut next = [0_u64; 3];
    for (at, slot) in next.iter_mut().enumerate().take(kept) {
        *slot = number(at);
    }
    let last = next.get_mut(kept.checked_sub(1)?)?;
    *last = last.checked_add(1)?;
    let [major, minor, patch] = next;
    Some(format!("{major}.{minor}.{patch}-0"))
}

/// A bound, and the slot of Gentoo's packages behind it.
fn slot(scheme: Scheme, bound: &str) -> (&str, Option<&str>) {
    match bound.split_once(':') {
        Some((bound, slot)) if scheme == Scheme::Gentoo => (bound, Some(slot)),
        _ => (bound, None),
    }
}

/// Whether a version shows that it is in another slot: where slots are called by the beginnings of the versions in
/// them (`3.11` of `3.11.4`), and not `0`, as most packages have it. Else it may be in any.
fn is_other_slot(slot: &str, bound: &str, version: &str) -> bool {
    let within = |version: &str| {
        version.strip_prefix(slot).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    slot != "0" && within(bound) && !within(version)
}

/// A version of Gentoo without its revision.
fn unrevised(version: &str) -> &str {
    version.rsplit_once("-r").map_or(version, |(version, _)| version)
}

/// Whether a version is nothing but numbers.
fn is_release(version: &str) -> bool {
    version.trim_start_matches('v').bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A gem's version without what makes it a pre-release (`Gem::Version#release`).
fn release(version: &str) -> &str {
    let end = version.find(|c: char| c.is_ascii_alphabetic() || c == '-').unwrap_or(version.len());
    version.get(..end).unwrap_or(version).trim_end_matches('.')
}

/// The first version that `~>` does not allow (`Gem::Version#bump`): the last number but one, and one more.
fn bumped(bound: &str) -> Option<String> {
    let mut numbers: Vec<u64> =
        release(bound).split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    if numbers.len() > 1 {
        numbers.pop();
    }
    let last = numbers.last_mut()?;
    *last = last.checked_add(1)?;
    Some(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tools_own_words() {
        for (scheme, requirement, version, expected) in [
            (Scheme::SemVer, ">= 1.2, < 2", "1.5.0", Some(true)),
            (Scheme::SemVer, ">= 1.2", "1.5.0-alpha", Some(true)),
            (Scheme::SemVer, "^1.2", "2.0.0-alpha", Some(false)),
            (Scheme::SemVer, "^0.7.1", "0.7.9", Some(true)),
            (Scheme::SemVer, "0.7.1", "0.8.0", Some(false)),
            (Scheme::SemVer, "~1.2", "1.2.9", Some(true)),
            (Scheme::SemVer, "*", "1.2.9", Some(true)),
            (Scheme::SemVer, "nothing", "2.0.0", None),
            (Scheme::RubyGems, "~> 1.2.3", "1.2.9", Some(true)),
            (Scheme::RubyGems, "~> 1.2.3", "1.3.0.beta", Some(false)),
            (Scheme::RubyGems, "~> 1.2, >= 1.2.5", "1.9", Some(true)),
            (Scheme::RubyGems, "~> 3", "4.0", Some(false)),
            (Scheme::Composer, ">=1.0,<1.2", "1.2.0-beta1", Some(false)),
            (Scheme::Composer, ">=1.0,<1.2", "1.0.0-RC1", Some(true)),
            (Scheme::Composer, ">=1.0,<1.2", "nothing", None),
            (Scheme::Gentoo, "< 1.9.7", "1.9.7_rc1", Some(true)),
            (Scheme::Gentoo, ">~ 1.8.18", "1.8.18-r1", Some(true)),
            (Scheme::Gentoo, ">~ 1.8.18", "1.8.18", Some(false)),
            (Scheme::Gentoo, ">=~ 1.8.18-r2", "1.8.19", Some(false)),
            (Scheme::Gentoo, "<=~ 1.8.18-r2", "1.8.18", Some(true)),
            (Scheme::Gentoo, "<~ 1.8.18-r2", "1.8.18-r2", Some(false)),
            (Scheme::Gentoo, ">= 3.9.13:3.9", "3.10.4", Some(false)),
            (Scheme::Gentoo, ">= 3.9.13:3.9", "3.9.14", Some(true)),
            (Scheme::Gentoo, "< 3.1.5:3.1", "3.10.4", Some(false)),
            (Scheme::Gentoo, "< 2.48.5:4.1", "2.48.4", Some(true)),
            (Scheme::Gentoo, "< 0.9:0", "0.8", Some(true)),
            (Scheme::Gentoo, "< 1_foo:1", "0.8", None),
        ] {
            assert_eq!(satisfies(scheme, requirement, version), expected, "{requirement} {version}");
        }
    }

    #[test]
    fn the_fix_is_the_first_above() {
        let requirements = Requirements {
            patched: vec![">= 2.1.3".to_owned(), "~> 1.9.8".to_owned()],
            unaffected: vec!["< 1.5".to_owned()],
            ..Requirements::default()
        };
        let fixed = |version| requirements.held(Scheme::RubyGems, version).map(|held| held.fixed.unwrap());
        assert_eq!(fixed("1.9.2").as_deref(), Some("1.9.8"));
        assert_eq!(fixed("2.0").as_deref(), Some("2.1.3"));
        assert_eq!((fixed("1.9.9"), fixed("1.4")), (None, None));
        assert_eq!(requirements.to_string(), "all but >= 2.1.3 or ~> 1.9.8 or < 1.5");
        let requirements = Requirements {
            affected: vec!["< 3.9.13:3.9".to_owned(), "< 3.10.5:3.10".to_owned()],
            patched: vec![">= 3.9.13:3.9".to_owned(), ">= 3.10.5:3.10".to_owned()],
            ..Requirements::default()
        };
        let fixed = |version| requirements.held(Scheme::Gentoo, version).map(|held| held.fixed.unwrap());
        assert_eq!(fixed("3.9.12").as_deref(), Some("3.9.13"));
        assert_eq!(fixed("3.10.4-r1").as_deref(), Some("3.10.5"));
        assert_eq!((fixed("3.9.13"), fixed("3.10.5")), (None, None));
    }
}
