//! Evaluates an expression on a page, and counts what that costs.

use std::cell::{Cell, RefCell};

use regex::Regex;

use crate::page::Page;
use crate::page::outline::{Kind, Outline};

use super::axis::Axis;
use super::expr::{Expr, Operator, Path, Start, Step, Test};
use super::function;
use super::value::{Value, number_of, text_of_number};

/// Bytes of text that are looked at in one step.
const BYTES_PER_STEP: usize = 8;

/// Why an evaluation ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It has taken all steps that it may take.
    Steps,
    /// A regular expression that was worked out on the page is none.
    Pattern(String),
}

/// Where an expression is evaluated (XPath 1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) node: u32,
    /// Its place among those that are filtered, from 1.
    pub(super) position: usize,
    /// How many are filtered.
    pub(super) size: usize,
}

impl Context {
    pub(super) fn of(node: u32) -> Self {
        Self { node, position: 1, size: 1 }
    }
}

/// One evaluation on one page.
pub(super) struct Run<'p> {
    pub(super) page: &'p Page,
    pub(super) outline: &'p Outline,
    left: Cell<u64>,
    /// The last regular expression that was worked out: its flags, its text, itself.
    pub(super) pattern: RefCell<Option<(String, String, Regex)>>,
}

impl<'p> Run<'p> {
    pub(super) fn new(page: &'p Page, steps: u64) -> Self {
        Self { page, outline: page.outline(), left: Cell::new(steps), pattern: RefCell::default() }
    }

    /// Counts steps; an error when there are none left.
    pub(super) fn charge(&self, steps: usize) -> Result<(), Stop> {
        let left = self.left.get().checked_sub(steps as u64).ok_or(Stop::Steps)?;
        self.left.set(left);
        Ok(())
    }

    /// Counts text that is looked at.
    pub(super) fn charge_text(&self, bytes: usize) -> Result<(), Stop> {
        self.charge(1 + bytes / BYTES_PER_STEP)
    }

