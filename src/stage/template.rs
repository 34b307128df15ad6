//! Text with fields in it: `{first} {last}`.

use serde_json::{Map, Value};

/// A text in which names in braces stand for fields. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace is never closed.
    #[error("`{{` is never closed: write {{field}}, or {{{{ for a brace")]
    Open,
    /// A brace closes nothing.
    #[error("`}}` closes nothing: write }}}} for a brace")]
    Closed,
    /// No name between the braces.
    #[error("expected the name of a field between the braces")]
    Nameless,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// If its braces make no sense.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                plain.push_str(brace);
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err(TemplateError::Closed);
            }
            let (name, behind) = behind.split_once('}').ok_or(TemplateError::Open)?;
            let name = name.trim();
            if name.is_empty() {
                return Err(TemplateError::Nameless);
            }
            pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain))));
            pieces.push(Piece::Field(name.to_owned()));
            rest = behind;
        }
        plain.push_str(rest);
        pieces.extend((!plain.is_empty()).then_some(Piece::Text(plain)));
        Ok(Self(pieces))
    }

    /// The fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with the values of the fields. One field alone is copied as it is, null if it is not there; in a text, what is
    /// null or not there is empty, and lists and tables are JSON.
    #[must_use]
    pub fn fill(&self, fields: &Map<String, Value>) -> Value {
        if let [Piece::Field(name)] = &self.0[..] {
            return fields.get(name).cloned().unwrap_or_default();
        }
        let text = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(name) => fields.get(name).map(as_text).unwrap_or_default(),
        });
        Value::String(text.collect())
    }
}

/// A value as text; null is empty.
#[must_use]
pub fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> Value {
        let fields = json!({"a": "x", "n": 2.5, "none": null, "list": [1, 2]});
        Template::parse(template).unwrap().fill(fields.as_object().unwrap())
    }

    #[test]
    fn fields_stand_in_text_and_alone_keep_their_type() {
        assert_eq!(filled("{a}-{n}-{none}{missing}"), json!("x-2.5-"));
        assert_eq!(filled("{n}"), json!(2.5));
        assert_eq!(filled("{ list }"), json!([1, 2]));
        assert_eq!(filled("{missing}"), json!(null));
        assert_eq!(filled("plain"), json!("plain"));
        assert_eq!(filled(""), json!(""));
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(filled("{{a}} {a}"), json!("{a} x"));
    }

    #[test]
    fn braces_that_make_no_sense_are_told() {
        assert_eq!(Template::parse("a{b"), Err(TemplateError::Open));
        assert_eq!(Template::parse("a}b"), Err(TemplateError::Closed));
        assert_eq!(Template::parse("a{ }b"), Err(TemplateError::Nameless));
    }
}
