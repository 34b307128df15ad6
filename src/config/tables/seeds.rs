//! `seeds` and `seeds-file`: where the crawl starts.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::content::{ContentKeys, MethodWord};
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::{Seed, Start};
use crate::request::Request;
use crate::spider::declarative::SeedFile;
use crate::url::Canon;

/// Of a file of seeds, so many lines that are no URLs are told.
const MOST_LINES: usize = 10;

/// A URL to start from: the URL alone, or a table with more about it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename = "Seed", rename_all = "kebab-case")]
#[schemars(rename = "Seed", transform = or_text)]
pub(in crate::config) struct SeedTable {
    /// An http or https URL, or `demo:` for the built-in demo site (`demo:/authors/` for one of its pages).
    url: Option<String>,
    /// The label of its page: `[[extract]]` and `[[follow]]` can ask for it.
    label: Option<String>,
    /// -128 to 127; higher is asked earlier within a host. Default 0.
    priority: Option<i8>,
    /// "GET" or "POST". Default: GET, with a body POST.
    method: Option<MethodWord>,
    /// Header fields of this request alone. Credentials belong in `[hosts."name".headers]`.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    headers: Vec<(String, String)>,
    /// The body as text; its `Content-Type` belongs in `headers`.
    body: Option<String>,
    /// The body as JSON.
    #[schemars(with = "Option<Value>")]
    json: Option<Value>,
    /// The body as the fields of a form.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    form: Vec<(String, String)>,
    /// Values that become fields of the items of its page, and of the pages of its list.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, Value>")]
    data: Vec<(String, Value)>,
}

/// Adds the short form, a string alone, to the schema of a table.
pub(in crate::config) fn or_text(schema: &mut Schema) {
    let table = std::mem::take(schema);
    *schema = json_schema!({ "anyOf": [{ "type": "string" }, table] });
}

/// Where the crawl starts.
pub(in crate::config) struct Seeds {
    /// Those of the crawler file, each with its place.
    pub(in crate::config) written: Vec<(Path, Seed)>,
    /// Those of a file of their own.
    pub(in crate::config) listed: Option<Listed>,
}

pub(in crate::config) fn build(
    (seeds, file): (Vec<SeedTable>, Option<PathBuf>),
    canon: &Canon,
    check: &mut Check<'_>,
) -> Seeds {
    let places = check.items(&Path::of(&["seeds"]));
    let written = seeds.into_iter().zip(places);
    let written = written.filter_map(|(seed, place)| seed.build(place, canon, check)).collect();
    Seeds { written, listed: listed(file, canon, check) }
}

impl Seeds {
    /// Whether there is none, and none was meant to be.
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.written.is_empty() && self.listed.is_none()
    }

    /// What is asked first, with its place: of a file the first of each host. Seeds at the demo site have no URL yet.
    pub(in crate::config) fn placed(&self) -> impl Iterator<Item = (&Path, Request)> {
        let written = self.written.iter().filter_map(|(place, seed)| Some((place, seed.request()?)));
        let listed = self.listed.iter();
        written.chain(listed.flat_map(|list| list.hosts.iter().map(|seed| (&list.place, seed.clone()))))
    }

    /// For the plan.
    pub(in crate::config) fn into_parts(self) -> (Vec<Seed>, Option<SeedFile>) {
        (self.written.into_iter().map(|(_, seed)| seed).collect(), self.listed.map(|list| list.file))
    }
}

/// A file of seeds, and what has to be known of it before the crawl begins.
pub(in crate::config) struct Listed {
    pub(in crate::config) place: Path,
    pub(in crate::config) file: SeedFile,
    /// The first request to each host.
    pub(in crate::config) hosts: Vec<Request>,
}

/// Reads the file once, so that a wrong line is told before anything is asked.
fn listed(path: Option<PathBuf>, canon: &Canon, check: &mut Check<'_>) -> Option<Listed> {
    let (place, file) = (Path::of(&["seeds-file"]), SeedFile { path: path?, canon: canon.clone() });
    let (mut known, mut hosts, mut wrong) = (HashSet::new(), Vec::new(), 0);
    for seed in file.requests() {
        match seed {
            Ok(seed) => hosts.extend(known.insert(seed.host()).then_some(seed)),
            Err(error) if wrong < MOST_LINES => {
                wrong += 1;
                check.wrong(&place, error.to_string());
            }
            Err(_) => break,
        }
    }
    check.must(wrong > 0 || !hosts.is_empty(), &place, "there is no URL in it: nothing would be asked for");
    Some(Listed { place, file, hosts })
}

/// Reads a URL that may be one of the demo site.
pub(in crate::config) fn start_of(
    url: &str,
    at: &Path,
    canon: &Canon,
    check: &mut Check<'_>,
) -> Option<Start> {
    match url.strip_prefix("demo:") {
        Some("") => Some(Start::Demo("/".to_owned())),
        Some(path) if path.starts_with('/') => Some(Start::Demo(path.to_owned())),
        Some(_) => {
            let hint = "write `demo:` for the demo site's home page or `demo:/path` for another page of it";
            check.wrong(at, hint);
            None
        }
        None => check.taken(at, canon.parse(url)).map(Start::Url),
    }
}

impl SeedTable {
    fn build(self, place: Path, canon: &Canon, check: &mut Check<'_>) -> Option<(Path, Seed)> {
        let key = place.key("url");
        let Some(url) = self.url else {
            check.missing(&key, "a seed needs a URL");
            return None;
        };
        let at = if check.is_there(&key) { &key } else { &place };
        let start = start_of(&url, at, canon, check)?;
        let Self { method, headers, body, json, form, .. } = self;
        let content = ContentKeys { method, headers, body, json, form }.build(&place, check);
        let seed = Seed {
            start,
            label: self.label,
            priority: self.priority.unwrap_or_default(),
            method: content.method,
            headers: content.headers,
            body: content.body.map(|body| body.bytes()),
            data: Map::from_iter(self.data),
        };
        Some((place, seed))
    }
}
