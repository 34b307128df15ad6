//! A polite web crawler.
pub mod address;
pub mod config;
pub mod extract;
pub mod fetch;
pub mod headers;
pub mod item;
pub mod page;
pub mod politeness;
pub mod request;
pub mod response;
pub mod robots;
pub mod scope;
pub mod sink;
pub mod spider;
pub mod store;
pub mod time;
pub mod url;
