//! Instants and durations. The instant of a request is read once, outside, and handed down.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970; one is read per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Moment(pub u64);

/// Seconds since 1970, RFC 7519's NumericDate without fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct UnixTime(pub u64);

/// A duration in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Seconds(pub u64);

impl Moment {
    /// The second this moment lies in.
    #[must_use]
    pub fn unix(self) -> UnixTime {
        UnixTime(self.0 / 1000)
    }

    /// Milliseconds from `earlier` to here; 0 when the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl UnixTime {
    /// Seconds from here to `later`; 0 when it has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Seconds {
        Seconds(later.0.saturating_sub(self.0))
    }
}

impl Add<Seconds> for UnixTime {
    type Output = Self;

    fn add(self, seconds: Seconds) -> Self {
        Self(self.0.saturating_add(seconds.0))
    }
}

/// What each unit of seed 004's durations has of microseconds.
const UNITS: [(&str, u64); 7] = [
    ("microseconds", 1),
    ("milliseconds", 1_000),
    ("seconds", 1_000_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("days", 86_400_000_000),
    ("weeks", 604_800_000_000),
];

/// Reads seed 004's `hours=1;minutes=2;seconds=3`: units in any case, each once, decimal numbers of at
/// most six places, blanks around either. Fractions of a second are dropped.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Seconds> {
    let mut seen = [false; UNITS.len()];
    let mut whole = 0_u64;
    for part in text.split(';') {
        let (name, value) = part.split_once('=')?;
        let is_unit = |(unit, _): &(&str, u64)| unit.eq_ignore_ascii_case(name.trim());
        let at = UNITS.iter().position(is_unit)?;
        let seen = seen.get_mut(at)?;
        if std::mem::replace(seen, true) {
            return None;
        }
        let unit = UNITS.get(at)?.1;
        let (count, places) = value.trim().split_once('.').unwrap_or((value.trim(), "0"));
        let count = digits(count)?.checked_mul(unit)?;
        let scale = 10_u64.checked_pow(u32::try_from(places.len()).ok()?)?;
        let rest = digits(places)?.checked_mul(unit)? / scale;
        whole = whole.checked_add(count)?.checked_add(rest)?;
    }
    Some(Seconds(whole / 1_000_000))
}

/// At most twelve digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    let plain = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Prints a duration in seed 004's grammar.
#[must_use]
pub fn print_duration(Seconds(seconds): Seconds) -> String {
    for (unit, length) in [("days", 86_400), ("hours", 3_600), ("minutes", 60)] {
        if seconds % length == 0 && seconds > 0 {
            return format!("{unit}={}", seconds / length);
        }
    }
    format!("seconds={seconds}")
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl UnixTime {
    /// Reads RFC 3339; fractions of a second are dropped.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let number =
            |from: usize, to: usize| digits(text.get(from..to).filter(|part| !part.is_empty())?);
        let is = |at: usize, one: &str| {
            text.get(at..at + 1)
                .is_some_and(|found| one.contains(found))
        };
        let separated = is(4, "-") && is(7, "-") && is(10, "Tt ") && is(13, ":") && is(16, ":");
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let fits = (1..=12).contains(&month) && (1..=days).contains(&day);
        if !separated || !fits || year < 1970 || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut zone = text.get(19..)?;
        if let Some(rest) = zone.strip_prefix('.') {
            zone = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if zone.len() == rest.len() {
                return None;
            }
        }
        // Years that begin in March, as below.
        let (shifted, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let before = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400;
        let days = (before + (153 * month + 2) / 5 + day - 1).checked_sub(719_468)?;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        let offset = |zone: &str| {
            let (hours, minutes) = zone.split_once(':')?;
            let two = |part: &str| digits(part).filter(|_| part.len() == 2);
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60)
        };
        let seconds = match zone.split_at_checked(1)? {
            ("Z" | "z", "") => Some(seconds),
            ("+", zone) => seconds.checked_sub(offset(zone)?),
            ("-", zone) => seconds.checked_add(offset(zone)?),
            _ => None,
        };
        seconds.map(Self)
    }

    /// As RFC 3339 in UTC, `1970-01-01T00:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let ([year, month, date], [hour, minute, second]) = self.parts();
        format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// As HTTP wants it (RFC 9110 §5.6.7), `Thu, 01 Jan 1970 00:00:00 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let ([year, month, date], [hour, minute, second]) = self.parts();
        let named = |names: &[&'static str], at: u64| {
            let name = usize::try_from(at).ok().and_then(|at| names.get(at));
            name.copied().unwrap_or_default()
        };
        let weekday = named(&WEEKDAYS, self.0 / 86_400 % 7);
        let month = named(&MONTHS, month - 1);
        format!("{weekday}, {date:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Year, month and day; hour, minute and second.
    fn parts(self) -> ([u64; 3], [u64; 3]) {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        // Years that begin in March, so that the day of a leap year is the last: 146,097 days make
        // 400 years, and day 0 of 1970 is day 719,468 of that count.
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let date = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + next;
        let time = [second / 3_600, second / 60 % 60, second % 60];
        ([year, month, date], time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_durations_are_read_in_the_grammar_of_the_seed() {
        for (text, seconds) in [
            ("hours=1;minutes=2;seconds=3", 3_723),
            ("minutes=1", 60),
            ("Days=30", 2_592_000),
            ("weeks=1", 604_800),
            ("hours=1.5", 5_400),
            ("minutes=0.25", 15),
            (" seconds = 7 ", 7),
            ("milliseconds=1500", 1),
            ("microseconds=2000000", 2),
            ("seconds=0", 0),
        ] {
            assert_eq!(parse_duration(text), Some(Seconds(seconds)), "{text}");
        }
        for bad in [
            "",
            "1",
            "minute=3",
            "minutes",
            "minutes=",
            "minutes=1=2",
            "minutes=-1",
            "minutes=1;minutes=2",
            "minutes=1;",
            "minutes=NaN",
            "minutes=1e3",
            "seconds=99999999999999999999",
            "years=1",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_printed_duration_reads_as_itself() {
        for seconds in [1, 59, 60, 90, 3_600, 7_200, 86_400, 1_209_600] {
            let printed = print_duration(Seconds(seconds));
            assert_eq!(
                parse_duration(&printed),
                Some(Seconds(seconds)),
                "{printed}"
            );
        }
    }

    #[test]
    fn instants_are_printed_as_http_has_them() {
        for (time, printed) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        ] {
            assert_eq!(UnixTime(time).http_date(), printed);
        }
    }

    #[test]
    fn instants_are_printed_as_rfc_3339() {
        for (time, printed) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(UnixTime(time).rfc3339(), printed);
        }
    }
}
