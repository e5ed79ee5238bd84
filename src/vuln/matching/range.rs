//! Whether a version is affected (OSV schema, "Evaluation").

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    limits,
    vuln::{
        osv,
        version::{Scheme, VersionError},
    },
};

/// What happens at a version, in the order in which events at the same version count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// Affected from here; `0` is before every version.
    Introduced,
    /// No longer affected after this.
    LastAffected,
    /// No longer affected from here.
    Fixed,
    /// The range says nothing from here.
    Limit,
}

/// An event and its version.
pub type Event = (EventKind, String);

/// Versions between events, which are in the order of their scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Range(Vec<Event>);

/// The stretch of a range that holds a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// For people: `>= 1.0, < 1.2.3`.
    pub(crate) text: String,
    /// The version that ends it, if that is a fix.
    pub(crate) fixed: Option<String>,
    /// Whether nothing ends it.
    pub(crate) open: bool,
}

impl Range {
    /// A range of a record, with its events put in order. The error names a version that the scheme rejects:
    /// such a range cannot be evaluated.
    pub(crate) fn new(scheme: Scheme, range: &osv::Range) -> Result<Self, VersionError> {
        Self::of(scheme, range.events.iter().flat_map(events_of).collect())
    }

    /// The same of events in any order.
    pub(crate) fn of(scheme: Scheme, mut events: Vec<Event>) -> Result<Self, VersionError> {
        events.retain(|(kind, version)| !(*kind == EventKind::Limit && version == "*"));
        for (_, version) in &events {
            order(scheme, version, version)?;
        }
        if events.len() > limits::RANGE_EVENTS {
            return Err(VersionError { scheme, version: format!("{} events", events.len()) });
        }
        scheme.sort(&mut events, |a, b| {
            order(scheme, &a.1, &b.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1))
        });
        events.dedup();
        Ok(Self(events))
    }
}

impl Range {
    /// Whether there is nothing to evaluate.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stretch that holds the version, if one does. The error says that the scheme rejects it.
    pub(crate) fn stretch(&self, scheme: Scheme, version: &str) -> Result<Option<Stretch>, VersionError> {
        let mut introduced = None;
        let mut limits = 0_usize;
        let mut below_a_limit = false;
        for (kind, at) in &self.0 {
            let order = order(scheme, version, at)?;
            match kind {
                EventKind::Introduced if order.is_ge() => introduced = Some(at),
                EventKind::LastAffected if order.is_gt() => introduced = None,
                EventKind::Fixed if order.is_ge() => introduced = None,
                EventKind::Limit => {
                    limits = limits.saturating_add(1);
                    below_a_limit |= order.is_lt();
                }
                _ => {}
            }
        }
        let Some(introduced) = introduced.filter(|_| limits == 0 || below_a_limit) else { return Ok(None) };
        self.describe(scheme, version, introduced).map(Some)
    }

    fn describe(&self, scheme: Scheme, version: &str, introduced: &str) -> Result<Stretch, VersionError> {
        let mut parts = Vec::new();
        if introduced != "0" {
            parts.push(format!(">= {introduced}"));
        }
        let (mut fixed, mut open) = (None, true);
        for (kind, at) in &self.0 {
            let order = order(scheme, version, at)?;
            let end = match kind {
                EventKind::LastAffected if order.is_le() => format!("<= {at}"),
                EventKind::Fixed if order.is_lt() => {
                    fixed = Some(at.clone());
                    format!("< {at}")
                }
                EventKind::Limit if order.is_lt() => format!("< {at}"),
                _ => continue,
            };
            parts.push(end);
            open = false;
            break;
        }
        let text = if parts.is_empty() { "all versions".to_owned() } else { parts.join(", ") };
        Ok(Stretch { text, fixed, open })
    }
}

impl Range {
    /// Every version from the first below one.
    pub(crate) fn below(fixed: impl Into<String>) -> Self {
        Self(vec![(EventKind::Introduced, "0".to_owned()), (EventKind::Fixed, fixed.into())])
    }

    /// The highest version that has the fix.
    pub(super) fn last_fix(&self) -> Option<&str> {
        let fixes = self.0.iter().rev().filter(|(kind, _)| *kind == EventKind::Fixed);
        fixes.map(|(_, version)| version.as_str()).next()
    }
}

