//! Times and sizes as people write them: `200ms`, `1.5 s`, `5 min`, `1h30m`; `10MiB`, `500 kB`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

const TIME_EXPECTED: &str =
    "expected a time such as \"200ms\", \"1.5s\", \"5min\" or \"1h\" (a plain number is seconds)";
const SIZE_EXPECTED: &str = "expected a size such as \"10MiB\" or \"500kB\" (a plain number is bytes)";

/// No wait is longer than this: a hundred years.
const LONGEST_SECONDS: f64 = 3.2e9;

/// A time, in a string with a unit or as a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Time(pub(super) Duration);

impl Time {
    /// Reads one or more numbers with units.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut rest, mut seconds) = (text.trim(), 0.0);
        if rest.is_empty() {
            return Err(TIME_EXPECTED.to_owned());
        }
        while !rest.is_empty() {
            let (number, unit, behind) = number_and_unit(rest).ok_or(TIME_EXPECTED)?;
            seconds += number * seconds_of(unit).ok_or(TIME_EXPECTED)?;
            rest = behind.trim_start();
        }
        Self::from_seconds(seconds)
    }

    fn from_seconds(seconds: f64) -> Result<Self, String> {
        if !(0.0..=LONGEST_SECONDS).contains(&seconds) {
            return Err(format!("{TIME_EXPECTED}, not below zero and at most a hundred years"));
        }
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| TIME_EXPECTED.to_owned())
    }
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// A number of bytes, in a string with a unit or as a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size(pub(super) u64);

impl Size {
    /// Reads one number with a unit.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match number_and_unit(text.trim()) {
            Some((number, unit, "")) => Self::from_bytes(number * bytes_of(unit).ok_or(SIZE_EXPECTED)?),
            _ => Err(SIZE_EXPECTED.to_owned()),
        }
    }

    fn from_bytes(bytes: f64) -> Result<Self, String> {
        // Up to here every whole number has a place of its own in an f64.
        const MOST: f64 = (1_u64 << 53) as f64;
        if (0.0..=MOST).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(SIZE_EXPECTED.to_owned()) }
    }
}

fn bytes_of(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "byte" | "bytes" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1_024.0,
        "m" | "mib" => 1_048_576.0,
        "g" | "gib" => 1_073_741_824.0,
        _ => return None,
    })
}

/// Cuts `1.5 min rest` into its number, its unit and what comes behind.
fn number_and_unit(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let number = text[..digits].parse().ok()?;
    let rest = text[digits..].trim_start();
    let unit = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
    Some((number, &rest[..unit], &rest[unit..]))
}

/// Reads either a string or a number.
struct Quantity<T> {
    expected: &'static str,
    of_text: fn(&str) -> Result<T, String>,
    of_number: fn(f64) -> Result<T, String>,
}

impl<T> Visitor<'_> for Quantity<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected.trim_start_matches("expected "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.of_text)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        (self.of_number)(number as f64).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        (self.of_number)(number).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(Quantity {
            expected: TIME_EXPECTED,
            of_text: Self::parse,
            of_number: Self::from_seconds,
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(Quantity {
            expected: SIZE_EXPECTED,
            of_text: Self::parse,
            of_number: Self::from_bytes,
        })
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time with its unit, as in \"200ms\", \"1.5s\", \"5min\" or \"1h\"; a plain number is seconds.",
            "type": ["string", "number"],
            "minimum": 0
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes with its unit, as in \"10MiB\" or \"500kB\"; a plain number is bytes.",
            "type": ["string", "integer"],
            "minimum": 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, millis) in [
            ("200ms", 200),
            ("1.5s", 1_500),
            ("5 min", 300_000),
            ("1h", 3_600_000),
            ("1h 30m", 5_400_000),
            ("2", 2_000),
            ("1 day", 86_400_000),
        ] {
            assert_eq!(Time::parse(text), Ok(Time(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "fast", "-1s", "1 fortnight", "1..5s", "1s,", "9999999h", "1e400"] {
            assert!(Time::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [("10MiB", 10 << 20), ("500 kB", 500_000), ("12", 12), ("1GiB", 1 << 30)] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "big", "-1", "1 MiB more", "99999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }
}
