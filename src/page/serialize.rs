//! The tree written down as markup again.
//!
//! The words are those of the HTML standard (13.3, serialising HTML fragments), and of `html5ever`. But that library looks for the
//! next letter to be escaped through all of the text that is left, once for each of them: a text of a million `&` would take it
//! hours. Here the time grows with the text.

use std::io;

use html5ever::QualName;
use html5ever::serialize::{AttrRef, Serialize, Serializer, TraversalScope};
use scraper::node::{Element, Text};
use scraper::{ElementRef, Html};

use super::Page;

/// What is inside of an element.
pub(super) fn inner(element: ElementRef<'_>) -> String {
    written(&element, TraversalScope::ChildrenOnly(None), usize::MAX)
}

impl Page {
    /// Whether one text has more bytes than `most`. Those of scripts and styles, which are written as they are, do not count.
    pub(crate) fn has_text_over(&self, most: usize) -> bool {
        let is_long = |text: &Text| text.len() > most;
        let mut long = self.html().tree.nodes().filter(|node| node.value().as_text().is_some_and(is_long));
        long.any(|node| {
            let around = node.parent().and_then(|parent| parent.value().as_element().map(Element::name));
            !matches!(around, Some("script" | "style"))
        })
    }

    /// The document as markup, without attributes of more bytes than `longest`.
    pub(crate) fn markup(&self, longest: usize) -> String {
        whole(self.html(), longest)
    }
}

/// The whole document, but for attributes of more bytes than `longest`.
fn whole(html: &Html, longest: usize) -> String {
    written(html, TraversalScope::IncludeNode, longest)
}

fn written(node: &impl Serialize, scope: TraversalScope, longest: usize) -> String {
    let mut writer = Writer { out: String::new(), open: vec![Inside::Markup], longest };
    node.serialize(&mut writer, scope).expect("a text in memory takes everything");
    writer.out
}

/// What stands between the tags of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Markup,
    /// Text that no reader looks for references in.
    Raw,
    /// Nothing: there is no end tag.
    Void,
}

impl Inside {
    fn of(name: &QualName) -> Self {
        match &*name.local {
            _ if &*name.ns != "http://www.w3.org/1999/xhtml" => Self::Markup,
            "style" | "script" | "xmp" | "iframe" | "noembed" | "noframes" | "plaintext" => Self::Raw,
            "area" | "base" | "basefont" | "bgsound" | "br" | "col" | "embed" | "frame" | "hr" | "img"
            | "input" | "keygen" | "link" | "meta" | "param" | "source" | "track" | "wbr" => Self::Void,
            _ => Self::Markup,
        }
    }
}

struct Writer {
    out: String,
    /// The elements that are open, the innermost last.
    open: Vec<Inside>,
    longest: usize,
}

impl Writer {
    fn inside(&self) -> Inside {
        self.open.last().copied().unwrap_or(Inside::Markup)
    }

    /// Writes a text so that it is read as one; `quote` ends it where it stands.
    fn escape(&mut self, text: &str, quote: Option<char>) {
        let mut from = 0;
        for (at, letter) in text.char_indices() {
            let reference = match letter {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '\u{a0}' => "&nbsp;",
                '"' if quote == Some('"') => "&quot;",
                _ => continue,
            };
            self.out.push_str(&text[from..at]);
            self.out.push_str(reference);
            from = at + letter.len_utf8();
        }
        self.out.push_str(&text[from..]);
    }

    fn all(&mut self, parts: &[&str]) -> io::Result<()> {
        self.out.extend(parts.iter().copied());
        Ok(())
    }
}

/// Attributes of foreign elements are written with the prefix that they are known by.
fn prefix(name: &QualName) -> &'static str {
    match &*name.ns {
        "" => "",
        "http://www.w3.org/XML/1998/namespace" => "xml:",
        "http://www.w3.org/2000/xmlns/" if &*name.local == "xmlns" => "",
        "http://www.w3.org/2000/xmlns/" => "xmlns:",
        "http://www.w3.org/1999/xlink" => "xlink:",
        _ => "unknown_namespace:",
    }
}

impl Serializer for Writer {
    fn start_elem<'a, A>(&mut self, name: QualName, attributes: A) -> io::Result<()>
    where
        A: Iterator<Item = AttrRef<'a>>,
    {
        if self.inside() == Inside::Void {
            self.open.push(Inside::Void);
            return Ok(());
        }
        self.all(&["<", &name.local])?;
        let longest = self.longest;
        for (attribute, value) in attributes.filter(|(_, value)| value.len() <= longest) {
            self.all(&[" ", prefix(attribute), &attribute.local, "=\""])?;
            self.escape(value, Some('"'));
            self.all(&["\""])?;
        }
        self.open.push(Inside::of(&name));
        self.all(&[">"])
    }

    fn end_elem(&mut self, name: QualName) -> io::Result<()> {
        match self.open.pop() {
            Some(Inside::Void) => Ok(()),
            _ => self.all(&["</", &name.local, ">"]),
        }
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        match self.inside() {
            Inside::Raw => self.all(&[text]),
            Inside::Markup | Inside::Void => {
                self.escape(text, None);
                Ok(())
            }
        }
    }

    fn write_comment(&mut self, text: &str) -> io::Result<()> {
        self.all(&["<!--", text, "-->"])
    }

    fn write_doctype(&mut self, name: &str) -> io::Result<()> {
        self.all(&["<!DOCTYPE ", name, ">"])
    }

    fn write_processing_instruction(&mut self, target: &str, content: &str) -> io::Result<()> {
        self.all(&["<?", target, " ", content, ">"])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_of_a_million_ampersands_is_written_in_linear_time() {
        let html = Html::parse_document(&format!("<p title='{0}'>{0}</p>", "&amp;°".repeat(1 << 20)));
        let p = html.select(&scraper::Selector::parse("body").unwrap()).next().unwrap();
        assert_eq!(inner(p).matches("&amp;°").count(), 2 << 20);
    }

    #[test]
    fn an_attribute_that_is_too_long_is_left_out() {
        let html = Html::parse_document("<p title=long-one id=short>x");
        assert!(whole(&html, 5).contains("<p id=\"short\">x</p>"));
    }

    proptest! {
        #[test]
        fn it_is_what_html5ever_writes(
            pieces in proptest::collection::vec(
                prop::sample::select(vec![
                    "<p>", "</p>", "<br>", "<img alt='a\"&nbsp;<b>'>", "&amp;", "&lt;", "°", "\u{a0}", "\"", "<script>",
                    "</script>", "<style>a<b", "</style>", "<svg xlink:href=a xmlns:b=c xml:lang=d>", "<mi>", "<title>", "<iframe>",
                    "</iframe>", "<noscript>", "<!-- c -->", "<!DOCTYPE html>", "<table>", "<td>", "<template>", "<xmp>", "text",
                ]),
                0..30,
            ),
        ) {
            let html = Html::parse_document(&pieces.concat());
            prop_assert_eq!(whole(&html, usize::MAX), html.html());
            for element in html.tree.nodes().filter_map(ElementRef::wrap) {
                prop_assert_eq!(inner(element), element.inner_html());
            }
        }
    }
}
