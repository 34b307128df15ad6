//! So many requests in so much time.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// So many requests in so much time, as in `5/s`, `100/min` or `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    /// Requests.
    pub requests: NonZeroU32,
    /// The time for them.
    pub per: Duration,
}

impl Rate {
    /// The time from one request to the next if they are spread evenly.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.per / self.requests.get()
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of requests in a time: \"10/s\", \"100/min\" or \"1000/h\"")]
pub struct RateError;

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            _ => return Err(RateError),
        };
        let requests = count.trim().parse().map_err(|_| RateError)?;
        Ok(Self { requests, per: Duration::from_secs(seconds) })
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_requests_in_a_time() {
        for (text, millis) in [("10/s", 100), (" 30 / min", 2_000), ("1/h", 3_600_000)] {
            assert_eq!(text.parse::<Rate>().unwrap().interval(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "10", "0/s", "-1/s", "1/day", "1.5/s", "99999999999/s"] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }
}
