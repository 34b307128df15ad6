//! The layers: defaults, crawler file, `--set`, flags; and what is told of their origins afterwards.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::build::{self, Surroundings};
use super::check::Check;
use super::environment::{self, Lookup};
use super::path::{Path, Step};
use super::plan::{Effective, Plan};
use super::problem::{ConfigError, Finding, Sources, Spot};
use super::raw::CrawlerFile;
use super::read;
use super::tables::wire::is_credential;
use super::tree::{Node, Origin, Value};
use crate::sink::ending::kind_of;
use crate::sink::warc::packing_of;

/// The defaults, as text with comments.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// A crawler file is never longer than this.
const MOST_BYTES: usize = 16 << 20;

/// Of a file that is no TOML, so many errors are looked at.
const MOST_ERRORS: usize = 200;

/// Gathers the layers of a crawl's configuration and loads them.
///
/// ```
/// use crawl::config::Loader;
///
/// let plan = Loader::new()
///     .text("quotes.toml", "seeds = [\"demo:\"]")
///     .set("politeness.delay=200ms")
///     .load()
///     .unwrap();
/// assert_eq!(plan.name, "quotes");
/// ```
pub struct Loader {
    file: Option<Source>,
    given: Vec<Given>,
    lookup: Box<Lookup>,
}

enum Source {
    Path(PathBuf),
    Text { name: String, text: String },
}

/// A layer of the command line.
struct Given {
    /// What the origin of its values is called.
    origin: &'static str,
    /// As the user wrote it.
    shown: String,
    layer: Layer,
}

enum Layer {
    /// `key=value`.
    Assignment(String),
    /// A value of which nothing needs to be parsed; the path is replaced, not merged.
    Value(Path, Value),
    Seed(String),
    SeedFile(String),
    /// A file in the place of all sinks of the file, beside those of other flags.
    Out {
        kind: &'static str,
        path: String,
        is_first: bool,
    },
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Loader {
    /// The defaults alone (without a crawler file and without a limit on pages or depth, the sitemaps that robots.txt names are read), and the environment of this process for `${NAME}`.
    #[must_use]
    pub fn new() -> Self {
        Self { file: None, given: Vec::new(), lookup: Box::new(|name| std::env::var(name).ok()) }
    }

    /// Loads this crawler file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(Source::Path(path.into()));
        self
    }

