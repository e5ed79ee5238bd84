//! What to fix first, and why: an order that needs nothing but what a finding says. What is known to happen
//! comes before what could, and what could before what would be bad.

use std::cmp::{Ordering, Reverse};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Exploit, ExploitKind, Finding, Kev, Severity};

/// From which EPSS score on a vulnerability is likely to be exploited within 30 days. One in twenty has it, and
/// most of those that are exploited.
pub const LIKELY: f64 = 0.1;

/// The source of an exploit that is CISA's word, not a collection's, and its word for use in attacks.
const ASSESSMENT: (&str, &str) = ("ssvc", "active");

/// How a vulnerability can be used by now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exploitability {
    /// Whether it is used in attacks: CISA's catalogue has it, or CISA's assessment says so.
    pub active: bool,
    /// Whether anybody can get an exploit.
    pub published: bool,
    /// Whether an exploit is known to work: a collection tried it, or it is used in attacks.
    pub verified: bool,
    /// Whether a kit runs it.
    pub in_kit: bool,
    /// How exploits are used, if it is told.
    pub kinds: Vec<ExploitKind>,
}

impl Exploitability {
    /// What exploits and the catalogue of known exploited vulnerabilities show.
    pub fn of(exploits: &[Exploit], kev: Option<&Kev>) -> Self {
        let (source, word) = ASSESSMENT;
        let is_active = |exploit: &Exploit| exploit.source == source && exploit.id == word;
        let active = kev.is_some() || exploits.iter().any(is_active);
        let mut kinds: Vec<_> = exploits.iter().map(|exploit| exploit.kind).collect();
        kinds.retain(|kind| *kind != ExploitKind::Unknown);
        kinds.sort();
        kinds.dedup();
        Self {
            active,
            // What attackers have need not be public.
            published: exploits.iter().any(|exploit| !is_active(exploit)),
            verified: active || exploits.iter().any(|exploit| exploit.verified),
            in_kit: exploits.iter().any(|exploit| exploit.in_kit),
            kinds,
        }
    }
}

/// Why a finding has its place, the most urgent first. The first that holds counts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Ransomware is known to use it (CISA's catalogue).
    Ransomware,
    /// It is used in attacks (CISA's catalogue or assessment).
    Exploited,
    /// A kit runs an exploit.
    InKit,
    /// An exploit is known to work.
    VerifiedExploit,
    /// Its EPSS score is 0.1 or more.
    LikelyExploited,
    /// There is an exploit, whether it works or not.
    PublishedExploit,
    /// Critical severity.
    Critical,
    /// High severity.
    High,
    /// Medium severity.
    Medium,
    /// Low severity.
    Low,
    /// None of these.
    #[default]
    Other,
}

/// A finding's place among others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Priority {
    /// From 1, what to fix first, to 11.
    pub rank: u8,
    /// Why.
    pub because: Because,
}

impl Priority {
    /// The place of a finding, by what else it says.
    pub fn of(finding: &Finding) -> Self {
        let Exploitability { active, published, verified, in_kit, .. } = finding.exploitability;
        let likely = finding.epss.as_ref().is_some_and(|epss| epss.score >= LIKELY);
        let (rank, because) = match finding.severity {
            _ if finding.kev.as_ref().is_some_and(|kev| kev.ransomware) => (1, Because::Ransomware),
            _ if active => (2, Because::Exploited),
            _ if in_kit => (3, Because::InKit),
            _ if verified => (4, Because::VerifiedExploit),
            _ if likely => (5, Because::LikelyExploited),
            _ if published => (6, Because::PublishedExploit),
            Severity::Critical => (7, Because::Critical),
            Severity::High => (8, Because::High),
            Severity::Medium => (9, Because::Medium),
            Severity::Low => (10, Because::Low),
            Severity::Negligible | Severity::Unknown => (11, Because::Other),
        };
        Self { rank, because }
    }
}

