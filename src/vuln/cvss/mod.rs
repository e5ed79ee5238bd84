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
        let distance = |score: &Self| (score.value() - value).abs();
        let scores = (0..=100).map(Self);
        scores.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(Self(0))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_version_by_its_own_rules() {
        for (vector, version, score) in [
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", Version::V2, "10.0"),
            ("AV:N/AC:H/Au:N/C:P/I:P/A:P", Version::V2, "5.1"),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Version::V3_0, "10.0"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:C", Version::V3_1, "9.8"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Version::V3_1, "0.0"),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Version::V4, "9.3"),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", Version::V4, "10.0"),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", Version::V4, "0.0"),
        ] {
            let rating = rate(vector).unwrap();
            assert_eq!((rating.version, rating.score.to_string().as_str()), (version, score), "{vector}");
        }
    }

    #[test]
    fn what_is_no_vector() {
        for text in ["", "7.5", "high", "CVSS:3.1/AV:N", "CVSS:5.0/AV:N/AC:L", "AV:N/AC:L/Au:N/C:C/I:C/A:Z"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn the_newest_version_is_first_and_each_vector_once() {
        let three = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
        let four = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N";
        assert_eq!(sorted([three, "high", four, three].into_iter()), [four, three]);
    }

    proptest! {
        #[test]
        fn any_text_is_scored_or_refused(text in "(CVSS:(3.0|3.1|4.0)/)?([A-Z]{1,3}:[A-Z]/){0,12}|.*") {
            prop_assert!(rate(&text).is_none_or(|rating| rating.score.tenths() <= 100));
        }
    }
}