    /// Loads this text as the crawler file `name`.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, toml: impl Into<String>) -> Self {
        self.file = Some(Source::Text { name: name.into(), text: toml.into() });
        self
    }

    /// Lays one assignment over the file, as in `politeness.delay=200ms`. The value is TOML; what is none is a string, and a
    /// single value may stand for a list of one.
    #[must_use]
    pub fn set(self, assignment: impl Into<String>) -> Self {
        let assignment = assignment.into();
        let shown = format!("--set {assignment}");
        self.given("--set", shown, Layer::Assignment(assignment))
    }

    /// Lays one assignment over the file that stands for a flag of the command line, such as `--limit` for
    /// `scope.max-pages=10`.
    #[must_use]
    pub fn flag(self, flag: &'static str, assignment: impl Into<String>) -> Self {
        let assignment = assignment.into();
        let value = assignment.split_once('=').map_or("", |(_, value)| value);
        let shown = format!("{flag} {value}");
        self.given(flag, shown, Layer::Assignment(assignment))
    }

    /// Starts at this URL, and not at the seeds of the file. May be called several times.
    #[must_use]
    pub fn seed(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.given("--seed", format!("--seed {url}"), Layer::Seed(url))
    }

    /// Starts at the URLs of this file, one a line, and not at the seeds of the crawler file.
    #[must_use]
    pub fn seeds_file(self, file: impl Into<PathBuf>) -> Self {
        let file = file.into().to_string_lossy().into_owned();
        self.given("--seeds-file", format!("--seeds-file {file}"), Layer::SeedFile(file))
    }

    /// Keeps the state in this directory.
    #[must_use]
    pub fn state(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into().to_string_lossy().into_owned();
        let layer = Layer::Value(Path::of(&["state-dir"]), Value::text(&directory));
        self.given("--state", format!("--state {directory}"), layer)
    }

    /// Writes items to this file and not to the sinks of the crawler file. What it is written as is seen from its ending, by
    /// [`ENDINGS`](crate::sink::ending::ENDINGS); without one of those, JSON lines. `-` is the standard output. A name that ends in
    /// `.warc.gz` or `.warc` takes what is asked and answered, and no items. May be called several times.
    #[must_use]
    pub fn out(self, file: impl Into<PathBuf>) -> Self {
        let file: PathBuf = file.into();
        let kind = match packing_of(&file) {
            Some(_) => "warc",
            None => kind_of(&file).unwrap_or("jsonl"),
        };
        let path = file.to_string_lossy().into_owned();
        let is_first = !self.given.iter().any(|given| matches!(given.layer, Layer::Out { .. }));
        self.given("--out", format!("--out {path}"), Layer::Out { kind, path, is_first })
    }

    /// Looks environment variables up here instead of in the environment of this process.
    #[must_use]
    pub fn environment(mut self, lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    fn given(mut self, origin: &'static str, shown: String, layer: Layer) -> Self {
        self.given.push(Given { origin, shown, layer });
        self
    }

    /// Loads everything and checks it.
    ///
    /// # Errors
    /// With all problems at once; only if the file is no TOML at all, nothing beyond that is looked at.
    pub fn load(self) -> Result<Plan, ConfigError> {
        let mut tree = defaults();
        let (mut sources, stem) = self.read_source(&tree)?;
        sources.given = self.given.iter().map(|given| given.shown.clone()).collect();
        let (file, mut findings) = parse_file(&sources.text);
        if !findings.is_empty() {
            return Err(failed(&sources, &tree, findings));
        }
        tree.merge(file);
        for (index, given) in self.given.iter().enumerate() {
            findings.extend(given.layer.lay_over(&mut tree, index).err());
        }
        if self.file.is_none() {
            take_the_whole_site(&mut tree);
        }
        findings.extend(environment::resolve(&mut tree, &*self.lookup));
        let (raw, unreadable) = read::read::<CrawlerFile>(&mut tree);
        findings.extend(unreadable);
        let mut check = Check::new(&tree, findings);
        let mut plan = build::build(raw, Surroundings { stem }, &mut check);
        let findings = check.findings;
        if !findings.is_empty() {
            return Err(failed(&sources, &tree, findings));
        }
        plan.effective = self.explain(&tree, &sources);
        let chosen = |key: &str, value: String| Effective {
            key: key.to_owned(),
            value: Value::text(value).to_toml(),
            origin: "default".to_owned(),
        };
        if tree.find(&Path::of(&["state-dir"])).is_none() {
            plan.effective.push(chosen("state-dir", plan.state_dir.display().to_string()));
        }
        Ok(plan)
    }

    /// The file's name and text, and its name without ending.
    fn read_source(&self, tree: &Node) -> Result<(Sources, Option<String>), ConfigError> {
        let (path, text) = match &self.file {
            None => (None, Ok(String::new())),
            Some(Source::Text { name, text }) => (Some(PathBuf::from(name)), Ok(text.clone())),
            Some(Source::Path(path)) => (Some(path.clone()), std::fs::read_to_string(path)),
        };
        let mut sources = Sources {
            name: path.as_ref().map_or_else(|| "command line".to_owned(), |path| path.display().to_string()),
            ..Sources::default()
        };
        let unreadable = |message: String| {
            let spot = Spot::Value(Path::default());
            failed(&sources, tree, vec![Finding::at(spot, message)])
        };
        let text = text.map_err(|error| unreadable(format!("cannot read the crawler file: {error}")))?;
        if text.len() > MOST_BYTES {
            return Err(unreadable("a crawler file has at most 16 MiB: write long lists of URLs into a file of their own, and `seeds-file` for it".to_owned()));
        }
        sources.text = text;
        let stem = path.and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
        Ok((sources, stem))
    }

    fn explain(&self, tree: &Node, sources: &Sources) -> Vec<Effective> {
        let origin = |node: &Node| match &node.origin {
            Origin::Default => "default".to_owned(),
            Origin::File(span) => format!("{}:{}", sources.name, sources.position(span.start).0),
            Origin::Given(index) => self.given[*index].origin.to_owned(),
        };
        tree.leaves()
            .into_iter()
            .map(|(path, node)| Effective {
                origin: origin(node),
                value: shown(&path, node),
                key: path.to_string(),
            })
            .collect()
    }
}

