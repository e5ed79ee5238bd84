//! How long to wait before another try: what the server asks for (`Retry-After`, RFC 9110 section 10.2.3), or twice as long
//! each time. Few requests of one process are under way at once, so that nothing is gained by jitter.

use std::time::Duration;

use time::{Date, Month, OffsetDateTime, Time};

use crate::limits;

/// What is waited before the second try.
const FIRST: Duration = Duration::from_millis(250);

/// The pause after the try of this number, counted from 1. What a server asks for is bounded.
pub(super) fn after(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(1u32.unbounded_shl(tries.saturating_sub(1).min(16)));
    asked.unwrap_or(doubled).min(limits::HTTP_PAUSE)
}

/// What a `Retry-After` of seconds or of a date asks for. The time of the answer, by the server's clock, is `date`, or
/// else `now`. A date that has passed asks for nothing.
pub(super) fn asked(value: &str, date: Option<&str>, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are longer than any bound.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let since = date.and_then(|date| parse(date, now)).unwrap_or(now);
    let seconds = parse(value, now)?.unix_timestamp().checked_sub(since.unix_timestamp())?;
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// A date in one of the three forms of RFC 9110 section 5.6.7, all of which are in GMT.
fn parse(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let words: Vec<&str> = text.split([' ', ',', '-', ':']).filter(|word| !word.is_empty()).collect();
    let (year, month, day, clock) = match *words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
        [_, day, month, year, h, m, s, "GMT"] => (year, month, day, [h, m, s]),
        // Sun Nov  6 08:49:37 1994
        [_, month, day, h, m, s, year] => (year, month, day, [h, m, s]),
        _ => return None,
    };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = months.iter().zip(1u8..).find(|(name, _)| **name == month)?.1;
    let month = Month::try_from(number).ok()?;
    let mut full: i32 = year.parse().ok().filter(|_| year.len() == 2 || year.len() == 4)?;
    if year.len() == 2 {
        // Of the years that end so, the last that is no more than 50 years ahead.
        let century = now.year().checked_div(100)?.checked_mul(100)?;
        full = full.checked_add(century)?;
        if full > now.year().checked_add(50)? {
            full = full.checked_sub(100)?;
        }
    }
    let [hour, minute, second] = clock.map(|word| word.parse::<u8>().ok());
    // A leap second is as good as the one before it.
    let time = Time::from_hms(hour?, minute?, second?.min(59)).ok()?;
    let date = Date::from_calendar_date(full, month, day.parse().ok()?).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(1994-11-06 08:49:07 UTC);

    #[test]
    fn pauses_double_and_are_bounded() {
        let millis: Vec<u128> = (1..=5).map(|tries| after(tries, None).as_millis()).collect();
        assert_eq!(millis, [250, 500, 1000, 2000, 4000]);
        assert_eq!(after(u32::MAX, None), limits::HTTP_PAUSE);
        assert_eq!(after(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(after(4, Some(Duration::ZERO)), Duration::ZERO);
        assert_eq!(after(1, Some(Duration::MAX)), limits::HTTP_PAUSE);
    }

    #[test]
    fn servers_ask_in_seconds_or_by_a_date_in_three_forms() {
        let half_a_minute = Some(Duration::from_secs(30));
        for value in [
            "30",
            " 30 ",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(asked(value, None, NOW), half_a_minute, "{value}");
        }
        assert_eq!(asked("0", None, NOW), Some(Duration::ZERO));
        assert_eq!(asked("99999999999999999999999", None, NOW), Some(Duration::from_secs(u64::MAX)));
        // By the server's clock, whatever the own one says.
        let (date, later) = ("Tue, 01 Jan 2030 00:00:00 GMT", "Tue, 01 Jan 2030 00:00:05 GMT");
        assert_eq!(asked(later, Some(date), NOW), Some(Duration::from_secs(5)));
        assert_eq!(asked(later, Some("?"), NOW), asked(later, None, NOW));
        for passed in ["Sun, 06 Nov 1994 08:49:06 GMT", "Sunday, 06-Nov-95 08:49:37 GMT"] {
            let now = datetime!(1996-01-01 0:00 UTC);
            assert_eq!(asked(passed, None, now), None, "{passed}");
        }
        assert_eq!(parse("Friday, 01-Jan-99 00:00:00 GMT", NOW).unwrap().year(), 1999);
        assert_eq!(
            parse("Friday, 01-Jan-99 00:00:00 GMT", datetime!(2026-01-01 0:00 UTC)).unwrap().year(),
            1999
        );
        assert_eq!(
            parse("Friday, 01-Jan-70 00:00:00 GMT", datetime!(2026-01-01 0:00 UTC)).unwrap().year(),
            2070
        );
        for wrong in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(asked(wrong, None, NOW), None, "{wrong}");
        }
    }
}
