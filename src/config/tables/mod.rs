//! The tables of a crawler file: for each the mirror of what may be written, and what becomes of it.
//!
//! The mirrors are plain data whose doc comments are the reference (they go into the JSON Schema); every key may be absent
//! there, because the values come from the defaults file. Each `build` turns a mirror into the types of the rooms below and
//! reports what makes no sense.

pub(super) mod block;
pub(super) mod cache;
pub(super) mod download;
pub(super) mod fields;
pub(super) mod hosts;
pub(super) mod identity;
pub(super) mod journal;
pub(super) mod ordered;
pub(super) mod pace;
pub(super) mod pages;
pub(super) mod revisit;
pub(super) mod scope;
pub(super) mod seeds;
pub(super) mod sink;
pub(super) mod sitemap;
pub(super) mod url;
pub(super) mod wire;
