//! One statement and one version (OSV schema, "Evaluation", and what distributions mean by their records).

use super::{Reason, range::Stretch, rules::Subject};
use crate::vuln::{
    advisory::{State, Statement},
    finding::Elsewhere,
    version::Scheme,
};

/// What a statement says about the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is affected.
    Affected(Held),
    /// It is not, or not known to be.
    Clear(Reason),
}

/// Which of the statement's versions hold the installed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// For people: `>= 1.0, < 1.2.3`.
    pub(super) range: String,
    /// The version that has the fix.
    pub(super) fixed: Option<String>,
    /// By which order it was found; `exact` if the version does not follow its scheme.
    pub(super) scheme: &'static str,
}

impl Subject<'_> {
    /// What a statement says about the version.
    pub(super) fn judge(&self, statement: &Statement) -> Judgement {
        match statement.state {
            State::NotAffected => return Judgement::Clear(Reason::NotAffected),
            State::UnderInvestigation => return Judgement::Clear(Reason::UnderInvestigation),
            State::Affected | State::Deferred | State::WillNotFix | State::Informational => {}
        }
        match self.held(statement) {
            // The OSV schema does not know remarks.
            Some(_)
                if statement.state == State::Informational
                    && !(self.installed.is_none() && statement.is_osv()) =>
            {
                Judgement::Clear(Reason::Informational)
            }
            Some(held) => Judgement::Affected(held),
            None => Judgement::Clear(Reason::OtherVersion),
        }
    }

    /// Which versions of the statement hold the installed one. A version that its scheme rejects is held only
    /// if it is listed as it is.
    fn held(&self, statement: &Statement) -> Option<Held> {
        let Subject { scheme, version, .. } = *self;
        let name = scheme.name();
        if let Some(requirements) = &statement.requirements {
            return requirements.held(scheme, version);
        }
        if statement.ranges.is_empty() && statement.versions.is_empty() {
            return Some(Held { range: "all versions".to_owned(), fixed: None, scheme: name });
        }
        let bound = statement.bound.as_deref().filter(|_| self.installed.is_some());
        let stretches =
            statement.ranges.iter().filter_map(|range| range.stretch(scheme, version).ok().flatten());
        if let Some(stretch) = stretches.filter_map(|stretch| bounded(scheme, version, stretch, bound)).next()
        {
            return Some(Held { range: stretch.text, fixed: stretch.fixed, scheme: name });
        }
        if statement.versions.iter().any(|listed| listed == version) {
            let scheme = if scheme.accepts(version) { name } else { "exact" };
            return Some(Held { range: format!("= {version}"), fixed: None, scheme });
        }
        let same = |listed: &&String| scheme.compare(listed, version).is_ok_and(std::cmp::Ordering::is_eq);
        let listed = statement.versions.iter().find(same)?;
        Some(Held { range: format!("= {listed}"), fixed: None, scheme: name })
    }
}

impl Statement {
    /// The versions that it holds, for people.
    pub(super) fn versions_text(&self) -> String {
        if let Some(requirements) = &self.requirements {
            return requirements.to_string();
        }
        if self.ranges.is_empty() && self.versions.is_empty() {
            return "all versions".to_owned();
        }
        let ranges = self.ranges.iter().map(ToString::to_string);
        let shown = self.versions.iter().take(LISTED).map(|version| format!("= {version}"));
        let mut parts: Vec<_> = ranges.chain(shown).collect();
        if let Some(more) = self.versions.len().checked_sub(LISTED).filter(|more| *more > 0) {
            parts.push(format!("{more} more"));
        }
        parts.join(" or ")
    }

    /// Whether it is in the form of the OSV schema.
    fn is_osv(&self) -> bool {
        self.requirements.is_none()
    }

    /// The fix that systems on its line of updates get.
    pub(super) fn elsewhere(&self) -> Option<Elsewhere> {
        let fixed = self.ranges.iter().find_map(|range| range.last_fix())?;
        Some(Elsewhere { channel: self.channel.clone()?, version: fixed.to_owned() })
    }
}

/// Single versions of a statement that are shown.
const LISTED: usize = 5;

/// The stretch, unless it has no end of its own and the source knows that it does not reach the version.
fn bounded(scheme: Scheme, version: &str, mut stretch: Stretch, bound: Option<&str>) -> Option<Stretch> {
    let Some(bound) = bound.filter(|_| stretch.open) else { return Some(stretch) };
    let inclusive = bound.strip_prefix("<=");
    let Some(last) = inclusive.or_else(|| bound.strip_prefix('<')).map(str::trim) else {
        return Some(stretch);
    };
    let beyond = scheme.compare(version, last).is_ok_and(|order| match inclusive {
        Some(_) => order.is_gt(),
        None => order.is_ge(),
    });
    stretch.text = format!("{}, known up to {bound}", stretch.text);
    (!beyond).then_some(stretch)
}
