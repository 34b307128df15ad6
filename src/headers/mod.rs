//! Pure readers of single header fields.

pub mod charset;
pub mod date;
pub mod directives;
pub mod rate_limit;
pub mod retry_after;
pub mod validators;
