//! What a document says of packages, each statement once: it names a package for each of its architectures, and
//! says the same of each vulnerability that an advisory is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::vuln::{
    advisory::Statement,
    feeds::claims::Claims,
    matching::range::EventKind::{Fixed, Introduced},
};

/// Statements, with the architectures of which they are made; of all if one is none.
#[derive(Default)]
pub(in super::super) struct Said(BTreeMap<Key, BTreeSet<Option<String>>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    ecosystem: String,
    name: String,
    /// The lowest version with the fix of each version of the upstream project.
    fixes: Vec<String>,
    statement: Statement,
}

impl Said {
    /// A statement about all versions of a package, or about those without one of the fixes, which are in their
    /// order.
    pub(in super::super) fn add(
        &mut self,
        ecosystem: &str,
        name: &str,
        fixes: Vec<String>,
        statement: Statement,
        arch: Option<&str>,
    ) {
        let key = Key { ecosystem: ecosystem.to_owned(), name: name.to_owned(), fixes, statement };
        self.0.entry(key).or_default().insert(arch.map(str::to_owned));
    }

    /// All of it as claims.
    pub(in super::super) fn file(self, claims: &mut Claims<'_>) {
        for (Key { ecosystem, name, fixes, statement }, arches) in self.0 {
            let arches = arches.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default();
            let statement = Statement { arches, ..statement };
            match fixes.as_slice() {
                [] => claims.all(&ecosystem, &name, statement),
                [fix] => claims.fixed(&ecosystem, &name, fix, statement),
                [first, others @ ..] => {
                    let mut events = vec![(Introduced, "0"), (Fixed, first.as_str())];
                    for fix in others {
                        events.extend([(Introduced, upstream(fix)), (Fixed, fix)]);
                    }
                    claims.range(&ecosystem, &name, &events, statement);
                }
            }
        }
    }
}

/// The version of the upstream project that a distribution's version is a build of.
pub(in super::super) fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_and_versions() {
        let mut said = Said::default();
        let mut add = |fixes: &[&str], arch: Option<&str>| {
            let fixes = fixes.iter().map(|fix| (*fix).to_owned()).collect();
            said.add("SUSE:Linux Enterprise Server 12 SP5", "curl", fixes, Statement::default(), arch);
        };
        add(&["2.11.1-6.40.1", "2.24.0-8.20.1"], Some("x86_64"));
        add(&["2.11.1-6.40.1", "2.24.0-8.20.1"], Some("aarch64"));
        add(&["8.0-1"], Some("x86_64"));
        add(&["8.0-1"], None);
        let mut unordered = Vec::new();
        let mut claims = Claims::new("CVE-1", &mut unordered);
        said.file(&mut claims);
        let shown = claims.done().into_iter().map(|claim| {
            let Statement { ranges, arches, .. } = claim.statement;
            format!("{} {}", ranges[0], arches.join(","))
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            ["< 2.11.1-6.40.1 or >= 2.24.0, < 2.24.0-8.20.1 aarch64,x86_64", "< 8.0-1 "]
        );
    }
}
