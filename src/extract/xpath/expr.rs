//! What an expression is made of once it is compiled.

use regex::Regex;

use super::axis::Axis;
use super::function::Function;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Number(f64),
    Literal(String),
    Negate(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Path(Path),
    /// Nodes of another expression that pass predicates.
    Filter(Box<Expr>, Vec<Expr>),
    Call(Call),
}

/// What an expression comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Nodes,
    Number,
    Text,
    Boolean,
}

/// What stands between two operands (XPath 3.3 to 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Compare(Comparison),
    Plus,
    Minus,
    Times,
    Div,
    Mod,
    Union,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Differs,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    /// The same with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }

    pub(super) fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Differs)
    }
}

impl Operator {
    /// How strongly it binds; from weak to strong.
    pub(super) fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Compare(comparison) if comparison.is_equality() => 3,
            Self::Compare(_) => 4,
            Self::Plus | Self::Minus => 5,
            Self::Times | Self::Div | Self::Mod => 6,
            Self::Union => 7,
        }
    }
}

/// A location path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
}

/// Where a path begins.
#[derive(Debug, Clone)]
pub(super) enum Start {
    Context,
    Root,
    Nodes(Box<Expr>),
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Expr>,
}

/// Which nodes of an axis count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// `node()`
    Node,
    /// `text()`
    Text,
    /// `*`: what the axis is mainly about.
    Any,
    /// `xlink:*`
    Prefix(String),
    /// A name in lower case, with its prefix.
    Name(String),
    /// `comment()` and `processing-instruction()`: there are none.
    Nothing,
}

/// A function and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Expr>,
    /// A regular expression that was written out.
    pub(super) pattern: Option<Regex>,
}

impl Expr {
    /// What it comes to.
    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Number(_) | Self::Negate(_) => Type::Number,
            Self::Literal(_) => Type::Text,
            Self::Path(_) | Self::Filter(..) | Self::Binary(Operator::Union, ..) => Type::Nodes,
            Self::Binary(Operator::Or | Operator::And | Operator::Compare(_), ..) => Type::Boolean,
            Self::Binary(..) => Type::Number,
            Self::Call(call) => call.function.kind(),
        }
    }

    /// Whether it may depend on where a node stands among those that are filtered.
    pub(super) fn is_positional(&self) -> bool {
        self.kind() == Type::Number || self.asks_position()
    }

    fn asks_position(&self) -> bool {
        match self {
            Self::Number(_) | Self::Literal(_) => false,
            Self::Negate(inner) => inner.asks_position(),
            Self::Binary(_, left, right) => left.asks_position() || right.asks_position(),
            // Positions in a path's own predicates are others; only what it begins with is asked here.
            Self::Path(path) => matches!(&path.start, Start::Nodes(start) if start.asks_position()),
            Self::Filter(base, _) => base.asks_position(),
            Self::Call(call) => {
                matches!(call.function, Function::Position | Function::Last)
                    || call.arguments.iter().any(Self::asks_position)
            }
        }
    }
}

impl Step {
    /// Whether it gives the same whatever order and place the nodes of its axis have.
    pub(super) fn is_free(&self) -> bool {
        !self.predicates.iter().any(Expr::is_positional)
    }

    /// How many nodes of the axis are enough for the first predicate.
    pub(super) fn enough(&self) -> usize {
        match self.predicates.first() {
            Some(Expr::Number(place)) if *place >= 1.0 && *place < 1e9 => *place as usize,
            _ => usize::MAX,
        }
    }
}
