//! Whether an answer without a `Content-Type` is HTML.

/// Bytes that are looked at.
const WINDOW: usize = 1_024;

/// Whether the body begins like HTML: after white space a tag, a comment or a doctype, no control bytes, and no XML that
/// is not XHTML.
pub(crate) fn looks_like_html(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.starts_with(b"\xff\xfe<\0") || body.starts_with(b"\xfe\xff\0<") {
        return true;
    }
    let head = &body[..body.len().min(WINDOW)];
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let head = head.trim_ascii_start();
    if head.iter().any(binary) {
        return false;
    }
    match head {
        [b'<', b'?', ..] => contains(head, b"<html"),
        [b'<', next, ..] => next.is_ascii_alphabetic() && !is_other_xml(head) || matches!(next, b'!' | b'/'),
        _ => false,
    }
}

fn is_other_xml(head: &[u8]) -> bool {
    let roots: [&[u8]; 5] = [b"<rss", b"<feed", b"<urlset", b"<sitemapindex", b"<svg"];
    roots.iter().any(|root| head.get(..root.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(root)))
}

fn contains(head: &[u8], wanted: &[u8]) -> bool {
    head.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_html() {
        for body in ["<!DOCTYPE html>", " \n<a href=x>", "<!-- x -->", "<?xml version='1.0'?><HTML>"] {
            assert!(looks_like_html(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn pictures_feeds_json_and_text_are_not() {
        for body in [
            &b"\x89PNG\r\n"[..],
            b"<rss version='2.0'>",
            b"{\"a\": \"<p>\"}",
            b"%PDF-1.7",
            b"",
            b"1 < 2",
            b"<\0\0",
        ] {
            assert!(!looks_like_html(body), "{body:?}");
        }
    }
}
