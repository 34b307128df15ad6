//! The tables of a crawler file: for each the mirror of what may be written, and what becomes of it.
//!
//! The mirrors are plain data whose doc comments are the reference (they go into the JSON Schema); every key may be absent
//! there, because the values come from the defaults file. Each `build` turns a mirror into the types of the rooms below and
//! reports what makes no sense.

pub(super) mod block;
pub(super) mod cache;
mod clean;
pub(super) mod content;
pub(super) mod download;
pub(super) mod expect;
pub(super) mod failed;
pub(super) mod fields;
pub(super) mod follow;
pub(super) mod hosts;
pub(super) mod identity;
pub(super) mod journal;
pub(super) mod labels;
pub(super) mod limits;
pub(super) mod names;
pub(super) mod ordered;
pub(super) mod pace;
pub(super) mod pages;
pub(super) mod paginate;
pub(super) mod requests;
pub(super) mod revisit;
pub(super) mod scope;
pub(super) mod seeds;
pub(super) mod session;
pub(super) mod sink;
pub(super) mod sitemap;
mod sources;
pub(super) mod stage;
pub(super) mod state;
mod trust;
pub(super) mod url;
pub(super) mod warc;
pub(super) mod wire;
mod words;
