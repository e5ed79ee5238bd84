//! CVSS 4.0 (FIRST, "Common Vulnerability Scoring System v4.0: Specification Document", 8): a vector belongs
//! to a macrovector, whose score is looked up and then lowered by how far the vector is from the worst one
//! of its macrovector.

use super::{Metrics, Score};

/// The score. Threat and environmental metrics count if the vector has them, as the specification asks.
pub(super) fn score(metrics: &Metrics<'_>) -> Option<Score> {
    let vector = Vector::new(metrics)?;
    if ["VC", "VI", "VA", "SC", "SI", "SA"].iter().all(|metric| vector.is(metric, "N")) {
        return Some(Score(0));
    }
    let at = vector.macrovector();
    let highest = at.score()?;
    let lowered = [
        (
            at.lower(|at| at.exploitability = at.exploitability.saturating_add(1)),
            EXPLOITABILITY,
            at.exploitability,
        ),
        (at.lower(|at| at.complexity = at.complexity.saturating_add(1)), COMPLEXITY, at.complexity),
        (at.lower_impact(), IMPACT, at.impact),
        (at.lower(|at| at.subsequent = at.subsequent.saturating_add(1)), SUBSEQUENT, at.subsequent),
    ];
    let mut distances = Vec::new();
    for (next, class, level) in lowered {
        if let Some(next) = next {
            distances.push((f64::from(highest) - f64::from(next)) * vector.depth(class, level)?);
        }
    }
    // Exploit maturity has one vector a level: it counts in the mean, and adds nothing to it.
    if at.lower(|at| at.maturity = at.maturity.saturating_add(1)).is_some() {
        distances.push(0.0);
    }
    let total: f64 = distances.iter().sum();
    let mean = total / f64::from(u32::try_from(distances.len().max(1)).ok()?);
    // A half is rounded up; the nudge undoes what binary fractions lose.
    Some(Score::nearest((f64::from(highest) - mean + 1e-6).round() / 10.0))
}

