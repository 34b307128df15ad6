//! Where a field comes from, and what can stand beside it.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::FieldTable;
use super::words::Words;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::extract::ExtractError;
use crate::extract::xpath::XPath;
use crate::spider::declarative::{ArticlePart, FieldSelector, JsonSource, PageFact, Root, Source};

/// A part of a page's main text.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ArticleName {
    /// The headline.
    Title,
    /// The text, without markup.
    Text,
    /// The text as Markdown.
    Markdown,
    /// The text as cleaned HTML.
    Html,
    /// Who wrote it.
    Byline,
    /// When it was published, as the page writes it.
    Published,
}

/// What the fields stand below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Ground {
    /// A page as a whole, of whatever form.
    Page,
    /// An element.
    Element,
    /// A value out of JSON.
    Value,
    /// An entry of a feed.
    Entry,
}

/// The source of a field, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKey {
    Scope,
    Css,
    XPath,
    Json,
    Script,
    JsonLd,
    Microdata,
    OpenGraph,
    Meta,
    Canonical,
    Article,
    Feed,
    Header,
    Status,
    Url,
    Value,
}

impl SourceKey {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Scope => "the scope",
            Self::Css => "css",
            Self::XPath => "xpath",
            Self::Json => "json",
            Self::Script => "script",
            Self::JsonLd => "json-ld",
            Self::Microdata => "microdata",
            Self::OpenGraph => "og",
            Self::Meta => "meta",
            Self::Canonical => "canonical",
            Self::Article => "article",
            Self::Feed => "feed",
            Self::Header => "header",
            Self::Status => "status",
            Self::Url => "url",
            Self::Value => "value",
        }
    }

    /// Whether it can give something with fields of its own.
    pub(super) const fn has_parts(self) -> bool {
        use SourceKey::{Css, Feed, Json, JsonLd, Microdata, Scope, Script, XPath};
        matches!(self, Scope | Css | XPath | Json | Script | JsonLd | Microdata | Feed)
    }

    /// Whether it gives elements.
    pub(super) fn has_elements(self, ground: Ground) -> bool {
        let scope_has = matches!(ground, Ground::Page | Ground::Element);
        let reads_scope = self == Self::Scope || self == Self::Json && ground == Ground::Element;
        matches!(self, Self::Css | Self::XPath) || reads_scope && scope_has
    }

    /// Whether `json` beside it reads the text that it gives.
    const fn may_hold_json(self) -> bool {
        use SourceKey::{Css, Header, Json, Meta, OpenGraph, Scope, Script, XPath};
        matches!(self, Scope | Css | XPath | Json | Script | OpenGraph | Meta | Header)
    }

    /// What nested fields stand below.
    pub(super) const fn ground_below(self, ground: Ground) -> Ground {
        match (self, ground) {
            (Self::Scope, Ground::Page) | (Self::Css | Self::XPath, _) => Ground::Element,
            (Self::Scope, ground) => ground,
            _ => Ground::Value,
        }
    }

    /// Reports a source that the scope does not have.
    pub(super) fn check_ground(self, ground: Ground, place: &Path, check: &mut Check<'_>) {
        let at = place.key(self.key());
        let at = if check.is_there(&at) { at } else { place.clone() };
        match (self, ground) {
            (Self::Css | Self::XPath, Ground::Value) => {
                check.wrong(&at, "the scope is a value out of JSON and has no elements: write json = \"…\"");
            }
            (Self::Css | Self::XPath, Ground::Entry) => {
                check.wrong(
                    &at,
                    "the scope is an entry of a feed and has no elements: write feed = \"title\" or the like",
                );
            }
            (Self::Feed, Ground::Element | Ground::Value) => {
                check.wrong(
                    &at,
                    "this scope is no feed: write scope-feed = true above, or take the scope away",
                );
            }
            _ => {}
        }
    }

    /// The compiled source.
    pub(super) fn source(
        self,
        field: &FieldTable,
        ground: Ground,
        place: &Path,
        check: &mut Check<'_>,
    ) -> Option<Source> {
        let at = place.key(self.key());
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
        let json = |root, path: &str, check: &mut Check<'_>, at: &Path| {
            check.taken(at, JsonSource::parse(root, path)).map(Source::Json)
        };
        let fact = match self {
            Self::Scope => return Some(Source::Scope),
            Self::Value => return field.value.clone().map(Source::Constant),
            Self::Css => return selectors(field.css.as_ref()?, place, check),
            Self::XPath => return each(field.xpath.as_ref()?, &at, check, XPath::parse).map(Source::XPath),
            Self::Json if ground == Ground::Element => return Some(Source::Scope),
            Self::Json => return json(Root::Scope, &text(&field.json), check, &at),
            Self::Script => {
                let path = field.json.as_deref().unwrap_or("$");
                let at = if field.json.is_some() { place.key("json") } else { at };
                return json(Root::Script(text(&field.script)), path, check, &at);
            }
            Self::JsonLd => return json(Root::JsonLd, &text(&field.json_ld), check, &at),
            Self::Microdata => return json(Root::Microdata, &text(&field.microdata), check, &at),
            Self::Feed => {
                let root = if ground == Ground::Entry { Root::Scope } else { Root::Feed };
                return json(root, &text(&field.feed), check, &at);
            }
            Self::OpenGraph => PageFact::OpenGraph(text(&field.og).to_ascii_lowercase()),
            Self::Meta => PageFact::Meta(text(&field.meta).to_ascii_lowercase()),
            Self::Canonical => PageFact::Canonical,
            Self::Article => PageFact::Article(field.article?.part()),
            Self::Header => PageFact::Header(header(&text(&field.header), &at, check)?),
            Self::Status => PageFact::Status,
            Self::Url => PageFact::Url,
        };
        Some(Source::Page(fact))
    }
}

