//! A body and its text in the same memory.
//!
//! Most bodies are their text, byte by byte: UTF-8, or ASCII in another encoding. A copy of them would only be more memory, which counts
//! where a page has megabytes.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};

use super::Page;

impl Page {
    /// Reads the body as text now, without a copy of it where its bytes are those of the text.
    pub(crate) fn read_in_place(mut self) -> Self {
        if !self.is_html() {
            return self;
        }
        let (encoding, body) = (self.encoding(), &self.response.body);
        let is_the_text = match encoding == UTF_8 {
            true => Encoding::for_bom(body).is_none(),
            false => encoding.is_ascii_compatible() && body.is_ascii(),
        };
        if is_the_text {
            let body = std::mem::take(&mut self.response.body);
            match self.parse(|| String::from_utf8(body.into())) {
                Ok(text) => {
                    let text = Arc::new(text);
                    self.response.body = Bytes::from_owner(Shared(Arc::clone(&text)));
                    self.text = OnceCell::from(text);
                }
                Err(error) => self.response.body = error.into_bytes().into(),
            }
        }
        self
    }
}

/// A text as bytes.
struct Shared(Arc<String>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
