//! Licences as packages declare them, and as SPDX writes them (SPDX 2.3, annex D "SPDX license expressions").

use spdx::{Expression, ParseMode};

/// What a declared licence is.
pub(super) enum License<'a> {
    /// One licence of SPDX's list.
    Id(String),
    /// An expression of such.
    Expression(String),
    /// Words that SPDX has no expression for.
    Words(&'a str),
}

/// The licence that a text names.
pub(super) fn license(text: &str) -> License<'_> {
    // Of old names and small slips, the meaning is plain: `GPL-2.0+`, `apache-2.0`, `MIT/X11` is not.
    let mode =
        ParseMode { allow_deprecated: true, allow_imprecise_license_names: false, ..ParseMode::STRICT };
    let Ok(expression) = Expression::parse_mode(text, mode) else { return License::Words(text) };
    let mut terms = expression.requirements();
    match (terms.next(), terms.next()) {
        (Some(only), None) if only.req.license.id().is_some_and(|id| id.name == text) => {
            License::Id(text.to_owned())
        }
        _ => License::Expression(text.to_owned()),
    }
}

impl License<'_> {
    /// The expression, if it is one.
    pub(super) fn expression(self) -> Option<String> {
        match self {
            Self::Id(text) | Self::Expression(text) => Some(text),
            Self::Words(_) => None,
        }
    }
}
