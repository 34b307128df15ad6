//! Stub until the header rooms land.
use crate::time::Timestamp;
use std::time::Duration;
/// Stub.
pub fn retry_after<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    _date: Option<&str>,
    _now: Timestamp,
) -> Option<Duration> {
    values
        .into_iter()
        .filter_map(|v| std::str::from_utf8(v).ok()?.trim().parse().ok())
        .max()
        .map(Duration::from_secs)
}
