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
        matching::{Coverage, Matches},
    },
};

type Key<'a> = (Option<&'a Os>, &'a Package);

/// The answers for all packages of a scan.
pub(super) struct Findings<'a>(BTreeMap<Key<'a>, Result<Matches, FormatError>>);

impl<'a> Findings<'a> {
    /// Matches the packages of all inventories of a scan.
    pub(super) fn new(
        database: &Database,
        inventories: impl Iterator<Item = (Option<&'a Os>, &'a [Located])>,
        progress: &dyn Progress,
    ) -> Self {
        let keys: BTreeSet<Key<'a>> = inventories
            .flat_map(|(os, all)| all.iter().map(move |located| (os, located.package.as_ref())))
            .collect();
        progress.stage("packages", num::to_u64(keys.len()));
        let answers = keys.into_par_iter().map(|(os, package)| {
            let matches = database.matches(package, os);
            progress.step();
            ((os, package), matches)
        });
        Self(answers.collect())
    }

    /// The findings of one inventory, sorted, and what stands between them and the truth.
    pub(super) fn of(
        &self,
        os: Option<&Os>,
        packages: &[Located],
        scope: Scope,
        subject: &str,
    ) -> (Vec<Finding>, Vec<Gap>) {
        let mut findings = Vec::new();
        let mut gaps = Vec::new();
        let mut uncovered: BTreeMap<(PackageKind, bool), usize> = BTreeMap::new();
        let distinct: BTreeSet<&Package> = packages.iter().map(|located| located.package.as_ref()).collect();
        for package in distinct {
            match self.0.get(&(os, package)) {
                Some(Ok(matches)) => {
                    findings.extend(matches.findings.iter().cloned());
                    if matches.coverage != Coverage::Covered {
                        let foreign = matches.coverage == Coverage::Foreign;
                        let count = uncovered.entry((package.kind, foreign)).or_default();
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
        for ((kind, foreign), count) in uncovered {
            let (code, detail) = match foreign {
                true => {
                    (Code::NoAdvisoriesFor, "they are of another vendor than the distribution".to_owned())
                }
                false => no_advisories(os, kind),
            };
            let effect = format!("vulnerabilities of {count} {} packages are not known", kind.text());
            gaps.push(Gap::new(code, scope, subject, detail, effect));
        }
        findings.sort_by(|a, b| (&a.package, &a.id).cmp(&(&b.package, &b.id)));
        findings.dedup();
        (findings, gaps)
    }
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
