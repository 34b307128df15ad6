//! A document as one list of nodes in document order, as XPath's data model sees it.
//!
//! The nodes are the root, elements, attributes and texts (there are no comments: the parser drops them). A node's number
//! is its place: an element is followed by its attributes, then by all that is inside. So "before", "after" and "inside"
//! are comparisons of numbers. Made once for a page, when first asked for; one pass without recursion.

use std::cell::OnceCell;
use std::collections::HashMap;

use scraper::{ElementRef, Html, Node};

use super::tree::NodeId;

/// What stands where there is no node.
const NONE: u32 = u32::MAX;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The document, above the `<html>` element.
    Root,
    /// An element with so many attributes.
    Element(u32),
    /// The attribute with this number of its element.
    Attribute(u32),
    /// Text.
    Text,
}

struct Entry {
    id: NodeId,
    parent: u32,
    /// The number after the last node inside.
    end: u32,
    /// The sibling before.
    previous: u32,
    kind: Kind,
}

/// The nodes of a document in document order.
pub(crate) struct Outline {
    entries: Vec<Entry>,
    numbers: OnceCell<HashMap<NodeId, u32>>,
}

impl Outline {
    pub(super) fn of(html: &Html) -> Self {
        let mut outline = Self { entries: Vec::new(), numbers: OnceCell::new() };
        let root = html.tree.root();
        outline.add(root.id(), NONE, NONE, Kind::Root);
        // Nodes to visit with their parents; what stands on top for a parent is its next child.
        let mut open = vec![(root.first_child(), 0_u32, NONE)];
        while let Some((next, parent, previous)) = open.pop() {
            let Some(node) = next else {
                outline.close(parent);
                continue;
            };
            let sibling = node.next_sibling();
            match node.value() {
                Node::Element(element) => {
                    let number = outline.add_element(node.id(), parent, previous, element.attrs.len());
                    open.push((sibling, parent, number));
                    open.push((node.first_child(), number, NONE));
                }
                Node::Text(_) => {
                    let number = outline.add(node.id(), parent, previous, Kind::Text);
                    open.push((sibling, parent, number));
                }
                _ => open.push((sibling, parent, previous)),
            }
        }
        outline
    }

    fn add(&mut self, id: NodeId, parent: u32, previous: u32, kind: Kind) -> u32 {
        let number = self.len();
        self.entries.push(Entry { id, parent, end: number + 1, previous, kind });
        number
    }

    fn add_element(&mut self, id: NodeId, parent: u32, previous: u32, attributes: usize) -> u32 {
        let count = u32::try_from(attributes).expect("attributes of a tag are limited");
        let number = self.add(id, parent, previous, Kind::Element(count));
        for attribute in 0..count {
            self.add(id, number, NONE, Kind::Attribute(attribute));
        }
        number
    }

    fn close(&mut self, parent: u32) {
        let end = self.len();
        self.entries[parent as usize].end = end;
    }

    fn entry(&self, node: u32) -> &Entry {
        &self.entries[node as usize]
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("the weight of a document is limited")
    }

    /// What the node is.
    pub(crate) fn kind(&self, node: u32) -> Kind {
        self.entry(node).kind
    }

    /// The node around it; for an attribute its element.
    pub(crate) fn parent(&self, node: u32) -> Option<u32> {
        Some(self.entry(node).parent).filter(|parent| *parent != NONE)
    }

    /// The number after the last node inside.
    pub(crate) fn end(&self, node: u32) -> u32 {
        self.entry(node).end
    }

    /// Where the content of a node begins: behind its attributes.
    pub(crate) fn content(&self, node: u32) -> u32 {
        match self.kind(node) {
            Kind::Element(attributes) => node + 1 + attributes,
            _ => node + 1,
        }
    }

    /// The child before it in the same parent.
    pub(crate) fn previous(&self, node: u32) -> Option<u32> {
        Some(self.entry(node).previous).filter(|previous| *previous != NONE)
    }

    /// The child after it in the same parent. Attributes have none.
    pub(crate) fn next(&self, node: u32) -> Option<u32> {
        let parent = self.parent(node)?;
        let is_child = !matches!(self.kind(node), Kind::Attribute(_));
        Some(self.end(node)).filter(|next| is_child && *next < self.end(parent))
    }

    /// The number of an element of the tree.
    pub(crate) fn number_of(&self, id: NodeId) -> Option<u32> {
        let numbers = self.numbers.get_or_init(|| {
            let elements = (0..self.len()).filter(|node| matches!(self.kind(*node), Kind::Element(_)));
            elements.map(|node| (self.entry(node).id, node)).collect()
        });
        numbers.get(&id).copied()
    }

    /// The element with this number, or around the attribute with this number.
    pub(crate) fn element<'h>(&self, html: &'h Html, node: u32) -> Option<ElementRef<'h>> {
        html.tree.get(self.entry(node).id).and_then(ElementRef::wrap)
    }

    /// The text with this number; an attribute's value; nothing for elements.
    pub(crate) fn text<'h>(&self, html: &'h Html, node: u32) -> &'h str {
        let Some(found) = html.tree.get(self.entry(node).id) else {
            return "";
        };
        match (self.kind(node), found.value()) {
            (Kind::Text, Node::Text(text)) => text,
            (Kind::Attribute(number), Node::Element(element)) => {
                element.attrs.get(number as usize).map_or("", |(_, value)| value)
            }
            _ => "",
        }
    }

    /// The prefix and local name of an element or attribute as they stand in the tree. Only attributes of SVG and MathML
    /// have a prefix; anywhere else a colon is part of the name.
    pub(crate) fn name<'h>(&self, html: &'h Html, node: u32) -> (Option<&'h str>, &'h str) {
        let element = self.element(html, node).map(|element| element.value());
        match (self.kind(node), element) {
            (Kind::Element(_), Some(element)) => (None, &element.name.local),
            (Kind::Attribute(number), Some(element)) => match element.attrs.get(number as usize) {
                Some((name, _)) => (name.prefix.as_deref().filter(|prefix| !prefix.is_empty()), &name.local),
                None => (None, ""),
            },
            _ => (None, ""),
        }
    }
}
