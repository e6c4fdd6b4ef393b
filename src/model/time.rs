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
