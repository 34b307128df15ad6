//! Builds the tree of an HTML document at a cost that the page cannot choose.
//!
//! Three things make a tree builder slower or larger than its input: elements nested without end (every tag walks the
//! stack of open elements), formatting elements that are never closed (every paragraph opens them again) and tags with
//! very many attributes (each is compared with all before). So tokens pass a gate on their way into the tree: start tags
//! that would open more than [`MAX_DEPTH`] elements are left out together with their end tags, which *flattens* the
//! document from there on and keeps its text and links; and a tree that has grown to [`MAX_WEIGHT`] takes nothing more.
//! Attributes are cut before they are tokens, see [`super::markup`]. Under these limits each tag may still walk a stack of
//! some hundred elements; a document that makes the parser do so millions of times is cut at [`MAX_STEPS`].
//!
//! Scripting is off, as a crawler runs none: what is inside `<noscript>` is part of the document. Comments are not kept.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::fmt;

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, Tracer, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{Attribute, LocalName, QualName};
use scraper::{Html, HtmlTreeSink};

use super::find::MAX_SIBLING_STEPS;
use super::markup::MAX_ATTRIBUTES;

/// Elements that may be open at once, those counted that would be opened again after a closed block.
pub const MAX_DEPTH: usize = 512;

/// Most elements of a document: above what 10 MiB of dense markup have. Long attributes count for more than one.
pub const MAX_WEIGHT: usize = 500_000;

/// Steps along the stack of open elements, one for each element that is open at each tag, after which the document is cut.
pub const MAX_STEPS: usize = 200_000_000;

/// The stack is counted anew after so many tags: often enough to hold the limit, rarely enough to cost nothing.
const RECOUNT_AFTER: usize = 64;

/// Attributes and bytes of attribute values that weigh as much as one element more.
const ATTRIBUTES_PER_WEIGHT: usize = 4;
const VALUE_BYTES_PER_WEIGHT: usize = 256;

/// Names one node of a tree.
pub(crate) type NodeId = <HtmlTreeSink as TreeSink>::Handle;

type Handle = NodeId;

/// Elements that never hold others, so that they add no depth: let through at the limit.
const LEAVES: [&str; 21] = [
    "area", "base", "br", "embed", "frame", "hr", "iframe", "img", "input", "link", "meta", "noembed",
    "noframes", "script", "source", "style", "textarea", "title", "track", "wbr", "xmp",
];

/// A limit that a document ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nested deeper than so many elements ([`MAX_DEPTH`], or as [`Page::with_most_depth`](super::Page::with_most_depth) says): flattened
    /// from there on.
    Depth(usize),
    /// Heavier than [`MAX_WEIGHT`], or more than [`MAX_STEPS`]: cut there.
    Size,
    /// A tag had more than [`MAX_ATTRIBUTES`]: the rest of them was dropped.
    Attributes,
    /// Selectors with `~` have looked at more than 250 million steps: they find nothing more.
    Siblings,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(most) => {
                write!(
                    f,
                    "elements are nested deeper than {most} (`http.max-element-depth`): the document was flattened"
                )
            }
            Self::Size => write!(f, "the document has too many elements: its tree was cut"),
            Self::Siblings => {
                write!(
                    f,
                    "selectors with `~` take more than {MAX_SIBLING_STEPS} steps: they find nothing more"
                )
            }
            Self::Attributes => {
                write!(f, "a tag has more than {MAX_ATTRIBUTES} attributes: the rest was dropped")
            }
        }
    }
}

/// A document and the limits that it ran into.
#[derive(Debug)]
pub struct Document {
    /// The tree.
    pub html: Html,
    /// The limits, each once.
    pub limits: Vec<Limit>,
    /// To which form a field belongs, where the markup says so: a form that begins in a table does not contain its fields.
    pub(crate) owners: HashMap<NodeId, NodeId>,
}

/// What the tokenizer is to expect after the last tag, as the tree builder told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// Markup.
    Markup,
    /// Raw text up to the end tag of this name.
    Raw(LocalName),
    /// Text up to the end of the document.
    Plaintext,
}

