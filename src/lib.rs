//! A polite web-crawler framework.

/// The built-in demo site: a bookshop on a loopback port, to crawl without internet.
pub mod demo;
