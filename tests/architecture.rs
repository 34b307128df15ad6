//! The floors of the house: who may use whom, which outer crate lives where, and how large a piece may grow.
//!
//! A scan of the source text, blind to comments, strings and `#[cfg(test)]` code. It reads `crate::room` and `super::` paths,
//! alone or in groups. `lib.rs` and `main.rs`, the front door, are exempt.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its floor. A room may use all rooms of lower floors, and itself.
const FLOORS: &[(&str, u8)] = &[
    ("time", 0),
    ("url", 0),
    ("request", 0),
    ("response", 0),
    ("item", 0),
    ("redirect", 1),
    ("headers", 1),
    ("robots", 1),
    ("scope", 1),
    ("address", 1),
    ("host", 1),
    ("cookies", 1),
    ("history", 1),
    ("revisit", 1),
    ("stage", 1),
    ("trap", 1),
    ("politeness", 2),
    ("audit", 2),
    ("frontier", 3),
    ("page", 4),
    ("extract", 4),
    ("spider", 4),
    ("fetch", 4),
    ("store", 4),
    ("sink", 4),
    ("clock", 4),
    ("demo", 4),
    ("engine", 5),
    ("testing", 5),
    ("config", 6),
    ("cli", 7),
];

/// Rooms of one floor that may be used by a neighbour: (user, used). Never in a circle.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("request", "time"),
    ("request", "url"),
    ("response", "time"),
    ("response", "url"),
    ("item", "request"),
    ("item", "time"),
    ("item", "url"),
    ("robots", "headers"),
    ("host", "address"),
    ("cookies", "headers"),
    ("cookies", "host"),
    ("history", "revisit"),
    ("extract", "page"),
    ("spider", "page"),
    ("spider", "extract"),
    ("spider", "store"),
    ("store", "sink"),
    ("store", "clock"),
    ("fetch", "clock"),
    ("page", "clock"),
    ("fetch", "store"),
    ("testing", "engine"),
];

