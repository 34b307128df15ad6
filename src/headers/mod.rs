//! Pure readers of single header fields.

pub mod cache_control;
pub mod date;
pub mod retry_after;
pub mod validators;