    pub(super) fn eval(&self, expr: &Expr, context: Context) -> Result<Value, Stop> {
        self.charge(1)?;
        Ok(match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Literal(text) => Value::Text(text.clone()),
            Expr::Negate(inner) => Value::Number(-self.number(inner, context)?),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right, context)?,
            Expr::Path(path) => Value::Nodes(self.path(path, context)?),
            Expr::Filter(base, predicates) => {
                let nodes = self.nodes(base, context)?;
                Value::Nodes(self.filtered(nodes, predicates)?)
            }
            Expr::Call(call) => function::call(self, call, context)?,
        })
    }

    fn binary(&self, operator: Operator, left: &Expr, right: &Expr, context: Context) -> Result<Value, Stop> {
        let arithmetic = |operation: fn(f64, f64) -> f64| {
            Ok(Value::Number(operation(self.number(left, context)?, self.number(right, context)?)))
        };
        match operator {
            Operator::Or => Ok(Value::Boolean(self.is_true(left, context)? || self.is_true(right, context)?)),
            Operator::And => {
                Ok(Value::Boolean(self.is_true(left, context)? && self.is_true(right, context)?))
            }
            Operator::Compare(comparison) => {
                let (left, right) = (self.eval(left, context)?, self.eval(right, context)?);
                self.compare(comparison, &left, &right).map(Value::Boolean)
            }
            Operator::Plus => arithmetic(|left, right| left + right),
            Operator::Minus => arithmetic(|left, right| left - right),
            Operator::Times => arithmetic(|left, right| left * right),
            Operator::Div => arithmetic(|left, right| left / right),
            Operator::Mod => arithmetic(|left, right| left % right),
            Operator::Union => {
                let mut nodes = self.nodes(left, context)?;
                nodes.extend(self.nodes(right, context)?);
                self.in_order(nodes).map(Value::Nodes)
            }
        }
    }

    pub(super) fn is_true(&self, expr: &Expr, context: Context) -> Result<bool, Stop> {
        Ok(self.eval(expr, context)?.is_true())
    }

    pub(super) fn number(&self, expr: &Expr, context: Context) -> Result<f64, Stop> {
        let value = self.eval(expr, context)?;
        self.number_of(value)
    }

    pub(super) fn text(&self, expr: &Expr, context: Context) -> Result<String, Stop> {
        let value = self.eval(expr, context)?;
        self.text_of(value)
    }

    /// The nodes of an expression that was found to give nodes when it was compiled.
    pub(super) fn nodes(&self, expr: &Expr, context: Context) -> Result<Vec<u32>, Stop> {
        match self.eval(expr, context)? {
            Value::Nodes(nodes) => Ok(nodes),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn number_of(&self, value: Value) -> Result<f64, Stop> {
        Ok(match value {
            Value::Number(number) => number,
            Value::Boolean(is_true) => f64::from(u8::from(is_true)),
            other => number_of(&self.text_of(other)?),
        })
    }

    pub(super) fn text_of(&self, value: Value) -> Result<String, Stop> {
        Ok(match value {
            Value::Text(text) => text,
            Value::Number(number) => text_of_number(number),
            Value::Boolean(is_true) => is_true.to_string(),
            Value::Nodes(nodes) => match nodes.first() {
                Some(first) => self.text_of_node(*first)?,
                None => String::new(),
            },
        })
    }

    /// A node's string-value: all text inside (XPath 5).
    pub(super) fn text_of_node(&self, node: u32) -> Result<String, Stop> {
        let mut text = String::new();
        let parts = match self.outline.kind(node) {
            Kind::Attribute(_) | Kind::Text => node..node + 1,
            Kind::Root | Kind::Element(_) => self.outline.content(node)..self.outline.end(node),
        };
        let is_single = parts.len() == 1;
        for part in parts {
            if is_single || self.outline.kind(part) == Kind::Text {
                let piece = self.outline.text(self.page.html(), part);
                self.charge_text(piece.len())?;
                text.push_str(piece);
            } else {
                self.charge(1)?;
            }
        }
        Ok(text)
    }

    fn path(&self, path: &Path, context: Context) -> Result<Vec<u32>, Stop> {
        let mut nodes = match &path.start {
            Start::Context => vec![context.node],
            Start::Root => vec![0],
            Start::Nodes(expr) => self.nodes(expr, context)?,
        };
        for step in &path.steps {
            nodes = self.step(nodes, step)?;
        }
        Ok(nodes)
    }

    /// What a step finds from some nodes.
    fn step(&self, from: Vec<u32>, step: &Step) -> Result<Vec<u32>, Stop> {
        let from = if step.is_free() { step.axis.sufficient(self.outline, from) } else { from };
        let enough = step.enough();
        let mut all = Vec::new();
        for origin in from {
            let mut found = Vec::new();
            for node in step.axis.nodes(self.outline, origin) {
                self.charge(1)?;
                if step.axis.holds(self.outline, origin, node) && self.passes(step.axis, &step.test, node) {
                    found.push(node);
                    if found.len() >= enough {
                        break;
                    }
                }
            }
            all.append(&mut self.filtered(found, &step.predicates)?);
        }
        self.in_order(all)
    }

    fn passes(&self, axis: Axis, test: &Test, node: u32) -> bool {
        let is_main = match self.outline.kind(node) {
            Kind::Element(_) => axis != Axis::Attribute,
            Kind::Attribute(_) => axis == Axis::Attribute,
            Kind::Root | Kind::Text => false,
        };
        match test {
            Test::Node => true,
            Test::Text => self.outline.kind(node) == Kind::Text,
            Test::Any => is_main,
            Test::Name(wanted) => is_main && is_named(self.outline.name(self.page.html(), node), wanted),
            Test::Prefix(wanted) => {
                let (prefix, local) = self.outline.name(self.page.html(), node);
                let prefix = prefix.or_else(|| local.split_once(':').map(|(prefix, _)| prefix));
                is_main && prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(wanted))
            }
            Test::Nothing => false,
        }
    }

    /// The nodes that pass all predicates; they are counted in the order in which they are given.
    fn filtered(&self, mut nodes: Vec<u32>, predicates: &[Expr]) -> Result<Vec<u32>, Stop> {
        for predicate in predicates {
            if let Expr::Number(place) = predicate {
                let is_there = |(index, _): &(usize, u32)| (*index as f64) + 1.0 == *place;
                nodes = nodes.into_iter().enumerate().filter(is_there).map(|(_, node)| node).collect();
                continue;
            }
            let size = nodes.len();
            let mut kept = Vec::new();
            for (index, node) in nodes.into_iter().enumerate() {
                let position = index + 1;
                let passes = match self.eval(predicate, Context { node, position, size })? {
                    Value::Number(number) => number == position as f64,
                    other => other.is_true(),
                };
                if passes {
                    kept.push(node);
                }
            }
            nodes = kept;
        }
        Ok(nodes)
    }

    /// Nodes in document order, each once.
    fn in_order(&self, mut nodes: Vec<u32>) -> Result<Vec<u32>, Stop> {
        self.charge(nodes.len())?;
        if !nodes.is_sorted_by(|one, next| one < next) {
            nodes.sort_unstable();
            nodes.dedup();
        }
        Ok(nodes)
    }
}

/// Whether a prefix and a local name are the name that is wanted, in lower case and with a colon between them.
fn is_named((prefix, local): (Option<&str>, &str), wanted: &str) -> bool {
    let Some(prefix) = prefix else {
        return local.eq_ignore_ascii_case(wanted);
    };
    wanted.split_once(':').is_some_and(|(wanted_prefix, wanted_local)| {
        prefix.eq_ignore_ascii_case(wanted_prefix) && local.eq_ignore_ascii_case(wanted_local)
    })
}
