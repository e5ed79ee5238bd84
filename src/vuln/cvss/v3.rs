//! CVSS 3.0 and 3.1 (FIRST, "Common Vulnerability Scoring System v3.1: Specification Document", 7.1, 7.4 and
//! appendix A). The two differ in how they round up.

use super::{Metrics, Score};

const IMPACT: &[(&str, f64)] = &[("N", 0.0), ("L", 0.22), ("H", 0.56)];

/// The base score.
pub(super) fn score(metrics: &Metrics<'_>, round_up: fn(f64) -> f64) -> Option<Score> {
    let changed = match metrics.value("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let privileges: &[(&str, f64)] = match changed {
        true => &[("N", 0.85), ("L", 0.68), ("H", 0.5)],
        false => &[("N", 0.85), ("L", 0.62), ("H", 0.27)],
    };
    let remains = |name| metrics.weight(name, IMPACT).map(|weight| 1.0 - weight);
    let base = 1.0 - remains("C")? * remains("I")? * remains("A")?;
    let impact = match changed {
        true => 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15),
        false => 6.42 * base,
    };
    let exploitability = 8.22
        * metrics.weight("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
        * metrics.weight("AC", &[("L", 0.77), ("H", 0.44)])?
        * metrics.weight("PR", privileges)?
        * metrics.weight("UI", &[("N", 0.85), ("R", 0.62)])?;
    let score = match (impact <= 0.0, changed) {
        (true, _) => 0.0,
        (false, true) => (1.08 * (impact + exploitability)).min(10.0),
        (false, false) => (impact + exploitability).min(10.0),
    };
    Some(Score::nearest(round_up(score)))
}

/// 3.0: the smallest number with one decimal that is not less.
pub(super) fn round_up_3_0(value: f64) -> f64 {
    (value * 10.0).ceil() / 10.0
}

/// 3.1: the same, deaf to what binary fractions add after the fifth decimal.
pub(super) fn round_up_3_1(value: f64) -> f64 {
    let hundred_thousandths = (value * 100_000.0).round();
    (hundred_thousandths / 10_000.0).ceil() / 10.0
}
