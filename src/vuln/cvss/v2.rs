//! CVSS 2.0 (FIRST, "A Complete Guide to the Common Vulnerability Scoring System 2.0", 3.2.1).

use super::{Metrics, Score};

const IMPACT: &[(&str, f64)] = &[("N", 0.0), ("P", 0.275), ("C", 0.660)];

/// The base score.
pub(super) fn score(metrics: &Metrics<'_>) -> Option<Score> {
    let remains = |name| metrics.weight(name, IMPACT).map(|weight| 1.0 - weight);
    let impact = 10.41 * (1.0 - remains("C")? * remains("I")? * remains("A")?);
    let vector = metrics.weight("AV", &[("L", 0.395), ("A", 0.646), ("N", 1.0)])?;
    let complexity = metrics.weight("AC", &[("H", 0.35), ("M", 0.61), ("L", 0.71)])?;
    let authentication = metrics.weight("Au", &[("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
    let exploitability = 20.0 * vector * complexity * authentication;
    let factor = if impact == 0.0 { 0.0 } else { 1.176 };
    // A half is rounded up; the nudge undoes what binary fractions lose.
    let score = (0.6 * impact + 0.4 * exploitability - 1.5) * factor;
    Some(Score::nearest(((score * 10.0 + 1e-9).round()) / 10.0))
}
