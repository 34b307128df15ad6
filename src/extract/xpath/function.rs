//! The functions: XPath's core library (XPath 4), and three that scrapers are used to.

use crate::page::outline::Kind;

use super::eval::{Context, Run, Stop};
use super::expr::{Call, Expr, Type};
use super::parse;
use super::text;
use super::value::{Value, number_of, round};

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Boolean,
    Ceiling,
    Concat,
    Contains,
    Count,
    False,
    Floor,
    HasClass,
    Id,
    Lang,
    Last,
    LocalName,
    Name,
    NamespaceUri,
    NormalizeSpace,
    Not,
    Number,
    Position,
    RegexMatch,
    RegexTest,
    Round,
    StartsWith,
    String,
    StringLength,
    Substring,
    SubstringAfter,
    SubstringBefore,
    Sum,
    Translate,
    True,
}

use Function as F;

/// As many arguments as one likes.
const ANY: usize = usize::MAX;

/// Name, function, fewest and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 30] = [
    ("boolean", F::Boolean, 1, 1),
    ("ceiling", F::Ceiling, 1, 1),
    ("concat", F::Concat, 2, ANY),
    ("contains", F::Contains, 2, 2),
    ("count", F::Count, 1, 1),
    ("false", F::False, 0, 0),
    ("floor", F::Floor, 1, 1),
    ("has-class", F::HasClass, 1, ANY),
    ("id", F::Id, 1, 1),
    ("lang", F::Lang, 1, 1),
    ("last", F::Last, 0, 0),
    ("local-name", F::LocalName, 0, 1),
    ("name", F::Name, 0, 1),
    ("namespace-uri", F::NamespaceUri, 0, 1),
    ("normalize-space", F::NormalizeSpace, 0, 1),
    ("not", F::Not, 1, 1),
    ("number", F::Number, 0, 1),
    ("position", F::Position, 0, 0),
    ("re:match", F::RegexMatch, 2, 3),
    ("re:test", F::RegexTest, 2, 3),
    ("round", F::Round, 1, 1),
    ("starts-with", F::StartsWith, 2, 2),
    ("string", F::String, 0, 1),
    ("string-length", F::StringLength, 0, 1),
    ("substring", F::Substring, 2, 3),
    ("substring-after", F::SubstringAfter, 2, 2),
    ("substring-before", F::SubstringBefore, 2, 2),
    ("sum", F::Sum, 1, 1),
    ("translate", F::Translate, 3, 3),
    ("true", F::True, 0, 0),
];

