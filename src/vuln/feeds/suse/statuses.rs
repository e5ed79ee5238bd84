//! What SUSE says of products, in the words of CSAF (CSAF 2.0, "3.2.3.9 Vulnerabilities Property - Product Status"),
//! which CVRF has too. Fixes are told of binary packages with their versions, all else of the names of binary and
//! source packages, and it stays when the fix comes.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use super::{nevra::Nevra, product::Product};
use crate::{
    inventory::Purl,
    vuln::{
        advisory::{State, Statement},
        feeds::{
            claims::{Claims, is_debug},
            csaf::{Said, upstream},
        },
        version::Scheme,
    },
};

/// A status, in the order in which they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    /// The version to update to.
    Recommended,
    /// Not the first, but some version with the fix.
    FirstFixed,
    Fixed,
    Affected,
    UnderInvestigation,
    NotAffected,
}

impl Status {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "recommended" => Self::Recommended,
            "first_fixed" => Self::FirstFixed,
            "fixed" => Self::Fixed,
            "known_affected" => Self::Affected,
            "under_investigation" => Self::UnderInvestigation,
            "known_not_affected" => Self::NotAffected,
            _ => return None,
        })
    }
}

/// A component of a platform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// The name of a package, with version and architecture if it is a fix.
    pub(super) component: &'a str,
    /// Its purl. Only the source package counts: it takes the numbers of a name for a version.
    pub(super) purl: Option<&'a str>,
    /// The name of a product.
    pub(super) platform: &'a str,
    /// Whether no fix is to come.
    pub(super) never: bool,
}

impl Part<'_> {
    /// The name of the source package, if it is told.
    fn source(&self) -> Option<String> {
        let upstream = Purl::parse(self.purl?)?.qualifiers.remove("upstream")?;
        let file = upstream.strip_suffix(".src.rpm").or_else(|| upstream.strip_suffix(".nosrc.rpm"))?;
        Some(Nevra::parse(file).map_or(file, |nevra| nevra.name).to_owned())
    }
}

/// What is said of the products of a vulnerability.
#[derive(Default)]
pub(super) struct Statuses<'a>(Vec<(Status, Part<'a>)>);

impl<'a> Statuses<'a> {
    /// Adds what is said of a product. Words that say what follows from others are passed over.
    pub(super) fn add(&mut self, word: &str, part: Part<'a>) {
        self.0.extend(Status::of(word).map(|status| (status, part)));
    }

    /// Puts it down. Of products that are no part of a distribution nothing is kept.
    pub(super) fn say(mut self, said: &mut Said, claims: &mut Claims<'_>) {
        self.0.sort_by_key(|(status, _)| *status);
        let platforms: HashSet<_> = self.0.iter().map(|(_, part)| part.platform).collect();
        let platforms: HashMap<_, _> =
            platforms.into_iter().filter_map(|name| Some((name, Product::of(name)?))).collect();
        let ours =
            self.0.iter().filter_map(|(status, part)| Some((*status, part, platforms.get(part.platform)?)));
        let (fixed, others): (Vec<_>, Vec<_>) = ours.partition(|(status, ..)| *status <= Status::Fixed);
        let mut fixes: BTreeMap<_, (Status, BTreeSet<&str>)> = BTreeMap::new();
        let (mut spoken_of, mut sources) = (HashMap::new(), HashSet::new());
        for (status, part, product) in fixed {
            match Nevra::parse(part.component) {
                Some(Nevra { name, version, arch }) if !is_debug(name) => {
                    let held = fixes.entry((product, name, arch));
                    let (first, versions) = held.or_insert_with(|| (status, BTreeSet::new()));
                    if *first == status {
                        versions.insert(version);
                    }
                    spoken_of.entry((product, name)).or_insert(status);
                    sources.extend(part.source().map(|source| (product, source)));
                }
                Some(_) => {}
                None => claims.left_out(part.component, "a fix without a version"),
            }
        }
        for ((product, name, arch), (_, versions)) in fixes {
            let statement = Statement { channel: product.channel.clone(), ..Statement::default() };
            said.add(&product.ecosystem, name, lowest(versions), statement, arch);
        }
        for (status, part, product) in others {
            let (name, source) = (part.component, part.source());
            let first = *spoken_of.entry((product, name)).or_insert(status);
            // A source package stays affected when binary packages of it are fixed: what is said of it then, is of
            // a binary package of its name, and only if no fix is to come.
            let of_fixed = sources.contains(&(product, name.to_owned()));
            if is_debug(name) || first < status || of_fixed && !part.never {
                continue;
            }
            let state = match status {
                Status::UnderInvestigation => State::UnderInvestigation,
                Status::NotAffected => State::NotAffected,
                _ if part.never => State::WillNotFix,
                _ => State::Affected,
            };
            let may_be_source = !of_fixed && source.is_none_or(|source| source == name);
            for is_source in if may_be_source { &[false, true][..] } else { &[false] } {
                let channel = product.channel.clone();
                let statement = Statement { state, channel, is_source: *is_source, ..Statement::default() };
                said.add(&product.ecosystem, name, Vec::new(), statement, None);
            }
        }
    }
}