impl Finding {
    /// What to fix first comes first: by priority; then what can be fixed before what cannot, the worse severity,
    /// the higher EPSS score, the id and the package.
    pub fn urgency(&self, other: &Self) -> Ordering {
        let rank = |f: &Self| (f.priority, f.fixed_in.is_empty(), Reverse(f.severity));
        let likely = |f: &Self| f.epss.as_ref().map_or(0.0, |epss| epss.score);
        let names = (&self.id, &self.package).cmp(&(&other.id, &other.package));
        rank(self).cmp(&rank(other)).then(likely(other).total_cmp(&likely(self))).then(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::finding::{Epss, Fix, testing};

    fn finding(id: &str, severity: Severity) -> Finding {
        Finding {
            severity,
            fixed_in: vec!["2".to_owned()],
            fix: Fix::Available,
            ..testing::finding(id, "pkg:npm/a@1")
        }
    }

    fn exploit(source: &str, id: &str, verified: bool, in_kit: bool) -> Exploit {
        let (source, id) = (source.to_owned(), id.to_owned());
        Exploit { source, id, kind: ExploitKind::Remote, verified, in_kit, date: None }
    }

    fn kev(ransomware: bool) -> Option<Kev> {
        Some(Kev { date_added: "2024-01-01".to_owned(), due_date: None, ransomware })
    }

    #[test]
    fn each_reason_in_its_place() {
        let epss = |score| Some(Epss { score, percentile: score, date: None });
        let low = |id| finding(id, Severity::Low);
        let with = |id, exploits| Finding { exploits, ..low(id) };
        let order = [
            Finding { kev: kev(true), ..low("ransomware") },
            Finding { kev: kev(false), ..low("kev") },
            with("ssvc active", vec![exploit("ssvc", "active", true, false)]),
            with("kit", vec![exploit("metasploit", "m", true, true)]),
            with("verified", vec![exploit("exploit-db", "1", true, false)]),
            Finding { epss: epss(0.1), ..low("likely") },
            with("poc", vec![exploit("ssvc", "poc", false, false)]),
            Finding { epss: epss(0.09), ..finding("critical, likelier", Severity::Critical) },
            finding("critical", Severity::Critical),
            Finding { fixed_in: Vec::new(), ..finding("critical without a fix", Severity::Critical) },
            finding("high", Severity::High),
            finding("medium", Severity::Medium),
            low("low"),
            finding("negligible", Severity::Negligible),
            finding("unknown a", Severity::Unknown),
            finding("unknown b", Severity::Unknown),
        ];
        let mut rated = order.map(|mut finding| {
            finding.exploitability = Exploitability::of(&finding.exploits, finding.kev.as_ref());
            finding.priority = Priority::of(&finding);
            finding
        });
        let expected: Vec<_> = rated.iter().map(|finding| finding.id.clone()).collect();
        let ranks: Vec<_> = rated.iter().map(|finding| finding.priority.rank).collect();
        assert_eq!(ranks, [1, 2, 2, 3, 4, 5, 6, 7, 7, 7, 8, 9, 10, 11, 11, 11]);
        rated.reverse();
        rated.sort_by(Finding::urgency);
        let sorted: Vec<_> = rated.iter().map(|finding| finding.id.clone()).collect();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn what_is_known_of_exploits() {
        let of = |exploits: &[Exploit], kev: Option<Kev>| {
            let Exploitability { active, published, verified, in_kit, .. } =
                Exploitability::of(exploits, kev.as_ref());
            [active, published, verified, in_kit]
        };
        assert_eq!(of(&[], None), [false; 4]);
        assert_eq!(of(&[], kev(false)), [true, false, true, false]);
        assert_eq!(of(&[exploit("ssvc", "active", true, false)], None), [true, false, true, false]);
        assert_eq!(of(&[exploit("ssvc", "poc", false, false)], None), [false, true, false, false]);
        assert_eq!(of(&[exploit("metasploit", "m", true, true)], None), [false, true, true, true]);
        let kinds =
            Exploitability::of(&[exploit("a", "1", false, false), exploit("b", "2", false, false)], None)
                .kinds;
        assert_eq!(kinds, [ExploitKind::Remote]);
    }
}
