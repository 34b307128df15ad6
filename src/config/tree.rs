//! A crawler file as a tree in which every value knows where it came from.
//!
//! The layers (defaults, file, `--set`, flags) are merged here, before anything is given a type, so that every later message
//! and every effective value can name its place. Knows nothing of what the keys mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::path::{Path, Step};

/// Where a value came from; a later layer beats an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The embedded defaults.
    Default,
    /// These bytes of the crawler file.
    File(Range<usize>),
    /// The command line's assignment of this number.
    Given(usize),
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// Where its key stands in the crawler file.
    pub(super) key: Option<Range<usize>>,
}

/// What a node holds. Tables keep the order of the file.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text {
        text: String,
        /// As it stands in the file, if it refers to the environment: then `text` is a secret.
        written: Option<String>,
    },
    Integer(i64),
    Float {
        number: f64,
        written: String,
    },
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// Its problem has been reported; from here on it is as if it were not there.
    Spoilt,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), written: None }
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float { .. } => "a number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Spoilt => "nothing",
        }
    }

    /// As TOML; references to the environment as they were written.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Text { text, written } => {
                toml::Value::from(written.as_ref().unwrap_or(text).as_str()).to_string()
            }
            Self::Integer(number) => number.to_string(),
            Self::Float { written, .. } => written.clone(),
            Self::Bool(flag) => flag.to_string(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.value.to_toml()).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, node)| format!("{} = {}", Path::of(&[key]), node.value.to_toml()))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Self::Spoilt => String::new(),
        }
    }
}

impl Node {
    pub(super) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, key: None }
    }

    /// A value that stands at `path`, as a tree of one branch.
    pub(super) fn at(path: &Path, leaf: Self) -> Self {
        let origin = leaf.origin.clone();
        path.0.iter().rev().fold(leaf, |node, step| match step {
            Step::Key(key) => Self::new(Value::Table(vec![(key.clone(), node)]), origin.clone()),
            Step::Index(_) => node,
        })
    }

    /// The tree of a parsed text; `origin` tells where the bytes of a span stand.
    pub(super) fn of_table(
        table: DeTable<'_>,
        span: Range<usize>,
        origin: &dyn Fn(Range<usize>) -> Origin,
    ) -> Self {
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries
            .into_iter()
            .map(|(key, value)| {
                let mut node = Self::of_value(value, origin);
                if let Origin::File(span) = origin(key.span()) {
                    node.key = Some(span);
                }
                (key.into_inner().into_owned(), node)
            })
            .collect();
        Self::new(Value::Table(entries), origin(span))
    }

    pub(super) fn of_value(value: Spanned<DeValue<'_>>, origin: &dyn Fn(Range<usize>) -> Origin) -> Self {
        let span = value.span();
        let value = match value.into_inner() {
            DeValue::Table(table) => return Self::of_table(table, span, origin),
            DeValue::Array(items) => Value::List(list(items, origin)),
            DeValue::String(text) => Value::text(text),
            DeValue::Boolean(flag) => Value::Bool(flag),
            DeValue::Datetime(moment) => Value::text(moment.to_string()),
            DeValue::Float(float) => Value::Float {
                number: float.as_str().parse().unwrap_or(f64::NAN),
                written: float.as_str().to_owned(),
            },
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Float { number: f64::INFINITY, written: integer.to_string() },
            },
        };
        Self::new(value, origin(span))
    }

    /// Lays `over` on top: tables are merged key by key, everything else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        let known = match (&mut self.value, &over.value) {
            (Value::Table(base), Value::Table(_)) => base.len(),
            _ => return self.replace(over),
        };
        self.origin = over.origin;
        self.key = over.key.or(self.key.take());
        let (Value::Table(base), Value::Table(entries)) = (&mut self.value, over.value) else {
            return;
        };
        for (key, node) in entries {
            // Keys of one layer are unique, so only those that were there before need to be searched.
            match base[..known].iter_mut().find(|(name, _)| *name == key) {
                Some((_, old)) => old.merge(node),
                None => base.push((key, node)),
            }
        }
    }

    fn replace(&mut self, over: Self) {
        let key = over.key.clone().or(self.key.take());
        *self = Self { key, ..over };
    }

    /// The node at `path`, if it is there.
    pub(super) fn find(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |node, step| node.child(step))
    }

    /// The node at `path`, or the last one on the way there.
    pub(super) fn nearest(&self, path: &Path) -> &Self {
        let mut node = self;
        for step in &path.0 {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Table(entries), Step::Key(key)) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (&mut self.value, step) {
            (Value::Table(entries), Step::Key(key)) => {
                entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (Value::List(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// Takes the value at `path` out of the reading; a single value that stands for a list has no elements of its own.
    pub(super) fn spoil(&mut self, path: &Path) {
        self.spoil_below(&path.0);
    }

    fn spoil_below(&mut self, steps: &[Step]) {
        if let Some((step, rest)) = steps.split_first()
            && let Some(child) = self.child_mut(step)
        {
            child.spoil_below(rest);
            return;
        }
        self.value = Value::Spoilt;
    }

    pub(super) fn is_spoilt(&self) -> bool {
        matches!(self.value, Value::Spoilt)
    }

    /// Every value that is no table, in order, with its path. A list of tables counts as many tables.
    pub(super) fn leaves(&self) -> Vec<(Path, &Self)> {
        let mut leaves = Vec::new();
        self.collect(&Path::default(), &mut leaves);
        leaves
    }

    fn collect<'a>(&'a self, path: &Path, leaves: &mut Vec<(Path, &'a Self)>) {
        match &self.value {
            Value::Table(entries) => {
                for (key, node) in entries {
                    node.collect(&path.key(key), leaves);
                }
            }
            Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect(&path.index(index), leaves);
                }
            }
            Value::Spoilt => {}
            _ => leaves.push((path.clone(), self)),
        }
    }
}

fn list(items: DeArray<'_>, origin: &dyn Fn(Range<usize>) -> Origin) -> Vec<Node> {
    items.into_iter().map(|item| Node::of_value(item, origin)).collect()
}
