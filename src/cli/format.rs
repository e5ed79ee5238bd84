//! The formats of a report.

use clap::ValueEnum;
use icecore::report;

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Ndjson,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    #[value(name = "spdx-2.3", alias = "spdx")]
    Spdx2,
    /// SPDX 3.0.1, JSON-LD
    #[value(name = "spdx-3.0")]
    Spdx3,
}

impl Format {
    /// The form of a bill of materials, if it is one.
    pub(crate) fn bill(self) -> Option<report::Form> {
        match self {
            Self::Cyclonedx => Some(report::Form::CycloneDx),
            Self::Spdx2 => Some(report::Form::Spdx2),
            Self::Spdx3 => Some(report::Form::Spdx3),
            Self::Table | Self::Json | Self::Ndjson => None,
        }
    }
}