/// The function of a name if it takes these arguments, or what is wrong.
pub(super) fn named(name: &str, arguments: &[Expr]) -> Result<Function, String> {
    let Some((_, function, fewest, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(unknown(name));
    };
    let (fewest, most, count) = (*fewest, *most, arguments.len());
    if count < fewest || count > most {
        let wanted = match (fewest, most) {
            (fewest, ANY) => format!("{fewest} or more"),
            (fewest, most) if fewest == most => fewest.to_string(),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        return Err(format!("`{name}` takes {wanted} arguments, not {count},"));
    }
    let wants_nodes = matches!(function, F::Count | F::Sum | F::LocalName | F::Name | F::NamespaceUri);
    if wants_nodes && arguments.iter().any(|argument| argument.kind() != Type::Nodes) {
        return Err(format!("`{name}` takes a path"));
    }
    Ok(*function)
}

fn unknown(name: &str) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(known, name);
    let nearest = FUNCTIONS.iter().map(|(known, ..)| *known).min_by_key(|known| distance(known));
    match nearest.filter(|known| distance(known) <= 3) {
        Some(nearest) => format!("there is no function `{name}`, did you mean `{nearest}`,"),
        None => format!("there is no function `{name}` in XPath 1.0,"),
    }
}

impl Function {
    /// What it comes to.
    pub(super) fn kind(self) -> Type {
        match self {
            F::Id => Type::Nodes,
            F::Boolean | F::Contains | F::False | F::HasClass | F::Lang | F::Not => Type::Boolean,
            F::RegexTest | F::StartsWith | F::True => Type::Boolean,
            F::Ceiling | F::Count | F::Floor | F::Last | F::Number | F::Position => Type::Number,
            F::Round | F::StringLength | F::Sum => Type::Number,
            F::Concat | F::LocalName | F::Name | F::NamespaceUri | F::NormalizeSpace => Type::Text,
            F::RegexMatch | F::String | F::Substring | F::SubstringAfter => Type::Text,
            F::SubstringBefore | F::Translate => Type::Text,
        }
    }
}

/// Calls a function with what its arguments come to.
pub(super) fn call(run: &Run<'_>, call: &Call, context: Context) -> Result<Value, Stop> {
    let asked = Asked { run, call, context };
    match call.function.kind() {
        Type::Nodes => asked.ids().map(Value::Nodes),
        Type::Number => asked.as_number().map(Value::Number),
        Type::Text => asked.as_text().map(Value::Text),
        Type::Boolean => asked.as_boolean().map(Value::Boolean),
    }
}

/// A call on a page.
struct Asked<'r, 'p> {
    run: &'r Run<'p>,
    call: &'r Call,
    context: Context,
}

impl Asked<'_, '_> {
    fn argument(&self, index: usize) -> Option<&Expr> {
        self.call.arguments.get(index)
    }

    /// An argument as text; of one that is not there the text of the node.
    fn text(&self, index: usize) -> Result<String, Stop> {
        let text = match self.argument(index) {
            Some(expr) => self.run.text(expr, self.context)?,
            None => self.run.text_of_node(self.context.node)?,
        };
        self.run.charge_text(text.len())?;
        Ok(text)
    }

    fn number(&self, index: usize) -> Result<f64, Stop> {
        match self.argument(index) {
            Some(expr) => self.run.number(expr, self.context),
            None => Ok(number_of(&self.text(index)?)),
        }
    }

    fn is_true(&self, index: usize) -> Result<bool, Stop> {
        self.argument(index).map_or(Ok(false), |expr| self.run.is_true(expr, self.context))
    }

    /// The first node of an argument; of one that is not there the node itself.
    fn node(&self) -> Result<Option<u32>, Stop> {
        match self.argument(0) {
            Some(expr) => Ok(self.run.nodes(expr, self.context)?.first().copied()),
            None => Ok(Some(self.context.node)),
        }
    }

    fn nodes(&self) -> Result<Vec<u32>, Stop> {
        self.argument(0).map_or(Ok(Vec::new()), |expr| self.run.nodes(expr, self.context))
    }

    fn as_number(&self) -> Result<f64, Stop> {
        Ok(match self.call.function {
            F::Position => self.context.position as f64,
            F::Last => self.context.size as f64,
            F::Count => self.nodes()?.len() as f64,
            F::Sum => {
                // Not `sum()`, which is -0 where there is nothing.
                self.nodes()?.into_iter().try_fold(0.0, |sum, node| {
                    Ok::<f64, Stop>(sum + number_of(&self.run.text_of_node(node)?))
                })?
            }
            F::Floor => self.number(0)?.floor(),
            F::Ceiling => self.number(0)?.ceil(),
            F::Round => round(self.number(0)?),
            F::StringLength => self.text(0)?.chars().count() as f64,
            _ => self.number(0)?,
        })
    }

    fn as_text(&self) -> Result<String, Stop> {
        Ok(match self.call.function {
            F::Concat => {
                let parts = (0..self.call.arguments.len()).map(|index| self.text(index));
                parts.collect::<Result<Vec<_>, _>>()?.concat()
            }
            F::Name | F::LocalName => self.name()?,
            F::NormalizeSpace => text::normalized(&self.text(0)?),
            F::Substring => {
                let length = self.argument(2).map(|expr| self.run.number(expr, self.context)).transpose()?;
                text::substring(&self.text(0)?, self.number(1)?, length)
            }
            F::SubstringAfter => text::after(&self.text(0)?, &self.text(1)?).to_owned(),
            F::SubstringBefore => text::before(&self.text(0)?, &self.text(1)?).to_owned(),
            F::Translate => text::translated(&self.text(0)?, &self.text(1)?, &self.text(2)?),
            F::RegexMatch => {
                let text = self.text(0)?;
                self.with_pattern(|pattern| {
                    pattern.find(&text).map_or("", |found| found.as_str()).to_owned()
                })?
            }
            // Nothing in an HTML tree has a namespace here.
            F::NamespaceUri => String::new(),
            _ => self.text(0)?,
        })
    }

    fn as_boolean(&self) -> Result<bool, Stop> {
        Ok(match self.call.function {
            F::True => true,
            F::False => false,
            F::Not => !self.is_true(0)?,
            F::Contains => self.text(0)?.contains(&self.text(1)?),
            F::StartsWith => self.text(0)?.starts_with(&self.text(1)?),
            F::Lang => self.is_language()?,
            F::HasClass => self.has_classes()?,
            F::RegexTest => {
                let text = self.text(0)?;
                self.with_pattern(|pattern| pattern.is_match(&text))?
            }
            _ => self.is_true(0)?,
        })
    }

    fn name(&self) -> Result<String, Stop> {
        let Some(node) = self.node()? else {
            return Ok(String::new());
        };
        let (prefix, local) = self.run.outline.name(self.run.page.html(), node);
        let prefix = prefix.filter(|_| self.call.function == F::Name);
        let name = prefix.map_or_else(|| local.to_owned(), |prefix| format!("{prefix}:{local}"));
        Ok(name.to_ascii_lowercase())
    }

    /// An attribute of an element. Linear in its attributes.
    fn attribute(&self, node: u32, wanted: &str) -> Option<&str> {
        let element = self.run.outline.element(self.run.page.html(), node)?.value();
        element.attrs().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    fn has_classes(&self) -> Result<bool, Stop> {
        let classes = match self.run.outline.kind(self.context.node) {
            Kind::Element(_) => self.attribute(self.context.node, "class").unwrap_or_default(),
            _ => "",
        };
        for index in 0..self.call.arguments.len() {
            self.run.charge_text(classes.len())?;
            let wanted = self.text(index)?;
            if !classes.split_ascii_whitespace().any(|class| class == wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the nearest `lang` is the language that is asked for, or a kind of it.
    fn is_language(&self) -> Result<bool, Stop> {
        let wanted = self.text(0)?.to_ascii_lowercase();
        let mut node = Some(self.context.node);
        while let Some(here) = node {
            self.run.charge(1)?;
            let said = self.attribute(here, "lang").or_else(|| self.attribute(here, "xml:lang"));
            if let Some(said) = said {
                let said = said.to_ascii_lowercase();
                let rest = said.strip_prefix(&wanted);
                return Ok(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')));
            }
            node = self.run.outline.parent(here);
        }
        Ok(false)
    }

    /// The first element of each `id` that is asked for.
    fn ids(&self) -> Result<Vec<u32>, Stop> {
        let Some(argument) = self.argument(0) else {
            return Ok(Vec::new());
        };
        let mut wanted = std::collections::HashSet::new();
        let texts = match self.run.eval(argument, self.context)? {
            Value::Nodes(nodes) => {
                nodes.into_iter().map(|node| self.run.text_of_node(node)).collect::<Result<Vec<_>, _>>()?
            }
            other => vec![self.run.text_of(other)?],
        };
        wanted.extend(texts.iter().flat_map(|text| text.split_ascii_whitespace()));
        let all = self.run.outline.len();
        self.run.charge(all as usize)?;
        let mut is_wanted = |node: u32| {
            matches!(self.run.outline.kind(node), Kind::Element(_))
                && self.attribute(node, "id").is_some_and(|id| wanted.remove(id))
        };
        Ok((0..all).filter(|node| is_wanted(*node)).collect())
    }

    /// Uses the regular expression that is the second argument.
    fn with_pattern<T>(&self, using: impl FnOnce(&regex::Regex) -> T) -> Result<T, Stop> {
        if let Some(pattern) = &self.call.pattern {
            return Ok(using(pattern));
        }
        let flags = self.argument(2).map_or(Ok(String::new()), |expr| self.run.text(expr, self.context))?;
        let text = self.text(1)?;
        let mut last = self.run.pattern.borrow_mut();
        if let Some((_, _, pattern)) = last.as_ref().filter(|(with, of, _)| *with == flags && *of == text) {
            return Ok(using(pattern));
        }
        self.run.charge(COMPILE_STEPS)?;
        let pattern = parse::compile(&text, &flags).map_err(Stop::Pattern)?;
        let answer = using(&pattern);
        *last = Some((flags, text, pattern));
        Ok(answer)
    }
}

/// What compiling a regular expression costs, in steps.
const COMPILE_STEPS: usize = 100_000;
