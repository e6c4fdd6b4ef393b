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

impl UnixTime {
    /// The instant in UTC, as RFC 3339 §5.6 has it: `2027-01-15T08:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (days, seconds) = (self.0 / 86_400, self.0 % 86_400);
        // Counted from a first of March, so that a leap day is the last of its year: 719468 days lie
        // between that of the year 0 and 1970, 146097 are 400 years.
        let days = days.saturating_add(719_468);
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Five months have 153 days, from March on and from August on.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + next;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Add<Seconds> for UnixTime {
    type Output = Self;

    fn add(self, seconds: Seconds) -> Self {
        Self(self.0.saturating_add(seconds.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_reads_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(UnixTime(seconds).rfc3339(), text);
        }
    }
}
