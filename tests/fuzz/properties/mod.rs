//! One file for each target. A property takes any bytes and panics where something does not hold that must.
//!
//! They are more than "it does not panic": what is written is read back, what is brought into normal form stays so, what comes in
//! pieces is what comes whole, two ways to the same answer agree, and nothing is larger than its bound.

pub mod charset;
pub mod codec;
pub mod config;
pub mod cookies;
pub mod decode;
pub mod extract;
pub mod headers;
pub mod input;
pub mod links;
pub mod robots;
pub mod sitemap;
pub mod url;
pub mod warc;

/// A property: panics if it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// Every target by its name.
pub const ALL: [(&str, Property); 12] = [
    ("charset", charset::check),
    ("codec", codec::check),
    ("config", config::check),
    ("cookies", cookies::check),
    ("decode", decode::check),
    ("extract", extract::check),
    ("headers", headers::check),
    ("links", links::check),
    ("robots", robots::check),
    ("sitemap", sitemap::check),
    ("url", url::check),
    ("warc", warc::check),
];
