//! Pure readers of single header fields.

pub mod charset;
pub mod directives;
