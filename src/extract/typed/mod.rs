//! Typed items: structs whose fields say where on a page they stand.
//!
//! ```
//! use crawl::prelude::*;
//! use crawl::testing;
//!
//! #[derive(Item, serde::Serialize)]
//! #[item(scope = ".book", kind = "book")]
//! struct Book {
//!     #[item(css = "h2")]
//!     title: String,
//!     #[item(css = ".price")]
//!     price: f64,
//!     #[item(css = ".tag")]
//!     tags: Vec<String>,
//!     #[item(css = "a::attr(href)")]
//!     about: Option<Url>,
//! }
//!
//! let html = "<div class=book> <h2>Sand</h2> <p class=price>£1,204.50</p> <i class=tag>dry</i> <a href=/1>more</a> </div>
//!             <div class=book> <h2>Salt</h2> </div>";
//! let page = testing::page("https://shop.example/", html);
//!
//! let mut harvest = Harvest::new();
//! let books = harvest.items_of::<Book>(&page)?; // what is broken is dropped and reported, the rest is kept
//! assert_eq!((books.len(), books[0].price), (1, 1204.5));
//! assert_eq!(books[0].about.as_ref().unwrap().as_str(), "https://shop.example/1");
//! assert_eq!(
//!     harvest.problems(),
//!     ["https://shop.example/: `Book[1].price` (selector `.price`) is not there: make it an Option or give it a default \
//!       if a page may lack it; 1 entry was dropped"]
//! );
//! assert!(page.items::<Book>().is_err()); // here what is broken fails the page
//! # Ok::<(), ExtractError>(())
//! ```
//!
//! # What a field's type says
//!
//! | type | meaning |
//! |---|---|
//! | `T` | must be there: without it the item is broken |
//! | `Option<T>` | `None` where nothing is found, or nothing but white space |
//! | `Vec<T>` | everything that is found; what is empty is left out |
//!
//! `T` is anything that implements [`FromText`] (`String`, numbers, `bool`, [`Url`](url::Url) and
//! [`CanonicalUrl`](crate::url::CanonicalUrl), which are made absolute, [`Date`], [`DateTime`], `serde_json::Value`, your own),
//! or a struct that derives `Item`.
//!
//! # Keys of a field
//!
//! | `#[item(…)]` | what it does |
//! |---|---|
//! | `css = ".text"` | takes the elements below the scope that match. `::attr(href)` at the end takes an attribute, `::text` is what is taken anyway |
//! | `json = "$.a.b"` | takes the values that the JSONPath finds: in the answer if that is JSON; with `css` or in an element, in the text there |
//! | `attr = "href"` | takes an attribute instead of the text; without `css` that of the scope's own element |
//! | `html` | takes the HTML inside instead of the text |
//! | `text` | takes the text: needed only to say that a field is the scope's own text |
//! | `url` | the page's URL |
//! | `exists` | a `bool`: whether an element matches, or has the attribute |
//! | `regex = r"(\d+) pages"` | takes a part of the text: the group if there is one, else the whole match. No match: nothing is found |
//! | `decimal_sign = ","` | how numbers are written, where the rules of [`NumberStyle`](super::convert::NumberStyle) would decide otherwise |
//! | `format = "%d.%m.%Y"` | how dates are written (`strptime`), see [`DateFormat`](super::convert::DateFormat) |
//! | `with = "function"` | a parser of your own: `fn(&Element<'_>) -> Result<T, E>` or `fn(&str) -> Result<T, E>`, see [`Parser`] |
//! | `default` | `Default::default()` where nothing is found |
//! | `default = "n/a"`, `default = 0` | this value where nothing is found: a text is made into the field's type by `Into`, other expressions are taken as they stand |
//! | `nested` | a struct that is read in the same place as this one, or in its own `scope` there |
//! | `skip` | is not read: `Default::default()` |
//!
//! White space in texts is folded. Of several elements a `T` and an `Option<T>` take the first.
//!
//! # Keys of a struct
//!
//! | `#[item(…)]` | what it does |
//! |---|---|
//! | `scope = ".quote"` | an item for each element that matches. Without it the page is one item |
//! | `scope_json = "$.books[*]"` | an item for each value that the JSONPath finds in a JSON answer; with `scope`, in the text of its elements |
//! | `kind = "quote"` | the kind of its items |
//! | `css(text = ".text", author = ".author")` | the same as `css` at each of these fields |
//!
//! Structs in structs: with `css` (or `json`) a nested struct is read in each element (value) that matches, in its own `scope`
//! there if it has one. A broken entry of a list is dropped, not the item around it.
//!
//! A selector, pattern, JSONPath or format that is wrong is an error of the compiler, and so are keys that do not go together.
//! Selectors are compiled once for each type.
//!
//! # Names
//!
//! The derive is called `Item`, because that is what is made; [`crate::item::Item`], the record on its way to the sinks, is
//! a struct, so the two never meet. The trait is [`FromPage`], as `FromStr` is the trait of what is made from a string.

mod fault;
mod found;
mod harvest;
mod place;
mod session;
mod shape;
mod text;

pub use fault::Fault;
pub use found::{ByElement, ByText, Found, FromFound, FromSpot, Parser, nested};
pub use harvest::FromPage;
pub use place::Place;
pub use session::{MAX_ENTRIES, MAX_NESTING, MAX_TEXT};
pub use shape::{Field, Scope, Shape};
pub use text::{Date, DateTime, FromText, Reading, Unreadable};

#[cfg(test)]
mod tests;
