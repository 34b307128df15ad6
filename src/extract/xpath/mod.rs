//! XPath 1.0 over the HTML tree of a page (W3C Recommendation of 16 November 1999).
//!
//! All axes, all core functions, and what users of other crawlers bring along: `re:test` and `re:match` of EXSLT and
//! `has-class`. Names are those of HTML: lower case and without a namespace, also inside of SVG and MathML; a test in upper
//! case means the same. The tree is the one that a browser builds: a table's rows lie in a `tbody` even if nobody wrote it. Comments and
//! namespaces are not in it, so `comment()` and the `namespace` axis find nothing. There are no variables.
//!
//! An own evaluator, because the existing ones did not fit: their trees may not go to another thread with the page, a second
//! copy of the document is needed, and none can be told to stop. A page is a stranger's: `//a[following::b]` is quadratic in
//! the length of the document. Here every node that is looked at counts, and an expression that reaches [`MAX_STEPS`] is
//! given up with [`ExtractError::TooMuch`]. Expressions are limited too ([`MAX_PARTS`]), so that no nesting exhausts the stack.

mod axis;
mod compare;
mod eval;
mod expr;
mod function;
mod parse;
mod text;
mod token;
mod value;

use crate::page::Page;
use crate::page::element::Element;
use crate::page::outline::Kind;

use super::ExtractError;
use eval::{Context, Run, Stop};
use expr::Expr;
use value::Value;

pub use parse::MAX_PARTS;

/// Nodes, and pieces of eight bytes of text, that one evaluation may look at.
pub const MAX_STEPS: u64 = 20_000_000;

/// A compiled expression that remembers its text.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::extract::xpath::XPath;
/// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
/// # let url = CanonicalUrl::parse("https://shop.example/")?;
/// # let body = "<table><tr><th>Weight<td>2 kg<tr><th>Colour<td>red</table>";
/// # let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// # let page = Page::new(std::sync::Arc::new(Request::get(url)), response);
/// let colour = XPath::parse("//th[. = 'Colour']/following-sibling::td[1]")?;
/// let found = colour.evaluate(&page, None)?;
/// assert_eq!(found[0].text(), "red");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct XPath {
    text: String,
    expr: Expr,
}

/// One thing that an expression found.
#[derive(Clone)]
pub enum Found<'p> {
    /// An element. The root node, if it is all that was found, is given as the `<html>` element.
    Element(Element<'p>),
    /// An attribute's value, a text, or a string, number or boolean that was worked out.
    Text(String),
}

impl Found<'_> {
    /// The folded text of an element; a text as it stands.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Element(element) => element.text(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl XPath {
    /// Compiles an expression. Names of functions, numbers of arguments and regular expressions are checked here.
    ///
    /// # Errors
    /// [`ExtractError::XPath`] with what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, ExtractError> {
        let expr = parse::parse(text)
            .map_err(|reason| ExtractError::XPath { expression: text.to_owned(), reason })?;
        Ok(Self { text: text.to_owned(), expr })
    }

    /// The expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the expression finds, in the order of the document; a string, number or boolean is one text.
    ///
    /// Relative paths (`td`, `./td`, `.//td`) begin at `scope`, or without one at the `<html>` element. Absolute paths (`//td`,
    /// `/html`) always begin at the root of the document. Attributes of one element come in the order of their names.
    ///
    /// # Errors
    /// [`ExtractError::TooMuch`] after [`MAX_STEPS`]; [`ExtractError::XPath`] if a regular expression that the page made up
    /// is none.
    pub fn evaluate<'p>(
        &self,
        page: &'p Page,
        scope: Option<Element<'p>>,
    ) -> Result<Vec<Found<'p>>, ExtractError> {
        let run = Run::new(page, MAX_STEPS);
        let scope = scope.or_else(|| page.root());
        let node = scope.and_then(|scope| page.outline().number_of(scope.id())).unwrap_or(0);
        let value = run.eval(&self.expr, Context::of(node)).map_err(|stop| self.error(stop))?;
        Ok(match value {
            Value::Nodes(nodes) if nodes == [0] => page.root().map(Found::Element).into_iter().collect(),
            Value::Nodes(nodes) => nodes.into_iter().filter_map(|node| found(page, node)).collect(),
            other => vec![Found::Text(run.text_of(other).map_err(|stop| self.error(stop))?)],
        })
    }

    fn error(&self, stop: Stop) -> ExtractError {
        match stop {
            Stop::Steps => ExtractError::TooMuch { query: self.text.clone(), steps: MAX_STEPS },
            Stop::Pattern(reason) => ExtractError::XPath { expression: self.text.clone(), reason },
        }
    }
}

fn found(page: &Page, node: u32) -> Option<Found<'_>> {
    let (outline, html) = (page.outline(), page.html());
    match outline.kind(node) {
        Kind::Root => None,
        Kind::Element(_) => outline.element(html, node).map(|node| Found::Element(Element::new(page, node))),
        Kind::Attribute(_) | Kind::Text => Some(Found::Text(outline.text(html, node).to_owned())),
    }
}

#[cfg(test)]
mod tests;
