//! Packages against the database: each distinct package of a distribution is matched once, however many
//! images hold it.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::Progress;
use crate::{
    FormatError, Gap,
    gap::{Code, Scope},
    image::Located,
    inventory::{Os, Package, PackageKind},
    num,
    vuln::{
        Database, Finding,
        database::Ended,
        matching::{Asked, Coverage, Matches, NearMiss},
    },
};

type Key<'a> = (Option<&'a Os>, &'a Package, Asked);

/// Packages of one image, one container or the node, and their distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) os: Option<&'a Os>,
    pub(super) packages: &'a [Located],
    /// Packages that are only named, and are to be matched, too.
    pub(super) declared: &'a [Located],
    /// Whether a kernel among them can be the one that runs.
    pub(super) kernel_runs: bool,
}

impl<'a> Held<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Located> + use<'a> {
        self.packages.iter().chain(self.declared)
    }
}

/// What is known of the packages of one of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Sorted by package and id.
    pub(super) findings: Vec<Finding>,
    /// Records that are no finding, if they were asked for.
    pub(super) near_misses: Vec<NearMiss>,
    /// What stands between the findings and the truth.
    pub(super) gaps: Vec<Gap>,
}

/// The answers for all packages of a scan.
pub(super) struct Findings<'a> {
    answers: BTreeMap<Key<'a>, Result<Matches, FormatError>>,
    /// The distributions whose fixes ended before the advisories were gathered.
    ended: BTreeMap<&'a Os, Ended>,
    database: &'a Database,
    near_misses: bool,
}

impl<'a> Findings<'a> {
    /// Matches the packages of all inventories of a scan.
    pub(super) fn new(
        database: &'a Database,
        inventories: &[Held<'a>],
        near_misses: bool,
        progress: &dyn Progress,
    ) -> Self {
        let keys = inventories.iter().flat_map(|held| {
            held.all().map(move |located| {
                (held.os, located.package.as_ref(), asked(database, held, located, near_misses))
            })
        });
        let keys: BTreeSet<Key<'a>> = keys.collect();
        let systems: BTreeSet<&Os> = inventories.iter().filter_map(|held| held.os).collect();
        let ended = systems.into_iter().filter_map(|os| Some((os, database.ended(os)?))).collect();
        progress.stage("packages", num::to_u64(keys.len()));
        let answers = keys.into_par_iter().map(|(os, package, asked)| {
            let matches = database.answer(package, os, asked);
            progress.step();
            ((os, package, asked), matches)
        });
        Self { answers: answers.collect(), ended, database, near_misses }
    }

    /// What is known of one inventory.
    pub(super) fn of(&self, held: Held<'_>, scope: Scope, subject: &str) -> Known {
        let os = held.os;
        let Known { mut findings, mut near_misses, mut gaps } = Known::default();
        if let Some(Ended { ecosystem, date, prolonged }) = os.and_then(|os| self.ended.get(os)) {
            let detail = format!("fixes for {ecosystem} ended on {date}{prolonged}");
            let effect = "vulnerabilities that were found since are not among its advisories";
            gaps.push(Gap::new(Code::EndOfLifeDistribution, scope, subject, detail, effect));
        }
        let mut uncovered: BTreeMap<(PackageKind, Coverage), usize> = BTreeMap::new();
        let asked = |located| asked(self.database, &held, located, self.near_misses);
        let distinct: BTreeSet<(&Package, Asked)> =
            held.all().map(|located| (located.package.as_ref(), asked(located))).collect();
        for (package, asked) in distinct {
            match self.answers.get(&(os, package, asked)) {
                Some(Ok(matches)) => {
                    findings.extend(matches.findings.iter().cloned());
                    near_misses.extend(matches.near_misses.iter().cloned());
                    if matches.coverage != Coverage::Covered {
                        let count = uncovered.entry((package.kind, matches.coverage)).or_default();
                        *count = count.saturating_add(1);
                    } else if matches.unordered {
                        let detail =
                            format!("{} {} {:?}", package.kind.text(), package.name, package.version);
                        let effect = "only records that name exactly this version are found";
                        gaps.push(Gap::new(Code::UnparseableVersion, scope, subject, detail, effect));
                    }
                }
                Some(Err(error)) => {
                    let effect =
                        format!("vulnerabilities of {} {} are missing", package.kind.text(), package.name);
                    gaps.push(Gap { scope, ..Gap::from_error(error, scope, subject, effect) });
                }
                None => {}
            }
        }
        for ((kind, coverage), count) in uncovered {
            let (code, detail) = match coverage {
                Coverage::Foreign => {
                    (Code::NoAdvisoriesFor, "they are of another vendor than the distribution".to_owned())
                }
                Coverage::Unnamed => (
                    Code::NoAdvisoriesFor,
                    "their groups, under which advisories are filed, are not known".to_owned(),
                ),
                Coverage::NoAdvisories | Coverage::Covered => no_advisories(os, kind),
            };
            let effect = format!("vulnerabilities of {count} {} packages are not known", kind.text());
            gaps.push(Gap::new(code, scope, subject, detail, effect));
        }
        findings.sort_by(|a, b| (&a.package, &a.id).cmp(&(&b.package, &b.id)));
        findings.dedup();
        near_misses.sort_by(|a, b| (&a.package, a).cmp(&(&b.package, b)));
        near_misses.dedup();
        Known { findings, near_misses, gaps }
    }
}

/// How a package of an inventory is asked about.
fn asked(database: &Database, held: &Held<'_>, located: &Located, near_misses: bool) -> Asked {
    let owner = located.owner.as_ref().filter(|owner| owner.kind.is_os());
    let is_owned = owner.is_some_and(|owner| database.speaks_of(owner, held.os));
    Asked { near_misses, kernel_runs: held.kernel_runs, is_owned }
}

/// Why nothing is known of packages of a kind.
fn no_advisories(os: Option<&Os>, kind: PackageKind) -> (Code, String) {
    let what = match os {
        None if kind.is_os() => {
            let detail = "the packages' distribution is not told by an os-release file";
            return (Code::UnknownDistribution, detail.to_owned());
        }
        Some(os) if kind.is_os() => {
            format!("{} {}", os.id, os.version_id.as_deref().unwrap_or("(rolling)"))
        }
        _ => format!("the ecosystem {}", kind.text()),
    };
    (Code::NoAdvisoriesFor, format!("the database has no advisories for {what}"))
}