/// Between tokenizer and tree builder: leaves out what would make the tree too deep or too large.
pub(super) struct Gate {
    builder: TreeBuilder<Handle, WeighingSink>,
    most_depth: usize,
    mode: RefCell<Mode>,
    open: Cell<usize>,
    tags_since_count: Cell<usize>,
    steps: Cell<usize>,
    ends_since_count: Cell<bool>,
    was_deep: Cell<bool>,
    left_out: RefCell<HashMap<LocalName, usize>>,
}

impl Gate {
    /// A gate before an empty document, which lets so many elements stand in one another.
    pub(super) fn new(most_depth: usize) -> Self {
        let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
        Self {
            builder: TreeBuilder::new(WeighingSink::new(), options),
            most_depth,
            mode: RefCell::new(Mode::Markup),
            open: Cell::new(0),
            tags_since_count: Cell::new(0),
            steps: Cell::new(0),
            ends_since_count: Cell::new(false),
            was_deep: Cell::new(false),
            left_out: RefCell::default(),
        }
    }

    /// The finished tree.
    pub(super) fn finish(self) -> Document {
        let depth = self.was_deep.get().then_some(Limit::Depth(self.most_depth));
        let size = self.is_full().then_some(Limit::Size);
        let owners = self.builder.sink.owners.take();
        Document { limits: depth.into_iter().chain(size).collect(), owners, html: self.builder.sink.finish() }
    }

    /// Whether the tree takes nothing more.
    pub(super) fn is_full(&self) -> bool {
        self.builder.sink.weight.get() >= MAX_WEIGHT || self.steps.get() >= MAX_STEPS
    }

    /// What the tokenizer expects next.
    pub(super) fn mode(&self) -> Mode {
        self.mode.borrow().clone()
    }

    /// Whether the current element is one of SVG or MathML.
    pub(super) fn is_foreign(&self) -> bool {
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }

    fn admits(&self, tag: &Tag) -> bool {
        if self.is_full() {
            return false;
        }
        self.tags_since_count.set(self.tags_since_count.get() + 1);
        if self.tags_since_count.get() >= RECOUNT_AFTER {
            self.recount();
        }
        let admitted = match tag.kind {
            TagKind::StartTag => self.admits_start(tag),
            TagKind::EndTag => self.admits_end(&tag.name),
        };
        if admitted {
            self.steps.set(self.steps.get() + self.open.get());
        }
        admitted
    }

    fn admits_start(&self, tag: &Tag) -> bool {
        if self.open.get() >= self.most_depth && self.ends_since_count.get() {
            self.recount();
        }
        if self.open.get() < self.most_depth || self.is_exempt(&tag.name) {
            return true;
        }
        self.was_deep.set(true);
        *self.left_out.borrow_mut().entry(tag.name.clone()).or_default() += 1;
        false
    }

    /// Leaves, and links: an `a` closes the `a` before it. In SVG and MathML neither is true.
    fn is_exempt(&self, name: &LocalName) -> bool {
        (&**name == "a" || LEAVES.contains(&&**name)) && !self.is_foreign()
    }

    fn admits_end(&self, name: &LocalName) -> bool {
        if let Some(count) = self.left_out.borrow_mut().get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        self.ends_since_count.set(true);
        true
    }

    fn recount(&self) {
        let count = Count(Cell::new(0));
        self.builder.trace_handles(&count);
        self.open.set(count.0.get());
        self.tags_since_count.set(0);
        self.ends_since_count.set(false);
        if self.open.get() < self.most_depth / 2 {
            self.left_out.borrow_mut().clear();
        }
    }

    fn note_mode(&self, name: Option<LocalName>, answer: &TokenSinkResult<Handle>) {
        let mode = match (answer, name) {
            (TokenSinkResult::RawData(kind), Some(name)) => {
                debug_assert!(!matches!(kind, RawKind::ScriptDataEscaped(_)));
                Mode::Raw(name)
            }
            (TokenSinkResult::Plaintext, _) => Mode::Plaintext,
            _ => Mode::Markup,
        };
        *self.mode.borrow_mut() = mode;
    }
}