/// Outer crates that only these rooms know.
const OUTER: &[(&str, &[&str])] = &[
    ("reqwest", &["fetch"]),
    ("hickory_resolver", &["fetch"]),
    ("tower_layer", &["fetch"]),
    ("tower_service", &["fetch"]),
    ("nix", &["engine"]),
    ("rustls", &["fetch", "sink"]),
    ("rusqlite", &["sink"]),
    ("postgres", &["sink"]),
    ("tokio_postgres_rustls", &["sink"]),
    ("rustls_platform_verifier", &["fetch", "sink"]),
    ("rustls_native_certs", &["fetch"]),
    ("parquet", &["sink"]),
    ("sled", &["store"]),
    ("fjall", &["store"]),
    ("postcard", &["store"]),
    ("zstd", &["store", "sink"]),
    ("flate2", &["sink"]),
    ("quick_xml", &["extract"]),
    ("serde_json_path", &["extract"]),
    ("feed_rs", &["extract"]),
    ("dom_smoothie", &["extract"]),
    ("scraper", &["page"]),
    ("html5ever", &["page"]),
    ("hyper", &["demo", "fetch"]),
    ("hyper_util", &["demo"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("rustyline", &["cli"]),
    ("toml", &["config", "cli", "testing"]),
    ("schemars", &["config", "cli"]),
    ("texting_robots", &["robots"]),
    ("governor", &["politeness", "frontier"]),
    ("sfv", &["headers", "cli"]),
    ("base64", &["cli", "fetch"]),
    ("chrono", &["extract"]),
    ("sha1", &["sink"]),
    ("http_cache_semantics", &["headers"]),
];

/// Floors up to this one are pure: no runtime, no disk, no log, no process.
const LAST_PURE_FLOOR: u8 = 3;
const IMPURE_CRATES: [&str; 2] = ["tokio", "tracing"];
const IMPURE_STD: [&str; 5] = ["env", "fs", "os", "process", "thread"];

const VAGUE_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];
const MAX_FILE_LINES: usize = 450;
const MAX_FN_LINES: usize = 60;

/// One source file as the scan sees it.
struct Source {
    path: String,
    /// Module path from the crate's root: `["fetch", "http"]`.
    module: Vec<String>,
    /// Without comments, strings and test code.
    text: String,
}

impl Source {
    /// `path` is relative to `src/`, with slashes.
    fn new(path: &str, text: &str) -> Self {
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        Self { path: path.to_owned(), module, text: without_tests(&blanked(text)) }
    }

    fn room(&self) -> &str {
        &self.module[0]
    }

    /// Everything in this file that breaks a rule of the house.
    fn faults(&self) -> Vec<String> {
        let mut faults = self.floor_faults();
        faults.extend(self.outer_faults());
        faults.extend(self.size_faults());
        let told = |fault| format!("src/{}: {fault}", self.path);
        faults.into_iter().map(told).collect()
    }

    fn floor_faults(&self) -> Vec<String> {
        let Some(own) = floor(self.room()) else {
            return vec![format!("room `{}` has no floor: add it to the table", self.room())];
        };
        let mut used = self.rooms_used();
        used.retain(|room| room != self.room());
        used.sort();
        used.dedup();
        let judge = |room: String| match floor(&room) {
            None => Some(format!("`crate::{room}` is not a room")),
            Some(other) if other > own => Some(format!("uses `{room}`, which is {} floors up", other - own)),
            Some(other) if other == own && !NEIGHBOURS.contains(&(self.room(), room.as_str())) => {
                Some(format!("uses its neighbour `{room}`"))
            }
            Some(_) => None,
        };
        used.into_iter().filter_map(judge).collect()
    }

    /// First segments of all paths that start at the crate's root.
    fn rooms_used(&self) -> Vec<String> {
        let mut rooms = Vec::new();
        for (start, word) in words(&self.text) {
            let rest = &self.text[start + word.len()..];
            match word {
                "crate" => rooms.extend(first_segments(rest)),
                "super" if !self.text[..start].trim_end().ends_with("::") => {
                    let (supers, rest) = climb(rest);
                    if supers == self.module.len() {
                        rooms.extend(first_segments(rest));
                    }
                }
                _ => {}
            }
        }
        rooms
    }

    fn outer_faults(&self) -> Vec<String> {
        let pure = floor(self.room()).is_some_and(|floor| floor <= LAST_PURE_FLOOR);
        let mut faults = Vec::new();
        for name in self.outer_crates() {
            let rooms = OUTER.iter().find(|(outer, _)| *outer == name);
            if rooms.is_some_and(|(_, rooms)| !rooms.contains(&self.room())) {
                faults.push(format!("outer crate `{name}` does not belong here"));
            }
            if pure && IMPURE_CRATES.contains(&name) {
                faults.push(format!("`{name}` on a pure floor"));
            }
        }
        if pure {
            let std_parts = words(&self.text).filter(|(_, word)| *word == "std");
            let parts = std_parts.flat_map(|(start, word)| first_segments(&self.text[start + word.len()..]));
            let impure = parts.filter(|part| IMPURE_STD.contains(&part.as_str()));
            faults.extend(impure.map(|part| format!("`std::{part}` on a pure floor")));
        }
        faults
    }

    /// Words that stand where an outer crate's name stands: `name::` or `use name`, and not behind `::`.
    fn outer_crates(&self) -> Vec<&str> {
        let is_crate = |(start, word): &(usize, &str)| {
            let before = self.text[..*start].trim_end();
            let after = self.text[start + word.len()..].trim_start();
            let is_use = before.ends_with("use") && (after.starts_with(';') || after.starts_with("as "));
            let behind_a_name = before.strip_suffix("::").is_some_and(|head| head.ends_with(is_name));
            (after.starts_with("::") || is_use) && !behind_a_name
        };
        words(&self.text).filter(is_crate).map(|(_, word)| word).collect()
    }

    fn size_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.module.iter().any(|name| VAGUE_NAMES.contains(&name.as_str())) {
            faults.push("a name that says nothing".to_owned());
        }
        let lines = self.text.trim_end().lines().count();
        if lines > MAX_FILE_LINES {
            faults.push(format!("{lines} lines, {MAX_FILE_LINES} are the most"));
        }
        let long = functions(&self.text).into_iter().filter(|(_, lines)| *lines > MAX_FN_LINES);
        faults.extend(
            long.map(|(name, lines)| format!("fn {name} has {lines} lines, {MAX_FN_LINES} are the most")),
        );
        faults
    }
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All words of the text with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c| !is_name(c))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Follows `::super` as far as it goes; the count includes the first `super`.
fn climb(mut rest: &str) -> (usize, &str) {
    let mut supers = 1;
    while let Some(next) = rest.trim_start().strip_prefix("::super") {
        (supers, rest) = (supers + 1, next);
    }
    (supers, rest)
}

/// `a` of `::a::b`, `a` and `c` of `::{a::{b}, c}`, nothing of anything else.
fn first_segments(rest: &str) -> Vec<String> {
    let Some(rest) = rest.trim_start().strip_prefix("::").map(str::trim_start) else {
        return Vec::new();
    };
    let word = |text: &str| text.chars().take_while(|c| is_name(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let (mut depth, mut element, mut found) = (0, true, Vec::new());
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => element = true,
            _ if element && is_name(c) => {
                found.push(word(&group[place..]));
                element = false;
            }
            _ => {}
        }
    }
    found
}

