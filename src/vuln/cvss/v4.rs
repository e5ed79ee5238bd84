//! CVSS 4.0.

use super::{Metrics, Score};

/// The score.
pub(super) fn score(_metrics: &Metrics<'_>) -> Option<Score> {
    None
}