impl TokenSink for Gate {
    type Handle = Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<Handle> {
        match token {
            Token::TagToken(tag) => {
                let name = tag.name.clone();
                let answer = if self.admits(&tag) {
                    self.builder.process_token(Token::TagToken(tag), line)
                } else {
                    TokenSinkResult::Continue
                };
                self.note_mode(Some(name), &answer);
                answer
            }
            Token::CommentToken(_) | Token::ParseError(_) => TokenSinkResult::Continue,
            Token::CharacterTokens(_) | Token::NullCharacterToken if self.is_full() => {
                TokenSinkResult::Continue
            }
            other => self.builder.process_token(other, line),
        }
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.is_foreign()
    }
}

/// Counts what the tree builder holds: open elements and formatting elements.
struct Count(Cell<usize>);

impl Tracer for Count {
    type Handle = Handle;

    fn trace_handle(&self, _node: &Handle) {
        self.0.set(self.0.get() + 1);
    }
}

/// The tree, and how heavy it has become.
struct WeighingSink {
    tree: HtmlTreeSink,
    weight: Cell<usize>,
    root_attributes: Cell<usize>,
    owners: RefCell<HashMap<NodeId, NodeId>>,
}

impl WeighingSink {
    fn new() -> Self {
        Self {
            tree: HtmlTreeSink::new(Html::new_document()),
            weight: Cell::new(0),
            root_attributes: Cell::new(0),
            owners: RefCell::default(),
        }
    }
}

fn weight_of(attributes: &[Attribute]) -> usize {
    let bytes: usize = attributes.iter().map(|attribute| attribute.value.len()).sum();
    1 + attributes.len() / ATTRIBUTES_PER_WEIGHT + bytes / VALUE_BYTES_PER_WEIGHT
}

impl TreeSink for WeighingSink {
    type Handle = Handle;
    type Output = Html;
    type ElemName<'a> = Ref<'a, QualName>;

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Handle {
        self.weight.set(self.weight.get() + weight_of(&attributes));
        self.tree.create_element(name, attributes, flags)
    }

    /// Every further `<html …>` and `<body …>` adds its attributes to the first one.
    fn add_attrs_if_missing(&self, target: &Handle, attributes: Vec<Attribute>) {
        let total = self.root_attributes.get() + attributes.len();
        if total <= MAX_ATTRIBUTES {
            self.root_attributes.set(total);
            self.tree.add_attrs_if_missing(target, attributes);
        }
    }

    fn associate_with_form(&self, target: &Handle, form: &Handle, _: (&Handle, Option<&Handle>)) {
        self.owners.borrow_mut().insert(*target, *form);
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn finish(self) -> Html {
        self.tree.finish()
    }

    fn get_document(&self) -> Handle {
        self.tree.get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> Ref<'a, QualName> {
        self.tree.elem_name(target)
    }

    fn create_comment(&self, text: StrTendril) -> Handle {
        self.tree.create_comment(text)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> Handle {
        self.tree.create_pi(target, data)
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.tree.append(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        self.tree.append_based_on_parent_node(element, previous, child);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public_id: StrTendril, system_id: StrTendril) {
        self.tree.append_doctype_to_document(name, public_id, system_id);
    }

    fn get_template_contents(&self, target: &Handle) -> Handle {
        self.tree.get_template_contents(target)
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        self.tree.same_node(x, y)
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.tree.set_quirks_mode(mode);
    }

    fn append_before_sibling(&self, sibling: &Handle, node: NodeOrText<Handle>) {
        self.tree.append_before_sibling(sibling, node);
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.tree.remove_from_parent(target);
    }

    fn reparent_children(&self, node: &Handle, parent: &Handle) {
        self.tree.reparent_children(node, parent);
    }
}
