//! Pure readers of single header fields, and of pages that stand in for the one that was asked; and the one field that says who
//! asks.

pub mod challenge;
pub mod charset;
pub mod date;
pub mod directives;
pub mod freshness;
pub mod link;
pub mod rate_limit;
pub mod retry_after;
pub mod user_agent;
pub mod validators;
pub mod vary;
