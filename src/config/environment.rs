//! `${NAME}` in a string: the value of an environment variable, so that no secret need stand in a crawler file.
//!
//! `${NAME:-fallback}` has a value for the case that the variable is not set or empty; `$${` stands for the characters `${`.
//! Whatever came out of the environment is kept beside the reference and never printed.

use super::path::Path;
use super::problem::{Finding, Spot};
use super::tree::{Node, Value};

/// Asks for an environment variable.
pub(super) type Lookup = dyn Fn(&str) -> Option<String>;

/// Replaces the references in every string of the tree; a string whose variable is not set is reported and taken out.
pub(super) fn resolve(tree: &mut Node, lookup: &Lookup) -> Vec<Finding> {
    let mut findings = Vec::new();
    walk(tree, &Path::default(), lookup, &mut findings);
    findings
}

fn walk(node: &mut Node, path: &Path, lookup: &Lookup, findings: &mut Vec<Finding>) {
    match &mut node.value {
        Value::Table(entries) => {
            for (key, node) in entries {
                walk(node, &path.key(key), lookup, findings);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &path.index(index), lookup, findings);
            }
        }
        Value::Text { text, written } if text.contains("${") => match expand(text, lookup) {
            Ok(Expanded { text: value, secret }) => {
                let reference = std::mem::replace(text, value);
                *written = secret.then_some(reference);
            }
            Err(message) => {
                findings.push(Finding::at(Spot::Value(path.clone()), message));
                node.value = Value::Spoilt;
            }
        },
        _ => {}
    }
}

struct Expanded {
    text: String,
    /// Whether anything came out of the environment.
    secret: bool,
}

fn expand(text: &str, lookup: &Lookup) -> Result<Expanded, String> {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), secret: false };
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let behind = &rest[start + 2..];
        if let Some(plain) = rest[..start].strip_suffix('$') {
            expanded.text.push_str(plain);
            expanded.text.push_str("${");
            rest = behind;
            continue;
        }
        expanded.text.push_str(&rest[..start]);
        let (reference, after) = behind.split_once('}').ok_or_else(not_a_reference)?;
        expanded.text.push_str(&value_of(reference, lookup)?);
        expanded.secret = true;
        rest = after;
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn value_of(reference: &str, lookup: &Lookup) -> Result<String, String> {
    let (name, fallback) = match reference.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback)),
        None => (reference, None),
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(not_a_reference());
    }
    match (lookup(name), fallback) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(fallback)) => Ok(fallback.to_owned()),
        (None, None) => {
            Err(format!("the environment variable {name} is not set: set it, or write ${{{name}:-fallback}}"))
        }
    }
}

fn not_a_reference() -> String {
    "`${` begins a reference to the environment: write ${NAME} or ${NAME:-fallback}, or $${ for the characters themselves"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<(String, bool), String> {
        let lookup = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        expand(text, &lookup).map(|expanded| (expanded.text, expanded.secret))
    }

    #[test]
    fn a_reference_is_replaced_and_makes_the_value_a_secret() {
        assert_eq!(expanded("Bearer ${TOKEN}!"), Ok(("Bearer s3cret!".to_owned(), true)));
        assert_eq!(expanded("${NONE:-plain}"), Ok(("plain".to_owned(), true)));
        assert_eq!(expanded("a $${TOKEN} b"), Ok(("a ${TOKEN} b".to_owned(), false)));
        assert_eq!(expanded("5$"), Ok(("5$".to_owned(), false)));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        assert!(expanded("${NONE}").unwrap_err().contains("variable NONE is not set"));
        for text in ["${", "${}", "${a b}", "${TOKEN"] {
            assert!(expanded(text).unwrap_err().contains("begins a reference"), "{text}");
        }
    }
}