impl FieldTable {
    /// The source, if there is one and nothing beside it that does not belong.
    pub(super) fn from(&self, place: &Path, check: &mut Check<'_>) -> Option<SourceKey> {
        let named = self.sources();
        if let [first, second, ..] = named[..] {
            let (first, second) = (first.key(), second.key());
            check.wrong(
                &place.key(second),
                format!("a field has one source: keep either `{first}` or `{second}`"),
            );
            return None;
        }
        let from = match named.first() {
            Some(from) => *from,
            None if self.json.is_some() => SourceKey::Json,
            None => SourceKey::Scope,
        };
        if self.json.is_some() && !from.may_hold_json() {
            let message = match from {
                SourceKey::JsonLd | SourceKey::Microdata | SourceKey::Feed => {
                    format!("`{}` is the path already: remove one of the two", from.key())
                }
                _ => format!("`{}` gives no JSON: remove one of the two", from.key()),
            };
            check.wrong(&place.key("json"), message);
        }
        for (key, text) in self.names() {
            if text.is_some_and(|text| text.trim().is_empty()) {
                check.wrong(&place.key(key), "expected a name or a path");
                return None;
            }
        }
        Some(from)
    }

    fn sources(&self) -> Vec<SourceKey> {
        let sources = [
            (SourceKey::Css, self.css.as_ref().is_some_and(Words::say_something)),
            (SourceKey::XPath, self.xpath.is_some()),
            (SourceKey::Script, self.script.is_some()),
            (SourceKey::JsonLd, self.json_ld.is_some()),
            (SourceKey::Microdata, self.microdata.is_some()),
            (SourceKey::OpenGraph, self.og.is_some()),
            (SourceKey::Meta, self.meta.is_some()),
            (SourceKey::Canonical, self.canonical == Some(true)),
            (SourceKey::Article, self.article.is_some()),
            (SourceKey::Feed, self.feed.is_some()),
            (SourceKey::Header, self.header.is_some()),
            (SourceKey::Status, self.status == Some(true)),
            (SourceKey::Url, self.url == Some(true)),
            (SourceKey::Value, self.value.is_some()),
        ];
        sources.into_iter().filter(|(_, on)| *on).map(|(from, _)| from).collect()
    }

    /// The keys that must not be empty.
    fn names(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("json", self.json.as_deref()),
            ("script", self.script.as_deref()),
            ("json-ld", self.json_ld.as_deref()),
            ("microdata", self.microdata.as_deref()),
            ("og", self.og.as_deref()),
            ("meta", self.meta.as_deref()),
            ("feed", self.feed.as_deref()),
        ]
    }
}

impl Words {
    /// Whether there is a selector: an empty one means the element of the scope.
    fn say_something(&self) -> bool {
        self.0.iter().any(|text| !text.trim().is_empty())
    }
}

impl ArticleName {
    const fn part(self) -> ArticlePart {
        match self {
            Self::Title => ArticlePart::Title,
            Self::Text => ArticlePart::Text,
            Self::Markdown => ArticlePart::Markdown,
            Self::Html => ArticlePart::Html,
            Self::Byline => ArticlePart::Byline,
            Self::Published => ArticlePart::Published,
        }
    }
}

fn selectors(words: &Words, place: &Path, check: &mut Check<'_>) -> Option<Source> {
    let key = place.key("css");
    // A selector alone stands at the field itself.
    let at = if check.is_there(&key) { key } else { place.clone() };
    each(words, &at, check, FieldSelector::parse).map(Source::Css)
}

/// All texts compiled, or none and what is wrong with them.
fn each<T>(
    words: &Words,
    at: &Path,
    check: &mut Check<'_>,
    read: impl Fn(&str) -> Result<T, ExtractError>,
) -> Option<Vec<T>> {
    let read = check.each(at, &words.0, read);
    (read.len() == words.0.len() && !read.is_empty()).then_some(read)
}

fn header(name: &str, at: &Path, check: &mut Check<'_>) -> Option<String> {
    let name = HeaderName::from_bytes(name.as_bytes());
    let name = name.map_err(|_| "expected the name of a header field, such as \"last-modified\"");
    check.taken(at, name).map(|name| name.as_str().to_owned())
}
