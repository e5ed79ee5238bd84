//! Dates and times as FAT and exFAT keep them: years since 1980, two seconds each, of a clock whose zone is not told.

use super::Timestamp;

/// A date and time of day as seconds since 1970, in the zone of whoever wrote them. What is no day or month is the first.
pub(in crate::fs) fn seconds(date: u16, time: u16) -> i64 {
    let (year, month, day) = (i64::from(date >> 9), i64::from(date >> 5 & 0xf), i64::from(date & 0x1f));
    let (hour, minute, second) = (i64::from(time >> 11), i64::from(time >> 5 & 0x3f), i64::from(time & 0x1f));
    let year = year.saturating_add(1980);
    let (month, day) = (month.clamp(1, 12), day.max(1));
    // Days since 1970-01-01, of years that begin in March so that the leap day is the last.
    let (year, month) = if month > 2 {
        (year, month.saturating_sub(3))
    } else {
        (year.saturating_sub(1), month.saturating_add(9))
    };
    let in_year =
        month.saturating_mul(153).saturating_add(2).div_euclid(5).saturating_add(day).saturating_sub(1);
    let leaps = year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    let days = year.saturating_mul(365).saturating_add(leaps).saturating_add(in_year).saturating_sub(719_468);
    let of_day = hour
        .saturating_mul(3600)
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second.saturating_mul(2));
    days.saturating_mul(86_400).saturating_add(of_day)
}

/// The same as a point in time, `hundredths` of a second later.
pub(in crate::fs) fn timestamp(seconds: i64, hundredths: u8) -> Timestamp {
    let nanos = u32::from(hundredths.min(199)).saturating_mul(10_000_000);
    Timestamp {
        seconds: seconds.saturating_add(i64::from(nanos >= 1_000_000_000)),
        nanos: nanos.checked_rem(1_000_000_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_common_and_leap_years() {
        let at = |year: u16, month: u16, day: u16| seconds((year - 1980) << 9 | month << 5 | day, 0);
        assert_eq!(at(1980, 1, 1), 315_532_800);
        assert_eq!(at(2000, 2, 29), 951_782_400);
        assert_eq!(at(2000, 3, 1), 951_868_800);
        assert_eq!(at(2026, 11, 27), 1_795_737_600);
        assert_eq!(at(2107, 12, 31), 4_354_732_800);
        assert_eq!(seconds(0, 0), 315_532_800);
        assert_eq!(seconds(0x21, 23 << 11 | 59 << 5 | 29) - 315_532_800, 86_398);
        assert_eq!(timestamp(5, 150), Timestamp { seconds: 6, nanos: 500_000_000 });
    }
}
