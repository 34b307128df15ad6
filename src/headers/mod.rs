//! Pure readers of single header fields.
pub mod retry_after;
