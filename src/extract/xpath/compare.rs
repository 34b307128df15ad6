//! Comparisons (XPath 3.4). With nodes on a side, one node that fits is enough.
//!
//! Nodes are never compared each with each: for equality their texts are put into a set, for an order the smallest and the
//! greatest decide.

use std::collections::HashSet;

use super::eval::{Run, Stop};
use super::expr::Comparison;
use super::value::{Value, number_of};

impl Run<'_> {
    pub(super) fn compare(&self, how: Comparison, left: &Value, right: &Value) -> Result<bool, Stop> {
        match (left, right) {
            (Value::Nodes(left), Value::Nodes(right)) => self.nodes_with_nodes(how, left, right),
            (Value::Nodes(nodes), other) => self.nodes_with(how, nodes, other),
            (other, Value::Nodes(nodes)) => self.nodes_with(how.mirrored(), nodes, other),
            _ => self.single(how, left, right),
        }
    }

    fn single(&self, how: Comparison, left: &Value, right: &Value) -> Result<bool, Stop> {
        if how.is_equality() {
            if matches!(left, Value::Boolean(_)) || matches!(right, Value::Boolean(_)) {
                return Ok((left.is_true() == right.is_true()) == (how == Comparison::Equal));
            }
            if let (Value::Text(left), Value::Text(right)) = (left, right) {
                return Ok((left == right) == (how == Comparison::Equal));
            }
        }
        Ok(numbers(how, self.number_of(left.clone())?, self.number_of(right.clone())?))
    }

    fn nodes_with(&self, how: Comparison, nodes: &[u32], other: &Value) -> Result<bool, Stop> {
        if let Value::Boolean(_) = other {
            return self.single(how, &Value::Boolean(!nodes.is_empty()), other);
        }
        for node in nodes {
            if self.single(how, &Value::Text(self.text_of_node(*node)?), other)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn nodes_with_nodes(&self, how: Comparison, left: &[u32], right: &[u32]) -> Result<bool, Stop> {
        match how {
            Comparison::Equal => {
                let texts = self.texts(left)?;
                for node in right {
                    if texts.contains(&self.text_of_node(*node)?) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Comparison::Differs => {
                // Only if all on both sides are the same is there no pair that differs.
                let mut texts = self.texts(left)?;
                texts.extend(self.texts(right)?);
                Ok(!left.is_empty() && !right.is_empty() && texts.len() > 1)
            }
            _ => {
                let (least_left, most_left) = self.span(left)?;
                let (least_right, most_right) = self.span(right)?;
                let is_less = matches!(how, Comparison::Less | Comparison::AtMost);
                let pair = if is_less { (least_left, most_right) } else { (most_left, least_right) };
                Ok(numbers(how, pair.0, pair.1))
            }
        }
    }

    fn texts(&self, nodes: &[u32]) -> Result<HashSet<String>, Stop> {
        nodes.iter().map(|node| self.text_of_node(*node)).collect()
    }

    /// The smallest and the greatest number; NaN if no node is a number.
    fn span(&self, nodes: &[u32]) -> Result<(f64, f64), Stop> {
        let mut span = (f64::NAN, f64::NAN);
        for node in nodes {
            let number = number_of(&self.text_of_node(*node)?);
            span = (span.0.min(number), span.1.max(number));
        }
        Ok(span)
    }
}

fn numbers(how: Comparison, left: f64, right: f64) -> bool {
    match how {
        Comparison::Equal => left == right,
        Comparison::Differs => left != right,
        Comparison::Less => left < right,
        Comparison::AtMost => left <= right,
        Comparison::Greater => left > right,
        Comparison::AtLeast => left >= right,
    }
}
