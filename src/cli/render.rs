//! What servers say, made fit for a terminal; and numbers for people.
//!
//! A URL, a title or a reason may hold escape sequences, line ends or marks that turn the direction of writing: on a terminal
//! they could move the cursor, forge a line or hide a part of it. They are shown as JSON escapes instead, so that a line of
//! JSON stays the same JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::exit::Failure;
use crate::sink::is_obeyed_by_terminals;

/// `text` on one line, with everything escaped that a terminal would obey.
pub(super) fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if is_escaped(letter) => {
                write!(shown, "\\u{:04x}", u32::from(letter)).expect("a String takes everything");
            }
            letter => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// What a terminal would obey, and what some viewers take for the end of a line.
fn is_escaped(letter: char) -> bool {
    is_obeyed_by_terminals(letter) || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Says something to the user. A closed standard error is no reason to stop.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints an answer. Line ends are the caller's, everything else is printed as it is.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unprintable)
}

/// Prints a value as indented JSON. Marks that a terminal would obey are escaped there too.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(&json_text(value)?)
}

/// What is printed is passed on: a password in a URL stays behind, as it does where a URL is printed as text.
pub(super) fn hide_passwords(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("http") && text.contains('@') => {
            if let Some(mut url) = Url::parse(text).ok().filter(|url| url.password().is_some()) {
                // A URL with a password has a host, and so a place for another one.
                let hidden = url.set_password(Some("***"));
                *text = if hidden.is_ok() { url.into() } else { String::new() };
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_passwords),
        Value::Object(fields) => fields.values_mut().for_each(hide_passwords),
        _ => {}
    }
}

/// What [`print_json`] prints.
pub(super) fn json_text(value: &impl serde::Serialize) -> Result<String, Failure> {
    let unsayable = |error: serde_json::Error| Failure::Usage(error.to_string());
    let mut value = serde_json::to_value(value).map_err(unsayable)?;
    hide_passwords(&mut value);
    let text = serde_json::to_string_pretty(&value).map_err(unsayable)?;
    let lines = text.lines().map(|line| format!("{}\n", safe(line)));
    Ok(lines.collect())
}

/// What the system says when nobody reads, and everything else.
pub(super) fn unprintable(source: io::Error) -> Failure {
    match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::System { what: "to print", source },
    }
}

/// A length of time with two digits that matter: `340 ms`, `8.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => both(seconds, (60, "min"), (1, "s")),
        3_600..86_400 => both(seconds, (3_600, "h"), (60, "min")),
        _ => both(seconds, (86_400, "d"), (3_600, "h")),
    }
}

fn both(seconds: u64, large: (u64, &str), small: (u64, &str)) -> String {
    let (whole, rest) = (seconds / large.0, seconds % large.0 / small.0);
    match rest {
        0 => format!("{whole} {}", large.1),
        rest => format!("{whole} {} {rest} {}", large.1, small.1),
    }
}

/// A number of bytes: `812 B`, `4.1 kB`, `7.3 MB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1e3;
    let mut unit = 0;
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1e3;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Requests per second with the digits that matter: `2.5/s`, `0.04/s`, `12/h`.
pub(super) fn per_time(rate: f64) -> String {
    match rate {
        rate if rate >= 0.995 => format!("{rate:.1}/s"),
        rate if rate >= 0.01 => format!("{rate:.2}/s"),
        rate => format!("{:.1}/h", rate * 3_600.0),
    }
}

/// A count with its noun: `1 page`, `2 pages`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `text` in lines of at most `width` columns, all of them behind `margin`, each with its line end. A longer word is cut.
pub(super) fn wrapped(text: &str, width: usize, margin: &str) -> String {
    let room = width.saturating_sub(margin.chars().count()).max(1);
    let (mut lines, mut line) = (String::new(), String::new());
    let mut end = |line: &mut String| {
        lines.extend([margin, line.trim_end(), "\n"]);
        line.clear();
    };
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if !line.is_empty() && line.chars().count() + length > room {
            end(&mut line);
        }
        for letter in word.chars() {
            if line.chars().count() == room {
                end(&mut line);
            }
            if letter != ' ' || !line.is_empty() {
                line.push(letter);
            }
        }
    }
    if !line.is_empty() {
        end(&mut line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_between_words_and_a_long_word_is_cut() {
        assert_eq!(wrapped("one two three", 9, "  "), "  one two\n  three\n");
        assert_eq!(wrapped("abcdefgh", 5, ""), "abcde\nfgh\n");
        assert_eq!(wrapped("abcde fgh", 5, ""), "abcde\nfgh\n");
        assert_eq!(wrapped("", 5, ""), "");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(safe("plain ü 漢"), "plain ü 漢");
        assert_eq!(safe("a\x1b[2Jb\0\r\n"), "a\\u001b[2Jb\\u0000\\r\\n");
        assert_eq!(safe("x\u{202e}y\u{9b}z\u{7f}"), "x\\u202ey\\u009bz\\u007f");
    }

    #[test]
    fn json_stays_the_same_json() {
        let line = serde_json::to_string("a\u{202e}b\u{7f}").unwrap();
        let back: String = serde_json::from_str(&safe(&line)).unwrap();
        assert_eq!(back, "a\u{202e}b\u{7f}");
    }

    #[test]
    fn times_and_sizes_read_well() {
        let shown =
            [0, 340, 8_200, 200_000, 7_500_000, 273_600_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["0 ms", "340 ms", "8.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"]);
        assert_eq!([812, 4_100, 999_960, 7_300_000].map(bytes), ["812 B", "4.1 kB", "1.0 MB", "7.3 MB"]);
        assert_eq!([counted(1, "page"), counted(2, "page")], ["1 page", "2 pages"]);
    }
}
