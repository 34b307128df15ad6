//! Elements of a page, in as few words as a spider needs.

use std::collections::HashSet;

use scraper::{ElementRef, Node};
use url::Url;

use super::ExtractError;
use super::css::{AsCss, Css};
use super::find;
use super::serialize;
use super::tree::NodeId;
use crate::page::Page;

/// One element of a page.
#[derive(Clone, Copy)]
pub struct Element<'p> {
    page: &'p Page,
    node: ElementRef<'p>,
}

impl<'p> Element<'p> {
    pub(crate) fn new(page: &'p Page, node: ElementRef<'p>) -> Self {
        Self { page, node }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Whether it is an element of a drawing, which has titles of its own.
    pub(crate) fn is_in_svg(&self) -> bool {
        &*self.node.value().name.ns == "http://www.w3.org/2000/svg"
    }

    /// Itself and everything it lies in.
    pub(crate) fn around(&self) -> Vec<NodeId> {
        let ancestors = self.node.ancestors().map(|node| node.id());
        std::iter::once(self.id()).chain(ancestors).collect()
    }

    /// How many nodes lie in it, itself counted.
    pub(crate) fn nodes(&self) -> usize {
        self.node.descendants().count()
    }

    /// Whether an element of this name is around it.
    pub(crate) fn is_inside(&self, name: &str) -> bool {
        self.node.ancestors().filter_map(ElementRef::wrap).any(|around| around.value().name() == name)
    }

    /// Itself or the innermost element around it that is one of these.
    pub(crate) fn closest(&self, ids: &HashSet<NodeId>) -> Option<Self> {
        let around = self.node.ancestors().filter_map(ElementRef::wrap);
        let found = std::iter::once(self.node).chain(around).find(|node| ids.contains(&node.id()));
        found.map(|node| Self::new(self.page, node))
    }

    /// What it lies in, from the inside out.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Element<'p>> + use<'p> {
        let page = self.page;
        self.node.ancestors().filter_map(ElementRef::wrap).map(move |node| Element { page, node })
    }

    /// The elements right inside of it.
    pub(crate) fn children(&self) -> impl Iterator<Item = Element<'p>> + use<'p> {
        let page = self.page;
        self.node.child_elements().map(move |node| Element { page, node })
    }

    /// All elements inside of it.
    pub(crate) fn descendants(&self) -> impl Iterator<Item = Element<'p>> + use<'p> {
        let page = self.page;
        self.node.descendent_elements().skip(1).map(move |node| Element { page, node })
    }

    /// As [`Element::raw_text`], cut once it has `most` bytes.
    pub(crate) fn raw_text_up_to(&self, most: usize) -> String {
        text_up_to(self.node, most)
    }

    /// The page that it stands on.
    #[must_use]
    pub fn page(&self) -> &'p Page {
        self.page
    }

    /// The tag's name in lower case.
    #[must_use]
    pub fn name(&self) -> &'p str {
        self.node.value().name()
    }

    /// The text inside, with white space at both ends cut and runs folded to one space.
    #[must_use]
    pub fn text(&self) -> String {
        fold(&self.raw_text())
    }

    /// The text inside as it stands; a `<br>` gives a line break, scripts and styles inside give nothing.
    #[must_use]
    pub fn raw_text(&self) -> String {
        text_up_to(self.node, usize::MAX)
    }

    /// An attribute's value as written.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&'p str> {
        self.node.attr(name)
    }

    /// The URL in an attribute, made absolute; `None` if the attribute is not there or holds no URL. A value that is not
    /// for crawling (`mailto:`) is given too.
    #[must_use]
    pub fn url(&self, attribute: &str) -> Option<Url> {
        self.page.absolute(self.attr(attribute)?)
    }

    /// The HTML inside.
    #[must_use]
    pub fn html(&self) -> String {
        serialize::inner(self.node)
    }

    /// All elements below this one that match.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn select<'c>(&self, css: impl AsCss<'c>) -> Result<Selection<'p>, ExtractError> {
        let css = css.css()?;
        Ok(Selection { elements: self.matches(&css).collect() })
    }

    /// The first element below this one that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn first<'c>(&self, css: impl AsCss<'c>) -> Result<Option<Element<'p>>, ExtractError> {
        let css = css.css()?;
        Ok(self.matches(&css).next())
    }

    /// The folded text of the first element below this one that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn text_of<'c>(&self, css: impl AsCss<'c>) -> Result<Option<String>, ExtractError> {
        Ok(self.first(css)?.map(|element| element.text()))
    }

    /// An attribute of the first element below this one that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn attr_of<'c>(&self, css: impl AsCss<'c>, attribute: &str) -> Result<Option<&'p str>, ExtractError> {
        Ok(self.first(css)?.and_then(|element| element.attr(attribute)))
    }

    pub(crate) fn matches<'c>(&self, css: &'c Css) -> impl Iterator<Item = Element<'p>> + use<'p, 'c> {
        let page = self.page;
        let counted =
            css.looks_back.then(|| find::counted(page, css, self.node.child_elements(), Some(self.node)));
        let fast = (!css.looks_back).then(|| self.node.select(css.selector()));
        let found = counted.into_iter().flatten().chain(fast.into_iter().flatten());
        found.map(move |node| Element { page, node })
    }
}

/// Elements that a selector found, in the order of the document.
#[derive(Clone, Default)]
pub struct Selection<'p> {
    elements: Vec<Element<'p>>,
}

impl<'p> Selection<'p> {
    pub(crate) fn of(elements: Vec<Element<'p>>) -> Self {
        Self { elements }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether nothing matched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> Option<Element<'p>> {
        self.elements.first().copied()
    }

    /// The folded text of the first.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.first().map(|element| element.text())
    }

    /// An attribute of the first.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&'p str> {
        self.first()?.attr(name)
    }

    /// The folded text of each.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.elements.iter().map(Element::text).collect()
    }

    /// An attribute of each that has it.
    #[must_use]
    pub fn attrs(&self, name: &str) -> Vec<&'p str> {
        self.elements.iter().filter_map(|element| element.attr(name)).collect()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Element<'p>> + '_ {
        self.elements.iter().copied()
    }
}

impl<'p> IntoIterator for Selection<'p> {
    type Item = Element<'p>;
    type IntoIter = std::vec::IntoIter<Element<'p>>;

    fn into_iter(self) -> Self::IntoIter {
        self.elements.into_iter()
    }
}

/// The text of an element, cut once it has `most` bytes.
pub(super) fn text_up_to(element: ElementRef<'_>, most: usize) -> String {
    let mut text = String::new();
    for node in element.descendants() {
        match node.value() {
            Node::Text(found) => {
                let parent = node.parent().filter(|parent| parent.id() != element.id());
                let around = parent.and_then(|parent| parent.value().as_element());
                if !around.is_some_and(|around| is_hidden(around.name())) {
                    text.push_str(found);
                }
            }
            Node::Element(inner) if inner.name() == "br" => text.push('\n'),
            _ => {}
        }
        if text.len() >= most {
            break;
        }
    }
    text
}

fn is_hidden(name: &str) -> bool {
    matches!(name, "script" | "style")
}

/// Cuts white space at both ends and folds runs inside to one space.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(1_024));
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}
