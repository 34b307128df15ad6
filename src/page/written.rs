//! Texts as they are written in markup, and what they say: with character references for some of their letters.
//!
//! Most have none, and of the others most have the four that every page has. What those say is the same everywhere; all others are
//! left to the standard's tokenizer, which knows where a reference ends without its semicolon.

use std::borrow::Cow;

use html5ever::TokenizerResult;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::gist::Piece;

/// A value that begins at `written`, with its quotes if it has some.
pub(super) fn piece(text: &str, from: usize, to: usize, written: usize) -> Piece {
    if memchr::memchr2(b'&', b'\r', &text.as_bytes()[from..to]).is_none() {
        return Piece::Span(from, to);
    }
    if let Some(Cow::Owned(value)) = simple_characters(&text[from..to]) {
        return Piece::Own(value.into());
    }
    let quoted = from > written;
    let whole = &text[written..if quoted { to + 1 } else { to }];
    Piece::Own(attribute_value(whole).into())
}

/// The text of a title as it is written.
pub(super) fn title(written: &str) -> Cow<'_, str> {
    simple_characters(written).unwrap_or_else(|| characters(written).into())
}

/// A text in which nothing is written in another way but by the references that ordinary pages have; `None` if there may be
/// something else.
fn simple_characters(text: &str) -> Option<Cow<'_, str>> {
    const LETTERS: [(&str, char); 4] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
    let bytes = text.as_bytes();
    if memchr::memchr2(b'&', b'\r', bytes).is_none() {
        return Some(Cow::Borrowed(text));
    }
    if memchr::memchr(b'\r', bytes).is_some() {
        return None;
    }
    let (mut read, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        let (before, reference) = rest.split_at(at);
        let letter = |(name, letter)| Some((letter, reference.strip_prefix(name)?));
        let (letter, behind) = LETTERS.into_iter().find_map(letter)?;
        read.push_str(before);
        read.push(letter);
        rest = behind;
    }
    read.push_str(rest);
    Some(Cow::Owned(read))
}

/// The text of a value as it is written, quotes and all, once its character references are read.
fn attribute_value(written: &str) -> String {
    let value = |token| match token {
        Token::TagToken(mut tag) => tag.attrs.pop().map(|attribute| attribute.value),
        _ => None,
    };
    tokens(&format!("<a h={written}>"), value)
}

/// The text of a title once its character references are read.
fn characters(text: &str) -> String {
    let text = text.replace('<', "&lt;");
    tokens(&text, |token| match token {
        Token::CharacterTokens(text) => Some(text),
        _ => None,
    })
}

/// What the standard's tokenizer makes of a short text.
fn tokens(text: &str, wanted: fn(Token) -> Option<StrTendril>) -> String {
    struct Texts(std::cell::RefCell<String>, fn(Token) -> Option<StrTendril>);
    impl TokenSink for Texts {
        type Handle = ();
        fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
            if let Some(text) = (self.1)(token) {
                self.0.borrow_mut().push_str(&text);
            }
            TokenSinkResult::Continue
        }
    }
    let tokenizer = Tokenizer::new(Texts(Default::default(), wanted), TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(text));
    while !matches!(tokenizer.feed(&queue), TokenizerResult::Done) {}
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_references_are_read_as_the_tokenizer_reads_them() {
        for text in ["a", "a &amp;amp; b", "&lt;i&gt;&quot;", "&amp;&amp;", "a<b &amp; c"] {
            let read = simple_characters(text).unwrap();
            assert_eq!(read, characters(text));
            assert_eq!(read, attribute_value(&format!("'{text}'")));
        }
        for text in ["&", "&ampx", "&amp;&#38;", "&eacute;", "\r", "&AMP;"] {
            assert_eq!(simple_characters(text), None, "{text}");
        }
    }
}