/// For people: `>= 1.0, < 1.2.3 or >= 2.0, < 2.0.1`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(EventKind::Introduced, first)] = self.0.as_slice()
            && first == "0"
        {
            return f.write_str("all versions");
        }
        let mut separator = "";
        for (kind, version) in &self.0 {
            match kind {
                EventKind::Introduced if version == "0" => continue,
                EventKind::Introduced => {
                    write!(f, "{}>= {version}", if separator.is_empty() { "" } else { " or " })?
                }
                EventKind::LastAffected => write!(f, "{separator}<= {version}")?,
                EventKind::Fixed | EventKind::Limit => write!(f, "{separator}< {version}")?,
            }
            separator = ", ";
        }
        Ok(())
    }
}

/// The order of the scheme with `0` before everything (OSV schema, "affected\[\].ranges\[\].events").
fn order(scheme: Scheme, a: &str, b: &str) -> Result<Ordering, VersionError> {
    match (a == "0", b == "0") {
        (true, true) => Ok(Ordering::Equal),
        (true, false) => scheme.compare(b, b).map(|_| Ordering::Less),
        (false, true) => scheme.compare(a, a).map(|_| Ordering::Greater),
        (false, false) => scheme.compare(a, b),
    }
}

fn events_of(event: &osv::Event) -> impl Iterator<Item = Event> {
    let fields = [
        (EventKind::Introduced, &event.introduced),
        (EventKind::LastAffected, &event.last_affected),
        (EventKind::Fixed, &event.fixed),
        (EventKind::Limit, &event.limit),
    ];
    fields.into_iter().filter_map(|(kind, version)| Some((kind, version.clone()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(events: &[(&str, &str)]) -> Range {
        let events = events.iter().map(|(kind, version)| {
            serde_json::from_value(serde_json::json!({ *kind: *version })).expect("an event")
        });
        let range = osv::Range { kind: "ECOSYSTEM".to_owned(), events: events.collect() };
        Range::new(Scheme::SemVer, &range).expect("versions")
    }

    fn text(range: &Range, version: &str) -> Option<String> {
        range.stretch(Scheme::SemVer, version).expect("a version").map(|stretch| stretch.text)
    }

    #[test]
    fn the_edges_of_a_stretch() {
        let range = range(&[
            ("fixed", "2.0.3"),
            ("introduced", "0"),
            ("introduced", "2.0.0"),
            ("fixed", "1.0.1"),
            ("introduced", "3.0.0"),
            ("last_affected", "3.1.0"),
        ]);
        assert_eq!(text(&range, "1.0.0").as_deref(), Some("< 1.0.1"));
        assert_eq!(text(&range, "1.0.1"), None);
        assert_eq!(text(&range, "2.0.2").as_deref(), Some(">= 2.0.0, < 2.0.3"));
        assert_eq!(text(&range, "3.1.0").as_deref(), Some(">= 3.0.0, <= 3.1.0"));
        assert_eq!(text(&range, "3.1.1"), None);
        let stretch = range.stretch(Scheme::SemVer, "2.0.0").expect("a version").expect("affected");
        assert_eq!(stretch.fixed.as_deref(), Some("2.0.3"));
    }

    #[test]
    fn limits_and_open_ends() {
        let limited = range(&[("introduced", "1.0.0"), ("limit", "1.5.0")]);
        assert_eq!(text(&limited, "1.4.9").as_deref(), Some(">= 1.0.0, < 1.5.0"));
        assert_eq!(text(&limited, "1.5.0"), None);
        assert_eq!(text(&range(&[("introduced", "0")]), "9.9.9").as_deref(), Some("all versions"));
        assert_eq!(
            text(&range(&[("introduced", "0"), ("limit", "*")]), "9.9.9").as_deref(),
            Some("all versions")
        );
        assert_eq!(text(&range(&[("fixed", "1.0.0")]), "0.1.0"), None);
    }

    #[test]
    fn a_range_with_a_foreign_version_is_refused() {
        let event = osv::Event { fixed: Some("one".to_owned()), ..osv::Event::default() };
        let foreign = osv::Range { kind: "SEMVER".to_owned(), events: vec![event] };
        assert_eq!(Range::new(Scheme::SemVer, &foreign).unwrap_err().version, "one");
        assert!(range(&[("introduced", "0")]).stretch(Scheme::SemVer, "one").is_err());
    }
}