/// A metric with its values, the worst first.
type Metric = (&'static str, &'static [&'static str]);

/// A level of an equivalence class: its worst vectors, and how many steps they are from its mildest.
struct Level {
    worst: &'static [&'static [&'static str]],
    depth: f64,
}

/// Metrics that are judged together (Tables 24 to 29).
struct Class {
    metrics: &'static [Metric],
    levels: &'static [Level],
}

const REQUIREMENT: &[&str] = &["H", "M", "L"];
const VULNERABLE: &[&str] = &["H", "L", "N"];
const BEYOND: &[&str] = &["S", "H", "L", "N"];

/// EQ1.
const EXPLOITABILITY: &Class = &Class {
    metrics: &[("AV", &["N", "A", "L", "P"]), ("PR", &["N", "L", "H"]), ("UI", &["N", "P", "A"])],
    levels: &[
        Level { worst: &[&["N", "N", "N"]], depth: 1.0 },
        Level { worst: &[&["A", "N", "N"], &["N", "L", "N"], &["N", "N", "P"]], depth: 4.0 },
        Level { worst: &[&["P", "N", "N"], &["A", "L", "P"]], depth: 5.0 },
    ],
};

/// EQ2.
const COMPLEXITY: &Class = &Class {
    metrics: &[("AC", &["L", "H"]), ("AT", &["N", "P"])],
    levels: &[
        Level { worst: &[&["L", "N"]], depth: 1.0 },
        Level { worst: &[&["H", "N"], &["L", "P"]], depth: 2.0 },
    ],
};

/// EQ3 and EQ6 together, in the order 00, 01, 10, 11, 21.
const IMPACT: &Class = &Class {
    metrics: &[
        ("VC", VULNERABLE),
        ("VI", VULNERABLE),
        ("VA", VULNERABLE),
        ("CR", REQUIREMENT),
        ("IR", REQUIREMENT),
        ("AR", REQUIREMENT),
    ],
    levels: &[
        Level { worst: &[&["H", "H", "H", "H", "H", "H"]], depth: 7.0 },
        Level { worst: &[&["H", "H", "L", "M", "M", "H"], &["H", "H", "H", "M", "M", "M"]], depth: 6.0 },
        Level { worst: &[&["L", "H", "H", "H", "H", "H"], &["H", "L", "H", "H", "H", "H"]], depth: 8.0 },
        Level {
            worst: &[
                &["L", "H", "L", "H", "M", "H"],
                &["L", "H", "H", "H", "M", "M"],
                &["H", "L", "H", "M", "H", "M"],
                &["H", "L", "L", "M", "H", "H"],
                &["L", "L", "H", "H", "H", "M"],
            ],
            depth: 8.0,
        },
        Level { worst: &[&["L", "L", "L", "H", "H", "H"]], depth: 10.0 },
    ],
};

/// EQ4.
const SUBSEQUENT: &Class = &Class {
    metrics: &[("SC", BEYOND), ("SI", BEYOND), ("SA", BEYOND)],
    levels: &[
        Level { worst: &[&["H", "S", "S"]], depth: 6.0 },
        Level { worst: &[&["H", "H", "H"]], depth: 5.0 },
        Level { worst: &[&["L", "L", "L"]], depth: 4.0 },
    ],
};

/// The levels of the equivalence classes: EQ1, EQ2, EQ3 with EQ6, EQ4, EQ5.
#[derive(Clone, Copy)]
struct Macrovector {
    exploitability: usize,
    complexity: usize,
    impact: usize,
    subsequent: usize,
    maturity: usize,
}

impl Macrovector {
    /// Its score in tenths; `None` if there is no such macrovector.
    fn score(self) -> Option<u8> {
        let of_impact = SCORES.get(self.exploitability)?.get(self.complexity)?.get(self.impact)?;
        of_impact.get(self.subsequent)?.get(self.maturity).copied()
    }

    /// The score of a milder macrovector.
    fn lower(mut self, change: impl FnOnce(&mut Self)) -> Option<u8> {
        change(&mut self);
        self.score()
    }

    /// The score of the next milder impact; of two, the worse one.
    fn lower_impact(self) -> Option<u8> {
        let next: &[usize] = match self.impact {
            0 => &[1, 2],
            1 | 2 => &[3],
            3 => &[4],
            _ => &[],
        };
        next.iter().filter_map(|impact| self.lower(|at| at.impact = *impact)).max()
    }
}

/// The values that count: those of the environment replace those of the base.
struct Vector<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Vector<'a> {
    /// `None` if a metric is missing or has a value that the specification does not know.
    fn new(metrics: &Metrics<'a>) -> Option<Self> {
        let classes = [EXPLOITABILITY, COMPLEXITY, IMPACT, SUBSEQUENT];
        let mut values = Vec::new();
        for (metric, known) in classes.into_iter().flat_map(|class| class.metrics) {
            let stated = |name: &str| metrics.value(name).filter(|value| *value != "X");
            let default = ["CR", "IR", "AR"].contains(metric).then_some("H");
            let value = stated(&format!("M{metric}")).or_else(|| stated(metric)).or(default)?;
            values.push((*metric, known.contains(&value).then_some(value)?));
        }
        let maturity = metrics.value("E").filter(|value| *value != "X").unwrap_or("A");
        values.push(("E", ["A", "P", "U"].contains(&maturity).then_some(maturity)?));
        Some(Self(values))
    }

    fn is(&self, metric: &str, value: &str) -> bool {
        self.0.iter().any(|(name, own)| *name == metric && *own == value)
    }

    /// Tables 24 to 29.
    fn macrovector(&self) -> Macrovector {
        let easy = ["AV", "PR", "UI"].iter().filter(|metric| self.is(metric, "N")).count();
        let exploitability = match easy {
            3 => 0,
            1 | 2 if !self.is("AV", "P") => 1,
            _ => 2,
        };
        let complexity = usize::from(!(self.is("AC", "L") && self.is("AT", "N")));
        let high = |metric| self.is(metric, "H");
        let impact: usize = match (high("VC") && high("VI"), high("VC") || high("VI") || high("VA")) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 3,
        };
        let required =
            [("CR", "VC"), ("IR", "VI"), ("AR", "VA")].iter().any(|(need, hurt)| high(need) && high(hurt));
        let subsequent = match self.is("SI", "S") || self.is("SA", "S") {
            true => 0,
            false if high("SC") || high("SI") || high("SA") => 1,
            false => 2,
        };
        let maturity = ["A", "P", "U"].iter().take_while(|value| !self.is("E", value)).count();
        let impact = impact.saturating_add(usize::from(!required));
        Macrovector { exploitability, complexity, impact, subsequent, maturity }
    }

    /// How far down its level the vector is, 0 to 1: its steps from the first worst vector that is no milder
    /// in any metric, by the depth of the level.
    fn depth(&self, class: &Class, level: usize) -> Option<f64> {
        let level = class.levels.get(level)?;
        let steps = level.worst.iter().find_map(|worst| {
            let pairs = class.metrics.iter().zip(*worst);
            pairs.map(|((metric, values), worst)| self.steps(metric, values, worst)).sum::<Option<usize>>()
        })?;
        Some(f64::from(u32::try_from(steps).ok()?) / level.depth)
    }

    fn steps(&self, metric: &str, values: &[&str], worst: &str) -> Option<usize> {
        let own = values.iter().position(|value| self.is(metric, value))?;
        own.checked_sub(values.iter().position(|value| *value == worst)?)
    }
}

/// Tenths by EQ1, EQ2, EQ3 with EQ6, EQ4, EQ5 (section 8.3, "MacroVector lookup").
#[rustfmt::skip]
const SCORES: [[[[[u8; 3]; 3]; 5]; 2]; 3] = [
    [
        [
            [[100, 98, 95], [100, 93, 91], [93, 89, 81]],
            [[99, 95, 92], [96, 87, 81], [90, 80, 68]],
            [[98, 95, 90], [93, 89, 81], [88, 78, 69]],
            [[95, 92, 84], [92, 81, 65], [80, 70, 48]],
            [[92, 82, 72], [79, 69, 50], [69, 55, 27]],
        ],
        [
            [[99, 95, 92], [95, 90, 84], [92, 82, 72]],
            [[97, 92, 85], [91, 83, 71], [81, 71, 53]],
            [[95, 92, 85], [92, 80, 70], [84, 71, 50]],
            [[93, 85, 73], [82, 72, 59], [70, 52, 30]],
            [[86, 75, 52], [71, 52, 29], [63, 29, 17]],
        ],
    ],
    [
        [
            [[98, 94, 91], [94, 86, 77], [87, 74, 63]],
            [[95, 87, 81], [89, 74, 64], [75, 63, 49]],
            [[94, 88, 76], [86, 74, 59], [72, 57, 52]],
            [[89, 77, 67], [76, 58, 50], [57, 52, 25]],
            [[83, 70, 54], [65, 58, 26], [53, 21, 13]],
        ],
        [
            [[95, 88, 76], [90, 75, 61], [77, 68, 52]],
            [[90, 76, 70], [77, 62, 53], [66, 59, 30]],
            [[89, 76, 62], [74, 57, 47], [61, 57, 24]],
            [[78, 67, 58], [59, 57, 23], [52, 29, 16]],
            [[71, 59, 30], [58, 26, 15], [23, 13, 6]],
        ],
    ],
    [
        [
            [[93, 86, 75], [86, 74, 56], [70, 52, 40]],
            [[87, 72, 58], [74, 61, 34], [54, 40, 22]],
            [[85, 74, 62], [72, 55, 46], [53, 34, 19]],
            [[75, 55, 51], [57, 41, 19], [36, 19, 8]],
            [[64, 51, 20], [47, 21, 11], [24, 9, 4]],
        ],
        [
            [[88, 73, 60], [73, 59, 41], [54, 45, 20]],
            [[75, 53, 50], [55, 40, 20], [43, 22, 11]],
            [[75, 58, 40], [61, 48, 20], [46, 17, 8]],
            [[55, 45, 21], [51, 18, 9], [18, 7, 2]],
            [[53, 24, 14], [24, 12, 5], [10, 3, 1]],
        ],
    ],
];
