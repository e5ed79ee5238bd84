//! CVSS base scores from vectors. Published scores are not used: some are the temporal score.

mod v2;
mod v3;
mod v4;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which rules a vector follows, the newest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// CVSS 2.0.
    #[serde(rename = "2.0")]
    V2,
    /// CVSS 3.0.
    #[serde(rename = "3.0")]
    V3_0,
    /// CVSS 3.1.
    #[serde(rename = "3.1")]
    V3_1,
    /// CVSS 4.0.
    #[serde(rename = "4.0")]
    V4,
}

/// A score in tenths, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl Score {
    /// The tenths.
    pub fn tenths(self) -> u8 {
        self.0
    }

    /// The score as the specifications write it, 0.0 to 10.0.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// The score nearest to a number.
    fn nearest(value: f64) -> Self {
        (0..=100)
            .map(Self)
            .min_by(|a, b| (a.value() - value).abs().total_cmp(&(b.value() - value).abs()))
            .unwrap_or(Self(0))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.value())
    }
}

/// A vector that could be scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rating {
    /// The rules that it follows.
    pub version: Version,
    /// The base score (for 4.0, with the threat and environmental metrics that the vector carries).
    pub score: Score,
}

/// The base score of a vector; `None` for what is no vector.
pub fn rate(vector: &str) -> Option<Rating> {
    let (version, metrics) = match vector.split_once('/')? {
        ("CVSS:3.0", metrics) => (Version::V3_0, metrics),
        ("CVSS:3.1", metrics) => (Version::V3_1, metrics),
        ("CVSS:4.0", metrics) => (Version::V4, metrics),
        _ => (Version::V2, vector),
    };
    let metrics = Metrics::parse(metrics)?;
    let score = match version {
        Version::V2 => v2::score(&metrics)?,
        Version::V3_0 => v3::score(&metrics, v3::round_up_3_0)?,
        Version::V3_1 => v3::score(&metrics, v3::round_up_3_1)?,
        Version::V4 => v4::score(&metrics)?,
    };
    Some(Rating { version, score })
}

/// The vectors among some texts, the newest version first, each once.
pub(super) fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut vectors: Vec<_> = texts.filter_map(|text| Some((rate(text)?, text))).collect();
    vectors.sort_by(|a, b| b.cmp(a));
    vectors.dedup();
    vectors.into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// The `name:value` pairs of a vector.
struct Metrics<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Metrics<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        text.split('/')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once(':'))
            .collect::<Option<_>>()
            .map(Self)
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(metric, _)| *metric == name).map(|(_, value)| *value)
    }

    /// The weight that a table gives a metric's value.
    fn weight(&self, name: &str, weights: &[(&str, f64)]) -> Option<f64> {
        let value = self.value(name)?;
        weights.iter().find(|(word, _)| *word == value).map(|(_, weight)| *weight)
    }
}
