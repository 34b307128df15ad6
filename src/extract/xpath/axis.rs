//! The axes: which nodes lie in which direction (XPath 2.2).
//!
//! Nodes are numbers in document order (see [`Outline`]), so most axes are ranges.

use std::collections::HashSet;

use crate::page::outline::{Kind, Outline};

/// A direction from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Namespace,
    Parent,
    Preceding,
    PrecedingSibling,
    This,
}

impl Axis {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ancestor" => Self::Ancestor,
            "ancestor-or-self" => Self::AncestorOrSelf,
            "attribute" => Self::Attribute,
            "child" => Self::Child,
            "descendant" => Self::Descendant,
            "descendant-or-self" => Self::DescendantOrSelf,
            "following" => Self::Following,
            "following-sibling" => Self::FollowingSibling,
            "namespace" => Self::Namespace,
            "parent" => Self::Parent,
            "preceding" => Self::Preceding,
            "preceding-sibling" => Self::PrecedingSibling,
            "self" => Self::This,
            _ => return None,
        })
    }

    /// The nodes in this direction, the nearest first. Some may lie on another axis, see [`Axis::holds`].
    pub(super) fn nodes<'o>(self, outline: &'o Outline, node: u32) -> Box<dyn Iterator<Item = u32> + 'o> {
        let is_attribute = matches!(outline.kind(node), Kind::Attribute(_));
        let around =
            move |node: u32| std::iter::successors(outline.parent(node), |node| outline.parent(*node));
        let inside = outline.content(node)..outline.end(node);
        match self {
            Self::Ancestor => Box::new(around(node)),
            Self::AncestorOrSelf => Box::new(std::iter::once(node).chain(around(node))),
            Self::Attribute if is_attribute => Box::new(std::iter::empty()),
            Self::Attribute => Box::new(node + 1..outline.content(node)),
            Self::Child => {
                let first = Some(inside.start).filter(|first| *first < inside.end);
                Box::new(std::iter::successors(first, |child| outline.next(*child)))
            }
            Self::Descendant => Box::new(inside),
            Self::DescendantOrSelf => Box::new(std::iter::once(node).chain(inside)),
            Self::Following => {
                // What follows an attribute is what lies in its element, and after it.
                let owner = outline.parent(node).filter(|_| is_attribute);
                Box::new(owner.map_or(inside.end, |owner| outline.content(owner))..outline.len())
            }
            Self::FollowingSibling => {
                Box::new(std::iter::successors(outline.next(node), |sibling| outline.next(*sibling)))
            }
            Self::Namespace => Box::new(std::iter::empty()),
            Self::Parent => Box::new(outline.parent(node).into_iter()),
            Self::Preceding => Box::new((0..node).rev()),
            Self::PrecedingSibling => {
                let before = |node: u32| outline.previous(node);
                Box::new(std::iter::successors(before(node), move |sibling| before(*sibling)))
            }
            Self::This => Box::new(std::iter::once(node)),
        }
    }

    /// Whether a node that [`Axis::nodes`] gave lies on the axis: not if it is an attribute passed by, or an ancestor on the
    /// way back.
    pub(super) fn holds(self, outline: &Outline, from: u32, node: u32) -> bool {
        let is_attribute = matches!(outline.kind(node), Kind::Attribute(_));
        match self {
            Self::Attribute => is_attribute,
            Self::Preceding => !is_attribute && outline.end(node) <= from,
            Self::Descendant | Self::Following => !is_attribute,
            Self::DescendantOrSelf => !is_attribute || node == from,
            _ => true,
        }
    }

    /// Whether the nodes come in the reverse of the document's order.
    pub(super) fn is_reverse(self) -> bool {
        matches!(self, Self::Ancestor | Self::AncestorOrSelf | Self::Preceding | Self::PrecedingSibling)
    }

    /// Those of some nodes, in document order, from which all is found that is found from any of them. So a walk over nodes
    /// inside of each other stays linear.
    pub(super) fn sufficient(self, outline: &Outline, mut nodes: Vec<u32>) -> Vec<u32> {
        let is_attribute = |node: u32| matches!(outline.kind(node), Kind::Attribute(_));
        match self {
            Self::Descendant | Self::DescendantOrSelf => {
                let mut covered = 0;
                nodes.retain(|node| {
                    let is_new = outline.end(*node) > covered || is_attribute(*node);
                    covered = covered.max(outline.end(*node));
                    is_new
                });
            }
            Self::Following => {
                let first = |node: &u32| self.nodes(outline, *node).next().unwrap_or(u32::MAX);
                nodes = nodes.into_iter().min_by_key(first).into_iter().collect();
            }
            Self::Preceding => nodes = nodes.pop().into_iter().collect(),
            Self::FollowingSibling | Self::PrecedingSibling => {
                let mut parents = HashSet::new();
                nodes.retain(|node| !is_attribute(*node));
                if self.is_reverse() {
                    nodes.reverse();
                }
                nodes.retain(|node| parents.insert(outline.parent(*node)));
            }
            _ => {}
        }
        nodes
    }
}
