//! A polite web-crawler framework.

/// What robots.txt asks of a crawler (RFC 9309).
pub mod robots;