/// The source with spaces in place of comments, strings and characters; line breaks stay.
fn blanked(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let opaque = opaque_len(rest, out.chars().next_back());
        let taken = opaque.unwrap_or(first.len_utf8());
        let (piece, after) = rest.split_at(taken);
        match opaque {
            Some(_) => out.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' })),
            None => out.push_str(piece),
        }
        rest = after;
    }
    out
}

/// Length of the comment, string or character that the text begins with, if it does.
fn opaque_len(text: &str, before: Option<char>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment_len(text));
    }
    if text.starts_with('"') {
        return Some(quoted_len(text, '"'));
    }
    if text.starts_with('\'') {
        let mut next = text.chars().skip(1);
        let is_char = next.next() == Some('\\') || next.next() == Some('\'');
        return is_char.then(|| quoted_len(text, '\''));
    }
    let is_prefix = before.is_none_or(|c| !is_name(c) || c == 'b' || c == 'c');
    let hashes = text.strip_prefix('r').filter(|_| is_prefix)?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let inner = body.find(&end).unwrap_or(body.len() - end.len());
    Some(2 + count + inner + end.len())
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut place) = (0, 0);
    while place < text.len() {
        let rest = &text.as_bytes()[place..];
        match rest {
            [b'/', b'*', ..] => (depth, place) = (depth + 1, place + 2),
            [b'*', b'/', ..] => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
        if depth == 0 {
            return place;
        }
    }
    text.len()
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// Blanked text without the items under `#[cfg(test)]`, whose lines vanish.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        out.push_str(before);
        let start = item.find(['{', ';']).unwrap_or(item.len());
        rest = if item[start..].starts_with('{') {
            &item[start + block_len(&item[start..])..]
        } else {
            item.get(start + 1..).unwrap_or_default()
        };
    }
    out + rest
}

