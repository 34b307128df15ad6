//! Pure readers of single header fields.
