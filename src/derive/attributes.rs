//! The keys of `#[item(…)]`: which there are, what each takes, and which do not go together.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Ident, LitStr, Path, Result, Token};

/// What stands behind a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing.
    Flag,
    /// `= "text"`.
    Text,
    /// `= "path"` or `= path`.
    Path,
    /// Nothing, or `= expression`.
    FlagOrCode,
}

/// Keys of a field.
const FIELD_KEYS: [(&str, Form); 14] = [
    ("css", Form::Text),
    ("json", Form::Text),
    ("url", Form::Flag),
    ("nested", Form::Flag),
    ("text", Form::Flag),
    ("attr", Form::Text),
    ("html", Form::Flag),
    ("exists", Form::Flag),
    ("regex", Form::Text),
    ("decimal_sign", Form::Text),
    ("format", Form::Text),
    ("with", Form::Path),
    ("default", Form::FlagOrCode),
    ("skip", Form::Flag),
];

/// Keys of a struct, beside `css(field = "…")`.
const STRUCT_KEYS: [(&str, Form); 3] =
    [("scope", Form::Text), ("scope_json", Form::Text), ("kind", Form::Text)];

/// Keys that do not go together, and why.
const CONFLICTS: [(&[&str], &[&str], &str); 7] = [
    (
        &["skip"],
        &["css", "json", "url", "nested", "text", "attr", "html", "exists", "regex", "with", "default"],
        "a field with `skip` is not read: it gets its type's default",
    ),
    (
        &["url"],
        &["css", "json", "nested", "text", "attr", "html", "exists"],
        "`url` is the page's own address; for a link write `css = \"a\", attr = \"href\"`",
    ),
    (
        &["exists"],
        &["json", "nested", "text", "html", "regex", "with", "default", "decimal_sign", "format"],
        "`exists` only asks whether there is such an element or attribute",
    ),
    (
        &["nested"],
        &["css", "json", "text", "attr", "html", "regex", "with", "decimal_sign", "format"],
        "`nested` reads a struct where this one is read; with `css` or `json` a struct needs no `nested`",
    ),
    (&["attr"], &["text", "html"], "a field is the text, an attribute or the HTML of its element: keep one"),
    (&["html"], &["text", "json"], "a field is the text, the HTML or the JSON of its element: keep one"),
    (&["with"], &["decimal_sign", "format"], "the parser in `with` reads the text on its own"),
];

/// One key as it was written.
pub(crate) struct Given {
    key: &'static str,
    span: Span,
    value: Value,
}

/// What a key was given.
enum Value {
    Flag,
    Text(LitStr),
    Path(Path),
    Code(Box<Expr>),
}

/// What a field takes if its selector finds nothing.
pub(crate) enum Fallback<'a> {
    /// Its type's own default.
    OfType,
    /// This expression.
    Code(&'a Expr),
}

/// The keys of one field.
#[derive(Default)]
pub(crate) struct FieldKeys(Vec<Given>);

