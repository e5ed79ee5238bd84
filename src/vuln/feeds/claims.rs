//! What the readers of distributions' own feeds share: claims whose versions are checked, and lists of which
//! one element may be malformed.

use serde::{Deserialize, de::IgnoredAny};

use crate::vuln::{
    advisory::{Claim, State, Statement},
    ecosystem,
    matching::range::{Event, EventKind, Range},
};

/// An element of a list or map that is passed over, and named, if it is not of its form.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Part<T> {
    /// It is.
    Read(T),
    /// It is not.
    Malformed(IgnoredAny),
}

impl<T> Part<T> {
    /// The element, or a note that the one called so is malformed.
    pub(super) fn read(self, malformed: &mut Vec<(String, String)>, name: impl Fn() -> String) -> Option<T> {
        match self {
            Self::Read(part) => Some(part),
            Self::Malformed(_) => {
                malformed.push((name(), "not of the form of such entries".to_owned()));
                None
            }
        }
    }
}

/// Whether a binary package of an RPM distribution only helps to debug another (`curl-debuginfo`,
/// `kernel-debuginfo-common-x86_64`, `curl-debugsource`).
pub(super) fn is_debug(name: &str) -> bool {
    name.contains("-debuginfo") || name.ends_with("-debugsource")
}

/// The claims of one record.
pub(super) struct Claims<'a> {
    record: &'a str,
    unordered: &'a mut Vec<(String, String)>,
    claims: Vec<Claim>,
}

impl<'a> Claims<'a> {
    /// None yet. Versions that their ecosystem's order rejects will be named in `unordered`.
    pub(super) fn new(record: &'a str, unordered: &'a mut Vec<(String, String)>) -> Self {
        Self { record, unordered, claims: Vec::new() }
    }

    /// What the statement says holds for every version.
    pub(super) fn all(&mut self, ecosystem: &str, name: &str, statement: Statement) {
        let name = ecosystem::name(ecosystem, name);
        self.claims.push(Claim { ecosystem: ecosystem.to_owned(), name, statement });
    }

    /// It holds for versions below the one with the fix.
    pub(super) fn fixed(&mut self, ecosystem: &str, name: &str, version: &str, statement: Statement) {
        let Some(scheme) = ecosystem::scheme(ecosystem) else { return };
        match scheme.compare(version, version) {
            Ok(_) => {
                let ranges = vec![Range::below(version)];
                self.all(ecosystem, name, Statement { ranges, ..statement });
            }
            Err(error) => self.left_out(name, &error.to_string()),
        }
    }

    /// It holds for versions between events.
    pub(super) fn range(
        &mut self,
        ecosystem: &str,
        name: &str,
        events: &[(EventKind, &str)],
        statement: Statement,
    ) {
        let Some(scheme) = ecosystem::scheme(ecosystem) else { return };
        let events: Vec<Event> =
            events.iter().map(|(kind, version)| (*kind, (*version).to_owned())).collect();
        match Range::of(scheme, events) {
            Ok(range) => self.all(ecosystem, name, Statement { ranges: vec![range], ..statement }),
            Err(error) => self.left_out(name, &error.to_string()),
        }
    }

    /// No version is affected.
    pub(super) fn never(&mut self, ecosystem: &str, name: &str, statement: Statement) {
        self.all(ecosystem, name, Statement { state: State::NotAffected, ..statement });
    }

    /// Names something about a package that cannot be judged.
    pub(super) fn left_out(&mut self, name: &str, problem: &str) {
        self.unordered.push((self.record.to_owned(), format!("{name}: {problem}")));
    }

    /// All of them.
    pub(super) fn done(self) -> Vec<Claim> {
        self.claims
    }
}
