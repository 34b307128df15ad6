//! Numbers, also where the command line or the environment gives them as words.

use super::{Fault, Reader};
use crate::config::tree::Value;

/// A whole number in a range.
pub(super) fn whole(reader: &Reader<'_>, least: i64, most: i64) -> Result<i64, Fault> {
    let number = match &reader.node.value {
        Value::Integer(number) => *number,
        _ => reader
            .untyped()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| reader.expected("a whole number"))?,
    };
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    let bounds = if most == i64::MAX { format!("{least} or more") } else { format!("{least} to {most}") };
    Err(Fault::new(format!("expected a whole number, {bounds}; found {number}")).under(&reader.path))
}

/// Any number that is finite.
pub(super) fn any(reader: &Reader<'_>) -> Result<f64, Fault> {
    let number = match &reader.node.value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float { number, .. } => Some(*number),
        _ => reader.untyped().and_then(|word| word.parse().ok()),
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| reader.expected("a number"))
}
