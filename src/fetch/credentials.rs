//! User and password of a URL as the field that a server or a proxy wants to see (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::Url;

/// Takes user and password out of the URL. `None` if it has neither.
pub(super) fn take(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    // Only a URL without a host refuses this, and such a URL has no user either.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Undoes `%xx`; what is no escape stays as it is.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte"));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Option<String>) {
        let mut url = Url::parse(text).unwrap();
        let value = take(&mut url).map(|value| value.to_str().unwrap().to_owned());
        (url.into(), value)
    }

    #[test]
    fn user_and_password_leave_the_url() {
        let (url, value) = taken("http://me:secret@a.example/x");
        assert_eq!((url.as_str(), value.as_deref()), ("http://a.example/x", Some("Basic bWU6c2VjcmV0")));
        assert_eq!(taken("http://a.example/").1, None);
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        assert_eq!(decoded("a%3Ab%c3%A4"), "a:b\u{e4}".as_bytes());
        assert_eq!(decoded("100%"), b"100%");
        assert_eq!(decoded("%zz%4"), b"%zz%4");
    }
}