fn failed(sources: &Sources, tree: &Node, findings: Vec<Finding>) -> ConfigError {
    ConfigError { problems: sources.problems(tree, findings) }
}

/// The value as TOML, unless it is a secret by its name or place.
fn shown(path: &Path, node: &Node) -> String {
    let table = path.parent();
    if SECRETS.iter().any(|secrets| table == Path::of(secrets)) && !is_plain_reference(node) {
        return "\"***\"".to_owned();
    }
    let Value::Text { text, written: None } = &node.value else {
        return node.value.to_toml();
    };
    let header = path.parent().last_key() == Some("headers");
    let credential = header && path.last_key().is_some_and(is_credential);
    if credential {
        return "\"***\"".to_owned();
    }
    match url::Url::parse(text) {
        Ok(mut url) if url.password().is_some() => {
            // A URL that has a password can have another one.
            url.set_password(Some("***")).ok();
            Value::text(url.as_str()).to_toml()
        }
        _ => node.value.to_toml(),
    }
}

/// Tables whose values are secrets, wherever they come from.
const SECRETS: [&[&str]; 2] = [&["login", "fields"], &["cookies", "set"]];

/// Whether nothing of a value stands in the file but the name of an environment variable.
fn is_plain_reference(node: &Node) -> bool {
    let Value::Text { written: Some(written), .. } = &node.value else {
        return false;
    };
    let name = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// The lowest layer.
fn defaults() -> Node {
    let table = DeTable::parse(DEFAULTS).expect("a test reads the embedded defaults");
    let span = table.span();
    let mut tree = Node::of_table(table.into_inner(), span, &|_| Origin::Default);
    let version = Node::new(Value::text(env!("CARGO_PKG_VERSION")), Origin::Default);
    tree.merge(Node::at(&Path::of(&["identity", "version"]), version));
    tree
}

/// Without a crawler file: who names nothing but seeds wants the whole site, and a site tells of itself in its sitemaps. Who wants so many
/// pages, or those near the seeds, follows links alone.
fn take_the_whole_site(tree: &mut Node) {
    let follow = Path::of(&["sitemap", "follow"]);
    let is_bounded =
        ["max-depth", "max-pages"].iter().any(|key| tree.find(&Path::of(&["scope", *key])).is_some());
    let is_said = tree.find(&follow).is_some_and(|node| !matches!(node.origin, Origin::Default));
    if !is_bounded && !is_said {
        tree.merge(Node::at(&follow, Node::new(Value::text("robots"), Origin::Default)));
    }
}

/// The file's layer, and every place where it is no TOML.
fn parse_file(text: &str) -> (Node, Vec<Finding>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line = |byte: usize| text[..text.floor_char_boundary(byte)].matches('\n').count();
    let mut errors: Vec<_> = errors.iter().take(MOST_ERRORS).collect();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut findings = Vec::new();
    let mut last_line = None;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let here = Some(line(span.start));
        // What else is found wrong on a line mostly follows from the first.
        if last_line != here {
            let message = format!("this is not TOML: {}", error.message());
            findings.push(Finding::at(Spot::Bytes(span), message));
        }
        last_line = here;
    }
    let span = table.span();
    (Node::of_table(table.into_inner(), span, &Origin::File), findings)
}

