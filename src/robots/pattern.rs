//! One form for the paths of URLs and of rules (RFC 9309 section 2.2.2), and the matching of one rule.
//!
//! In that form every octet that is not allowed in a URL, or not ASCII, is percent-encoded; `%XX` of an unreserved
//! character is the character; hexadecimal digits are upper case. `%2F` and every other reserved character stay
//! as they were written. A `*` or `$` that is meant literally is `%2A` or `%24`, in URLs always. A lone `%` stays.
//!
//! The end of a path is written as [`END`], which the form cannot hold otherwise: so an anchored rule (`/a$`) is a rule
//! that ends with it, and needs no matching of its own.

/// Stands for the end of a path.
pub(super) const END: char = '|';

/// The path and query of a URL in the common form, with its end marked.
pub(super) fn normal_path(path_and_query: &str) -> String {
    let mut form = String::with_capacity(path_and_query.len() + 16);
    push_normal(&mut form, path_and_query.as_bytes(), Star::Literal);
    form.push(END);
    form
}

/// The pattern of a rule in the common form; nothing if no path can match it.
///
/// A path begins with `/`, so a pattern that begins with neither `/` nor `*` (also a whole URL) matches nothing.
pub(super) fn normal_pattern(written: &[u8]) -> Option<Box<str>> {
    if !matches!(written.first(), Some(b'/' | b'*')) {
        return None;
    }
    let (octets, anchored) = match written {
        [octets @ .., b'$'] => (octets, true),
        octets => (octets, false),
    };
    let mut form = String::with_capacity(written.len());
    push_normal(&mut form, octets, Star::Wildcard);
    if anchored {
        form.push(END);
    }
    Some(form.into())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Star {
    Wildcard,
    Literal,
}

fn push_normal(form: &mut String, octets: &[u8], star: Star) {
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        rest = after;
        match *octet {
            b'%' => rest = push_after_percent(form, after),
            b'*' if star == Star::Wildcard => form.push('*'),
            octet if is_kept(octet) => form.push(char::from(octet)),
            octet => push_encoded(form, octet),
        }
    }
}

fn push_after_percent<'a>(form: &mut String, after: &'a [u8]) -> &'a [u8] {
    let Some((octet, rest)) = hex_pair(after) else {
        form.push('%');
        return after;
    };
    if is_unreserved(octet) {
        form.push(char::from(octet));
    } else {
        push_encoded(form, octet);
    }
    rest
}

fn hex_pair(octets: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = octets else {
        return None;
    };
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((digit(*high)? * 16 + digit(*low)?, rest))
}

fn push_encoded(form: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    form.push('%');
    form.push(char::from(DIGITS[usize::from(octet >> 4)]));
    form.push(char::from(DIGITS[usize::from(octet & 15)]));
}

fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// Characters that stand for themselves. `'` is not among them although RFC 3986 would let it be: the URL standard
/// encodes it in queries, so that both sides have to. `#` cannot occur, `*` and `$` have a meaning.
fn is_kept(octet: u8) -> bool {
    is_unreserved(octet) || b"/?:@!&()+,;=".contains(&octet)
}

/// Whether a pattern of the common form matches a path of that form: every piece between two stars is taken where it
/// first occurs, which is exact for such patterns and takes time linear in the two lengths.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| path.strip_prefix(first)) else {
        return false;
    };
    for piece in pieces {
        let Some(at) = find(rest, piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

fn find(text: &str, piece: &str) -> Option<usize> {
    match piece.as_bytes() {
        [] => Some(0),
        long if long.len() > text.len() => None,
        [octet] => text.bytes().position(|found| found == *octet),
        _ => text.find(piece),
    }
}
