//! What pages say of themselves for machines: JSON-LD, microdata, Open Graph and `<meta>`.
//!
//! Given as it was written, with names and values unchanged; only URLs that the standard calls URLs are made absolute. What
//! is broken is skipped, never an error: it is the page's fault and no reason to lose the page.

mod json_ld;
mod meta;
mod microdata;

pub use json_ld::{Blocks, json_ld, json_ld_blocks};
pub use meta::{meta, open_graph};
pub use microdata::microdata;

#[cfg(test)]
mod tests;
