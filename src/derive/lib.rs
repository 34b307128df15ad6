//! `#[derive(Item)]` for the crate `crawl`.
//!
//! What stands in the attributes (selectors, patterns, JSONPaths, which keys go together) is judged here, when the struct is
//! compiled; what they mean on a page is the business of `crawl::extract::typed`, which the generated code calls. It names
//! nothing but public paths of `crawl`.

mod attributes;
mod check;
mod expand;

use proc_macro::TokenStream;
use syn::DeriveInput;

/// Reads a struct from a page: each field from the elements that its selector finds.
///
/// ```text
/// #[derive(Item, serde::Serialize)]
/// #[item(scope = ".quote", kind = "quote")]
/// struct Quote {
///     #[item(css = ".text")]
///     text: String,
///     #[item(css = "a::attr(href)")]
///     about: Option<Url>,
/// }
/// ```
///
/// All keys, and what each does, stand at `crawl::extract::typed`.
#[proc_macro_derive(Item, attributes(item))]
pub fn item(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand::item(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
