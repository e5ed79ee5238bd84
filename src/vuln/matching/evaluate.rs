//! One entry and one version (OSV schema, "Evaluation").

use super::{Hit, Rules, Subject};
use crate::vuln::{database::Entry, finding::Why, matching::range::Stretch, version::Scheme};

/// The hit, if the entry says that the version is affected. A version that its scheme rejects is affected
/// only if it is listed as it is.
pub(super) fn hit(subject: &Subject<'_>, rules: &Rules<'_>, entry: Entry) -> Option<Hit> {
    let Subject { scheme, version, .. } = *subject;
    let bound = entry.bound.as_deref().filter(|_| matches!(rules, Rules::Installed(_)));
    let stretches = entry.ranges.iter().filter_map(|range| range.stretch(scheme, version).ok().flatten());
    let in_range = stretches.filter_map(|stretch| bounded(scheme, version, stretch, bound)).next();
    if let Some(stretch) = in_range {
        return Some(subject.hit(entry, stretch.text, stretch.fixed, scheme.name()));
    }
    if entry.versions.iter().any(|listed| listed == version) {
        let scheme = if scheme.accepts(version) { scheme.name() } else { "exact" };
        return Some(subject.hit(entry, format!("= {version}"), None, scheme));
    }
    let same = |listed: &&String| scheme.compare(listed, version).is_ok_and(std::cmp::Ordering::is_eq);
    let listed = entry.versions.iter().find(same)?.clone();
    Some(subject.hit(entry, format!("= {listed}"), None, scheme.name()))
}

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

impl Subject<'_> {
    fn hit(&self, entry: Entry, range: String, fixed: Option<String>, scheme: &str) -> Hit {
        let why = Why {
            record: entry.record.clone(),
            source: entry.feed.clone(),
            ecosystem: self.ecosystem.to_owned(),
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            range,
            scheme: scheme.to_owned(),
        };
        Hit { entry, fixed, why }
    }
}
