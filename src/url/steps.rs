//! What each step of canonicalisation does to a parsed URL.
//!
//! Every step leaves a URL that it has nothing to do with untouched and unallocated, and applied twice it does what it
//! does once. None of them makes a URL longer.

use url::{Position, Url};

/// Names of session parameters, in lower case. In a path they follow a `;`.
const SESSION_NAMES: &[&str] = &[
    "jsessionid",
    "phpsessid",
    "aspsessionid*",
    "asp.net_sessionid",
    "sid",
    "sessid",
    "sessionid",
    "session_id",
    "cfid",
    "cftoken",
    "zenid",
    "oscsid",
];

/// Drops name and password unless they are those of the page that the link stands on, and lead back to its origin.
pub(super) fn drop_foreign_userinfo(url: &mut Url, base: &Url) {
    if url.username().is_empty() && url.password().is_none() {
        return;
    }
    if url[..Position::BeforePath] == base[..Position::BeforePath] {
        return;
    }
    // Only URLs without a host refuse, and those have no name or password either.
    let _ = (url.set_username(""), url.set_password(None));
}

/// Decodes the escapes of unreserved characters and writes the hex digits of all others in upper case.
pub(super) fn percent_case(url: &mut Url) {
    if let Some(path) = normal_escapes(url.path()) {
        url.set_path(&path);
    }
    if let Some(query) = url.query().and_then(normal_escapes) {
        url.set_query(Some(&query));
    }
}

/// Drops session names from the parameters of path segments and from the query.
pub(super) fn drop_session_ids(url: &mut Url) {
    if url.path().contains(';') {
        let segments = url.path().split('/').map(without_session);
        let path = segments.collect::<Vec<_>>().join("/");
        if path != url.path() {
            url.set_path(&path);
        }
    }
    drop_parameters(url, is_session_name);
}

/// Drops the query's parameters with such a name, and the `?` with the last of them.
pub(super) fn drop_parameters(url: &mut Url, unwanted: impl Fn(&str) -> bool) {
    let Some(query) = url.query() else { return };
    if !query.split('&').any(|parameter| unwanted(name_of(parameter))) {
        return;
    }
    let kept: Vec<&str> = query.split('&').filter(|parameter| !unwanted(name_of(parameter))).collect();
    let kept = (!kept.is_empty()).then(|| kept.join("&"));
    url.set_query(kept.as_deref());
}

/// Sorts the query's parameters by name; equal names keep their order, for it may matter to the server.
pub(super) fn sort_query(url: &mut Url) {
    let Some(query) = url.query() else { return };
    if query.split('&').is_sorted_by_key(name_of) {
        return;
    }
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_by(|one, other| name_of(one).cmp(name_of(other)));
    let sorted = parameters.join("&");
    url.set_query(Some(&sorted));
}

/// Drops a `?` with nothing behind it.
pub(super) fn drop_empty_query(url: &mut Url) {
    if url.query() == Some("") {
        url.set_query(None);
    }
}

/// Makes one slash of several in the path.
pub(super) fn merge_slashes(url: &mut Url) {
    if !url.path().contains("//") {
        return;
    }
    let mut path = String::with_capacity(url.path().len());
    for letter in url.path().chars() {
        if letter != '/' || !path.ends_with('/') {
            path.push(letter);
        }
    }
    url.set_path(&path);
}

/// Drops the slashes at the end of the path; the root keeps its one.
pub(super) fn drop_trailing_slash(url: &mut Url) {
    if url.path().len() > 1 && url.path().ends_with('/') {
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
    }
}

/// Drops the dots at the end of the host, where something is left that is a host.
pub(super) fn drop_final_dot(url: &mut Url) {
    let Some(host) = url.host_str().filter(|host| host.ends_with('.')) else {
        return;
    };
    let host = host.trim_end_matches('.').to_owned();
    if !host.is_empty() {
        // `1.2.3.999..` is a name, `1.2.3.999` is nothing: such a host stays as it is.
        let _ = url.set_host(Some(&host));
    }
}

/// Whether a parameter's name is `pattern`, which is in lower case and may end with `*` for any ending.
pub(super) fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => name.eq_ignore_ascii_case(pattern),
        Some(start) => {
            name.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        }
    }
}

fn name_of(parameter: &str) -> &str {
    parameter.split_once('=').map_or(parameter, |(name, _)| name)
}

fn is_session_name(name: &str) -> bool {
    SESSION_NAMES.iter().any(|pattern| name_matches(pattern, name))
}

fn without_session(segment: &str) -> String {
    let mut parts = segment.split(';');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for parameter in parts.filter(|parameter| !is_session_name(name_of(parameter))) {
        kept.push(';');
        kept.push_str(parameter);
    }
    kept
}

/// The text with its escapes in normal form; `None` if they are already.
pub(crate) fn normal_escapes(text: &str) -> Option<String> {
    let first = text.find('%')?;
    let mut normal = String::with_capacity(text.len());
    normal.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(letter) = rest.chars().next() {
        match escaped_byte(rest) {
            Some(byte) => {
                push_byte(&mut normal, byte);
                rest = &rest[3..];
            }
            None => {
                normal.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    (normal != text).then_some(normal)
}

fn escaped_byte(text: &str) -> Option<u8> {
    let [b'%', high, low, ..] = text.as_bytes() else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn push_byte(normal: &mut String, byte: u8) {
    let letter = char::from(byte);
    let unreserved = letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~');
    if unreserved && !completes_an_escape(normal, letter) {
        normal.push(letter);
    } else {
        normal.push('%');
        for digit in [byte >> 4, byte & 15] {
            normal.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
        }
    }
}

/// Whether the letter would make an escape of a `%` that was none: `%%34%31` must not become `%41` and then `A`.
fn completes_an_escape(before: &str, letter: char) -> bool {
    let after_percent = match before.as_bytes() {
        [.., b'%'] => true,
        [.., b'%', digit] => digit.is_ascii_hexdigit(),
        _ => false,
    };
    letter.is_ascii_hexdigit() && after_percent
}