/// The lowest version with the fix of each version of the upstream project, in their order: a release may have
/// several of these side by side, and builds of one of them follow each other.
fn lowest(versions: BTreeSet<&str>) -> Vec<String> {
    let scheme = Scheme::Rpm;
    let mut versions: Vec<_> = versions.into_iter().collect();
    scheme.sort(&mut versions, |a, b| scheme.compare(a, b).unwrap_or(Ordering::Equal));
    versions.dedup_by_key(|version| upstream(version));
    versions.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of statuses, components and platforms, of which the sources and products without a fix are told.
    fn said(list: &[(&str, &str, &str)], purls: &[(&str, &str)], never: &[&str]) -> Vec<String> {
        let mut statuses = Statuses::default();
        for (word, platform, component) in list {
            let purl = purls.iter().find(|(of, _)| of == component).map(|(_, purl)| *purl);
            let never = never.contains(component);
            statuses.add(word, Part { component, purl, platform, never });
        }
        let (mut said, mut unordered) = (Said::default(), Vec::new());
        let mut claims = Claims::new("CVE-1", &mut unordered);
        statuses.say(&mut said, &mut claims);
        said.file(&mut claims);
        let shown = claims.done().into_iter().map(|claim| {
            let Statement { state, ranges, arches, channel, is_source, .. } = claim.statement;
            let release = claim.ecosystem.trim_start_matches("SUSE:Linux Enterprise Server ").to_owned();
            let range = ranges.first().map(ToString::to_string).unwrap_or_default();
            let what = if is_source { "source" } else { "binary" };
            let line = channel.unwrap_or_default();
            format!("{release} {line} {what} {} {state:?} {range} {}", claim.name, arches.join(","))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        });
        shown.collect()
    }

    const SP4: &str = "SUSE Linux Enterprise Server 12 SP4";
    const LTSS: &str = "SUSE Linux Enterprise Server 12 SP4-LTSS";

    #[test]
    fn a_fix_overrules_what_was_said_before_it() {
        let list = [
            ("known_affected", SP4, "libpcre1"),
            ("known_affected", SP4, "pcre"),
            ("known_affected", SP4, "libpcre2-16-0"),
            ("known_not_affected", SP4, "libpcre2-16-0"),
            ("known_affected", LTSS, "pcre"),
            ("recommended", SP4, "libpcre1-8.39-8.3.1"),
            ("first_fixed", SP4, "libpcre1-8.45-8.7.1"),
            ("first_affected", SP4, "pcre-8.0-1.1"),
        ];
        let purls = [
            ("libpcre1", "pkg:rpm/suse/libpcre1@?upstream=pcre.src.rpm"),
            ("libpcre1-8.39-8.3.1", "pkg:rpm/suse/libpcre1@8.39-8.3.1?upstream=pcre-8.39-8.3.1.src.rpm"),
            ("libpcre2-16-0", "pkg:rpm/suse/libpcre2@16-0"),
        ];
        assert_eq!(
            said(&list, &purls, &[]),
            [
                "12 SP4 binary libpcre1 Affected < 8.39-8.3.1",
                "12 SP4 binary libpcre2-16-0 Affected",
                "12 SP4 source libpcre2-16-0 Affected",
                "12 SP4 ltss binary pcre Affected",
                "12 SP4 ltss source pcre Affected",
            ]
        );
    }

    #[test]
    fn what_is_never_fixed() {
        let list = [
            ("known_affected", SP4, "python-aiohttp"),
            ("known_affected", SP4, "python3-aiohttp"),
            ("recommended", SP4, "python311-aiohttp-3.9.3-150400.10.14.1"),
            ("under_investigation", LTSS, "python3-aiohttp"),
        ];
        let source = "pkg:rpm/suse/a@?upstream=python-aiohttp-3.9.3-150400.10.14.1.src.rpm";
        let purls = [("python311-aiohttp-3.9.3-150400.10.14.1", source), ("python3-aiohttp", source)];
        assert_eq!(
            said(&list, &purls, &["python-aiohttp", "python3-aiohttp"]),
            [
                "12 SP4 binary python-aiohttp WillNotFix",
                "12 SP4 binary python3-aiohttp WillNotFix",
                "12 SP4 ltss binary python3-aiohttp UnderInvestigation",
                "12 SP4 binary python311-aiohttp Affected < 3.9.3-150400.10.14.1",
            ]
        );
    }

    #[test]
    fn several_products_and_versions_of_one_release() {
        let list = [
            ("recommended", SP4, "requests-2.24.0-8.20.1.noarch"),
            ("recommended", "SUSE Linux Enterprise Desktop 12 SP4", "requests-2.24.0-8.14.1.noarch"),
            (
                "recommended",
                "SUSE Linux Enterprise Module for Public Cloud 12 SP4",
                "requests-2.11.1-6.40.1.noarch",
            ),
            ("recommended", "SUSE Manager Server 4.1", "requests-9-1.noarch"),
            ("recommended", SP4, "requests-debuginfo-9-1.noarch"),
            ("recommended", SP4, "requests"),
        ];
        assert_eq!(
            said(&list, &[], &[]),
            ["12 SP4 binary requests Affected < 2.11.1-6.40.1 or >= 2.24.0, < 2.24.0-8.14.1 noarch"]
        );
    }
}