/// Length of the braced block that the text begins with.
fn block_len(text: &str) -> usize {
    let mut depth = 0;
    for (place, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return place + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Name and number of lines of all functions with a body.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut all = words(text).peekable();
    while let Some((start, word)) = all.next() {
        let Some((_, name)) = all.peek().filter(|_| word == "fn") else {
            continue;
        };
        let head = &text[start..];
        if let Some(body) = body_start(head) {
            let whole = &head[..body + block_len(&head[body..])];
            found.push(((*name).to_owned(), whole.lines().count()));
        }
    }
    found
}

/// Where a function's body opens; `None` for a declaration and for a `fn(..)` type.
fn body_start(head: &str) -> Option<usize> {
    if head.strip_prefix("fn")?.trim_start().starts_with('(') {
        return None;
    }
    let mut depth = 0;
    for (place, c) in head.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(place),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// All sources below `src/` but the front door and modules of tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The derive is a crate of its own: the floors are not its floors.
    let derive = root.join("derive");
    let (mut folders, mut files) = (vec![root.clone()], Vec::<PathBuf>::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path == derive {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let named = files.iter().map(|file| {
        let inside = file.strip_prefix(&root).expect("it was found below src");
        (file, inside.to_string_lossy().replace('\\', "/"))
    });
    let exempt = |path: &str| {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        is_test || ["lib.rs", "main.rs"].contains(&path)
    };
    named
        .filter(|(_, path)| !exempt(path))
        .map(|(file, path)| Source::new(&path, &fs::read_to_string(file).expect("a source is text")))
        .collect()
}

#[test]
fn the_house_stands() {
    let sources = sources();
    assert!(sources.len() > 10, "only {} files found", sources.len());
    let faults: Vec<String> = sources.iter().flat_map(Source::faults).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn functions_are_short() {
    let sources = sources();
    let mut lines: Vec<usize> =
        sources.iter().flat_map(|source| functions(&source.text)).map(|(_, lines)| lines).collect();
    lines.sort_unstable();
    let share = |percent: usize| lines[(lines.len() - 1) * percent / 100];
    println!("{} functions: median {}, p90 {}, longest {}", lines.len(), share(50), share(90), share(100));
    assert!(share(90) <= 25, "the tail grows: p90 is {}", share(90));
}

#[test]
fn neighbours_stand_on_one_floor_and_never_in_a_circle() {
    for &(user, used) in NEIGHBOURS {
        assert!(floor(user).is_some(), "{user} has no floor");
        assert_eq!(floor(user), floor(used), "{user} and {used}");
        let mut reached = vec![used];
        for _round in 0..NEIGHBOURS.len() {
            let next = NEIGHBOURS.iter().filter(|(from, _)| reached.contains(from));
            let next: Vec<_> = next.map(|(_, to)| *to).collect();
            reached.extend(next);
            reached.sort_unstable();
            reached.dedup();
        }
        assert!(!reached.contains(&user), "{user} uses itself by way of {used}");
    }
}

/// The faults of a made-up file.
fn faults_of(path: &str, text: &str) -> Vec<String> {
    Source::new(path, text).faults()
}

#[test]
fn the_scan_sees_every_way_up() {
    for text in [
        "use crate::engine::Engine;",
        "use crate::{\n    time::Timestamp,\n    engine::{self, Engine},\n};",
        "fn f() -> crate::engine::Engine { g() }",
        "use super::super::engine;",
        "use super::super::{engine, time};",
        "#[cfg(test)]\nmod tests { fn t() {} }\nuse crate::engine;",
        "const Q: char = '\"'; use crate::engine; const R: char = '\"';",
        "fn f<'a>(x: &'a str) {} use crate::engine; fn g<'a>(x: &'a str) {}",
        "const S: &str = r#\"\"#; use crate::engine;",
        "/* /* */ */ use crate::engine;",
    ] {
        let faults = faults_of("robots/group.rs", text);
        assert!(faults.len() == 1 && faults[0].contains("engine"), "{text}: {faults:?}");
    }
    assert_eq!(faults_of("scope.rs", "use super::engine;").len(), 1);
    assert_eq!(faults_of("scope.rs", "use crate::robots;").len(), 1, "a neighbour");
    assert_eq!(faults_of("scope.rs", "use crate::Name;").len(), 1, "not a room");
    assert_eq!(faults_of("attic/mod.rs", "").len(), 1, "a room without a floor");
}

#[test]
fn the_scan_is_blind_to_comments_strings_and_tests() {
    for text in [
        "// use crate::engine;",
        "//! See [`crate::engine`].",
        "/* use /* */ crate::engine; */",
        "const A: &str = \"crate::engine \\\" crate::engine\";",
        "const A: &str = r#\"crate::engine\" crate::engine\"#;",
        "const A: &[u8] = br\"crate::engine\";",
        "#[cfg(test)]\nmod tests { use crate::engine; fn f() { if true {} } }",
        "#[cfg(test)]\nuse crate::engine;",
        "use super::engine;",
        "use crate::time; use crate::robots::{self, reader}; use crate::headers::date;",
    ] {
        assert_eq!(faults_of("robots/group.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_scan_sees_outer_crates_out_of_place() {
    for text in [
        "use reqwest::Client;",
        "use reqwest;",
        "use reqwest as web;",
        "fn f() -> ::reqwest::Client { g() }",
        "#[derive(clap::Parser)] struct Args;",
        "use {hyper::body, std::time};",
    ] {
        assert_eq!(faults_of("engine/worker.rs", text).len(), 1, "{text}");
    }
    for text in
        ["use tokio::time;", "use std::fs;", "use std::{fs::File, time};", "fn f() { tracing::info!() }"]
    {
        assert_eq!(faults_of("frontier/mod.rs", text).len(), 1, "{text}");
        assert_eq!(faults_of("engine/mod.rs", text), Vec::<String>::new(), "{text}");
    }
    for text in ["use crate::fetch::reqwest::X;", "let reqwest = 1;", "use hyperlink::X;"] {
        assert_eq!(faults_of("engine/mod.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_scan_measures_files_and_functions_without_tests() {
    let long_fn = |lines: usize| format!("fn long() -> [u8; 2] {{{}}}", "\n".repeat(lines - 1));
    assert_eq!(faults_of("time.rs", &long_fn(60)), Vec::<String>::new());
    assert_eq!(faults_of("time.rs", &long_fn(61)).len(), 1);
    let long_file = "const A: u8 = 1;\n".repeat(450);
    assert_eq!(faults_of("time.rs", &long_file), Vec::<String>::new());
    assert_eq!(faults_of("time.rs", &format!("{long_file}const B: u8 = 1;\n")).len(), 1);
    let tests = format!("{long_file}#[cfg(test)]\nmod tests {{\n{}}}\n", long_fn(61));
    assert_eq!(faults_of("time.rs", &tests), Vec::<String>::new());
    assert_eq!(faults_of("fetch/util.rs", "").len(), 1, "a name that says nothing");
    let declared = "trait T { fn a(&self); fn b(&self) { 1 } } type F = fn(u8) -> u8;";
    assert_eq!(functions(declared), [("b".to_owned(), 1)]);
}
