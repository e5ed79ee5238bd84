//! Times as Go writes them.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A time in UTC, `None` for what is none or was never set: Go's zero time is in the year 1.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let time = time.checked_to_offset(UtcOffset::UTC).filter(|time| time.year() > 1)?;
    time.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        let told = |text: &str| rfc3339(text);
        assert_eq!(told("2026-11-27T16:35:19.5+02:00").as_deref(), Some("2026-11-27T14:35:19.5Z"));
        assert_eq!(told("2026-11-21T20:40:09.204666401Z").as_deref(), Some("2026-11-21T20:40:09.204666401Z"));
        for none in ["", "0001-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00+23:59"] {
            assert_eq!(told(none), None, "{none}");
        }
    }
}