impl Layer {
    fn lay_over(&self, tree: &mut Node, index: usize) -> Result<(), Finding> {
        let origin = Origin::Given(index);
        match self {
            Self::Assignment(text) => tree.merge(assignment(text, index)?),
            Self::Value(path, value) => {
                let blank = Node::new(Value::Spoilt, origin.clone());
                tree.merge(Node::at(path, blank));
                tree.merge(Node::at(path, Node::new(value.clone(), origin)));
            }
            Self::Seed(url) => {
                leave_out(tree, "seeds-file", &origin);
                let seed = Node::new(Value::text(url), origin.clone());
                let mut seeds = flag_seeds(tree);
                seeds.push(seed);
                let list = Node::new(Value::List(seeds), origin);
                tree.merge(Node::at(&Path::of(&["seeds"]), list));
            }
            Self::SeedFile(path) => {
                leave_out(tree, "seeds", &origin);
                tree.merge(Node::at(&Path::of(&["seeds-file"]), Node::new(Value::text(path), origin)));
            }
            Self::Out { kind, path, is_first } => {
                if *is_first {
                    tree.merge(Node::at(&Path::of(&["sink"]), Node::new(Value::Spoilt, origin.clone())));
                }
                lay_out(tree, kind, path, &origin);
            }
        }
        Ok(())
    }
}

/// What the file says of this key does not count, unless a flag says it.
fn leave_out(tree: &mut Node, key: &str, origin: &Origin) {
    let path = Path::of(&[key]);
    if tree.find(&path).is_some_and(|node| !matches!(node.origin, Origin::Given(_))) {
        tree.merge(Node::at(&path, Node::new(Value::Spoilt, origin.clone())));
    }
}

/// Seeds that flags have given so far.
fn flag_seeds(tree: &Node) -> Vec<Node> {
    match tree.find(&Path::of(&["seeds"])).map(|node| (&node.value, &node.origin)) {
        Some((Value::List(seeds), Origin::Given(_))) => seeds.clone(),
        _ => Vec::new(),
    }
}

/// Puts a file among those that flags have given so far.
fn lay_out(tree: &mut Node, kind: &str, path: &str, origin: &Origin) {
    let top = Path::of(&["sink"]);
    let table = Node::at(&Path::of(&["path"]), Node::new(Value::text(path), origin.clone()));
    let given = tree.find(&top.key(kind)).map(|node| node.value.clone());
    let sinks = match given {
        None => table,
        Some(Value::List(mut tables)) => {
            tables.push(table);
            Node::new(Value::List(tables), origin.clone())
        }
        Some(only) => Node::new(Value::List(vec![Node::new(only, origin.clone()), table]), origin.clone()),
    };
    tree.merge(Node::at(&top.key(kind), sinks));
}

/// `key=value` as a tree of one branch.
fn assignment(text: &str, index: usize) -> Result<Node, Finding> {
    let form = || {
        Finding::at(
            Spot::Given(index),
            "write key=value, as in politeness.delay=200ms or hosts.\"a.example\".delay=2s",
        )
    };
    let (key, value) = split_assignment(text).ok_or_else(form)?;
    let keys = toml_edit::Key::parse(key).map_err(|_| form())?;
    let path = Path(keys.iter().map(|key| Step::Key(key.get().to_owned())).collect());
    let value = value.trim();
    let origin = |_| Origin::Given(index);
    let leaf = match DeValue::parse(value) {
        Ok(parsed) => Node::of_value(parsed, &origin),
        Err(error) if value.starts_with(['[', '{', '"', '\'']) => {
            let message = format!("the value is not TOML: {}", error.message());
            return Err(Finding::at(Spot::Given(index), message));
        }
        Err(_) => Node::new(Value::text(value), Origin::Given(index)),
    };
    Ok(Node::at(&path, leaf))
}

/// Cuts at the first `=` that stands outside quotes.
fn split_assignment(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '=') => return Some((&text[..at], &text[at + 1..])),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}