impl FieldKeys {
    /// Reads all `#[item(…)]` of a field.
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut keys = Self::default();
        for attribute in of_ours(attributes) {
            attribute.parse_nested_meta(|meta| keys.0.push_new(given(&meta, &FIELD_KEYS)?))?;
        }
        keys.check()?;
        Ok(keys)
    }

    fn check(&self) -> Result<()> {
        for (ones, others, reason) in CONFLICTS {
            let Some(one) = ones.iter().find_map(|key| self.get(key)) else { continue };
            if let Some(other) = others.iter().find_map(|key| self.get(key)) {
                let told = format!("`{}` and `{}` do not go together: {reason}", one.key, other.key);
                return Err(Error::new(other.span, told));
            }
        }
        Ok(())
    }

    /// Adds a selector that stands at the struct.
    pub(crate) fn add_css(&mut self, css: &LitStr) -> Result<()> {
        let given = Given { key: "css", span: css.span(), value: Value::Text(css.clone()) };
        self.0.push_new(given)?;
        self.check()
    }

    fn get(&self, key: &str) -> Option<&Given> {
        self.0.iter().find(|given| given.key == key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where a key stands; the call site if it does not.
    pub(crate) fn span(&self, key: &str) -> Span {
        self.get(key).map_or_else(Span::call_site, |given| given.span)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&LitStr> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn parser(&self) -> Option<&Path> {
        match &self.get("with")?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn fallback(&self) -> Option<Fallback<'_>> {
        match &self.get("default")?.value {
            Value::Code(code) => Some(Fallback::Code(code)),
            _ => Some(Fallback::OfType),
        }
    }

    /// Whether it says where the field comes from.
    pub(crate) fn is_placed(&self) -> bool {
        const PLACES: [&str; 9] = ["css", "json", "url", "nested", "text", "attr", "html", "exists", "skip"];
        PLACES.iter().any(|key| self.has(key))
    }
}

/// The keys of the struct.
#[derive(Default)]
pub(crate) struct StructKeys {
    given: Vec<Given>,
    /// `css(field = "selector", …)`.
    pub(crate) css: Vec<(Ident, LitStr)>,
}

impl StructKeys {
    /// Reads all `#[item(…)]` of a struct.
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut keys = Self::default();
        for attribute in of_ours(attributes) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("css") {
                    return keys.read_css(&meta);
                }
                keys.given.push_new(given(&meta, &STRUCT_KEYS)?)
            })?;
        }
        Ok(keys)
    }

    fn read_css(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.input.peek(Token![=]) {
            let told = "at the struct write `scope = \"…\"` for an item for each element, or \
                        `css(field = \"…\")` for its fields";
            return Err(meta.error(told));
        }
        meta.parse_nested_meta(|field| {
            let name = field.path.require_ident()?.clone();
            self.css.push((name, field.value()?.parse()?));
            Ok(())
        })
    }

    pub(crate) fn text(&self, key: &str) -> Option<&LitStr> {
        self.given.iter().find(|given| given.key == key).and_then(|given| match &given.value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }
}

/// A list in which each key stands once.
trait PushNew {
    fn push_new(&mut self, given: Given) -> Result<()>;
}

impl PushNew for Vec<Given> {
    fn push_new(&mut self, given: Given) -> Result<()> {
        if self.iter().any(|known| known.key == given.key) {
            return Err(Error::new(given.span, format!("`{}` stands here twice", given.key)));
        }
        self.push(given);
        Ok(())
    }
}

fn of_ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("item"))
}

/// Reads a key with what stands behind it.
fn given(meta: &ParseNestedMeta<'_>, known: &[(&'static str, Form)]) -> Result<Given> {
    let Some((key, form)) = known.iter().find(|(key, _)| meta.path.is_ident(key)) else {
        let names: Vec<_> = known.iter().map(|(key, _)| *key).collect();
        return Err(meta.error(format!("no such key: there are {}", names.join(", "))));
    };
    let span = meta.path.require_ident()?.span();
    Ok(Given { key, span, value: value(meta, key, *form)? })
}

fn value(meta: &ParseNestedMeta<'_>, key: &str, form: Form) -> Result<Value> {
    let has_value = meta.input.peek(Token![=]);
    match form {
        Form::Flag if has_value => Err(meta.error(format!("`{key}` stands alone, without a value"))),
        Form::Text | Form::Path if !has_value => {
            Err(meta.error(format!("`{key}` wants a value: `{key} = \"…\"`")))
        }
        Form::Flag => Ok(Value::Flag),
        Form::Text => text(meta.value()?, key).map(Value::Text),
        Form::Path => path(meta.value()?).map(Value::Path),
        Form::FlagOrCode if has_value => Ok(Value::Code(Box::new(meta.value()?.parse()?))),
        Form::FlagOrCode => Ok(Value::Flag),
    }
}

fn text(input: syn::parse::ParseStream<'_>, key: &str) -> Result<LitStr> {
    let text: LitStr = input.parse()?;
    if text.value().trim().is_empty() {
        return Err(Error::new(text.span(), format!("`{key}` is empty")));
    }
    Ok(text)
}

/// A function's path, in quotes or without.
fn path(input: syn::parse::ParseStream<'_>) -> Result<Path> {
    if input.peek(LitStr) { input.parse::<LitStr>()?.parse() } else { input.parse() }
}
