//! `#[derive(Item)]` for the crate `crawl`.
