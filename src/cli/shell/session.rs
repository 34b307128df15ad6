//! The page that is looked at, and what is done with it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::super::args::ShellArgs;
use super::super::exit::{Exit, Failure};
use super::super::fetch::{self, Wanted};
use super::super::look::query::{By, Query};
use super::super::look::rules::Rules;
use super::super::look::table::{self, Look, Paint};
use super::super::look::{self, lines, short};
use super::super::render::{bytes, counted, json_text, print, safe, tell};
use super::super::{Registry, Stage};
use super::command::{self, Command};
use crate::config::Loader;
use crate::extract::structured;
use crate::page::Page;
use crate::page::css::Css;
use crate::request::Request;
use crate::url::CanonicalUrl;

/// Lines of text that are shown at once.
const MOST_LINES: usize = 60;
/// Elements of which the HTML or text is shown at once.
const MOST_ELEMENTS: usize = 5;
/// Items of a rule that are shown.
const MOST_ITEMS: usize = 3;
/// Bytes of text that are taken of one element.
const MOST_TEXT: usize = 1 << 20;
/// The demo site's scheme.
const DEMO: &str = "demo:";

pub(super) struct Session<'a> {
    args: &'a ShellArgs,
    stage: &'a Stage,
    registry: &'a Registry,
    page: Option<Page>,
    /// The URL of the page, as it was asked for.
    asked: String,
    /// What a crawler file says to take what was asked last.
    last: Option<String>,
    exit: Exit,
}

impl<'a> Session<'a> {
    /// With the first page, if it can be had. A mistake in what was asked for ends the command before anything is asked.
    pub(super) fn open(
        args: &'a ShellArgs,
        stage: &'a Stage,
        registry: &'a Registry,
    ) -> Result<Self, Failure> {
        let url = args.parts().1;
        let asked = url.unwrap_or_default().to_owned();
        let mut session = Self { args, stage, registry, page: None, asked, last: None, exit: Exit::COMPLETE };
        match (&args.from, url) {
            (Some(place), _) if place.as_os_str() == "-" => {
                let reason = "commands come from the standard input: put the page into a file for --from";
                return Err(Failure::Usage(reason.to_owned()));
            }
            (Some(place), url) => session.arrive(look::page_of(look::local::read(place, url)?)),
            (None, Some(url)) => session.fetch(url.to_owned())?,
            (None, None) => {}
        }
        Ok(session)
    }

    /// That of the last page that was asked for.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) fn obey(&mut self, command: &Command<'_>) -> Result<(), Failure> {
        match command {
            Command::Ask(by, text) => self.ask(*by, text),
            Command::Text(css) => print(&self.text(css)?),
            Command::Html(css) => print(&self.html(css)?),
            Command::Links(part) => print(&look::links_text(&self.page()?.links(), part)),
            Command::Headers => print(&headers(self.page()?)),
            Command::Title => {
                let title = self.page()?.title();
                print(&format!("{}\n", title.as_deref().map_or("it has none".into(), safe)))
            }
            Command::Meta => print(&self.meta()?),
            Command::JsonLd => print(&json_ld(self.page()?)?),
            Command::Structured => print(&look::structured_text(self.page()?)?),
            Command::Article(form) => print(&look::article_text(self.page()?, *form)),
            Command::Items(label) => self.items(*label),
            Command::Rule(name, value) => self.rule(name, *value),
            Command::Fetch(url) => self.fetch(self.target(url)?),
            Command::Save(file) => self.save(Path::new(file)),
            Command::Help => print(&command::help()),
            Command::Quit => Ok(()),
        }
    }

    fn page(&self) -> Result<&Page, Failure> {
        let missing = || Failure::Usage("there is no page yet: `fetch URL` brings one".to_owned());
        self.page.as_ref().ok_or_else(missing)
    }

    fn arrive(&mut self, page: Page) {
        let title = page.title().map(|title| format!(", {}", short(&title, 80))).unwrap_or_default();
        let size = bytes(page.response().body.len() as u64);
        tell(&format!("at {}: {}, {size}{title}", safe(page.url().as_str()), page.status().as_u16()));
        self.page = Some(page);
    }

    fn fetch(&mut self, url: String) -> Result<(), Failure> {
        let mut args = self.args.fetch(&url);
        let mut got = fetch::get(&args, Wanted::Whole, self.stage, self.registry)?;
        if got.answer.is_none() && got.told.from_cache {
            tell("it has not changed, but its body was not kept: asking for all of it");
            args.fresh = true;
            got = fetch::get(&args, Wanted::Whole, self.stage, self.registry)?;
        }
        self.exit = Exit(got.told.exit_code);
        tell(got.told.text(None).trim_end());
        match got.page() {
            Some(page) => {
                self.asked = url;
                self.arrive(page);
            }
            None => match &self.page {
                Some(page) => tell(&format!("no page came: still at {}", safe(page.url().as_str()))),
                None => tell("no page came: `fetch URL` asks for another one"),
            },
        }
        Ok(())
    }

    /// What a URL stands for, seen from the page. A page of the demo site is asked for by the name of that site: its address
    /// changes with every opening.
    fn target(&self, url: &str) -> Result<String, Failure> {
        if url.starts_with(DEMO) {
            return Ok(url.to_owned());
        }
        let is_whole = url.contains("://");
        let Some(page) = &self.page else {
            let reason = format!("`{url}` is relative and there is no page yet: write it whole");
            return if is_whole { Ok(url.to_owned()) } else { Err(Failure::Usage(reason)) };
        };
        let joined = if is_whole { CanonicalUrl::parse(url) } else { page.join(url) };
        let joined = joined.map_err(|error| Failure::Usage(format!("`{url}` is no URL: {error}")))?;
        let stays = joined.origin() == page.url().origin();
        Ok(match self.asked.starts_with(DEMO) && stays {
            true => format!("{DEMO}{}", joined.path_and_query()),
            false => joined.to_string(),
        })
    }

    fn ask(&mut self, by: By, text: &str) -> Result<(), Failure> {
        let query = Query::parse(by, text).map_err(|error| Failure::Usage(error.to_string()))?;
        let answered = query.ask(self.page()?);
        self.last = query.as_field().or(self.last.take());
        print(&answered.text())
    }

    fn text(&self, css: &str) -> Result<String, Failure> {
        let page = self.page()?;
        if css.is_empty() {
            let text = page.root().map_or_else(|| page.text().to_owned(), |root| root.raw_text());
            return Ok(cut(&text));
        }
        found(page, css, |element| element.raw_text_up_to(MOST_TEXT))
    }

    fn html(&self, css: &str) -> Result<String, Failure> {
        let page = self.page()?;
        match css.is_empty() {
            true => Ok(cut(page.text())),
            false => found(page, css, |element| element.html()),
        }
    }

    fn meta(&self) -> Result<String, Failure> {
        let page = self.page()?;
        let all = json!({
            "meta": structured::meta(page),
            "open-graph": structured::open_graph(page),
            "canonical": page.canonical(),
            "robots": page.directives(""),
        });
        look::pretty(&all)
    }

    fn items(&self, label: Option<&str>) -> Result<(), Failure> {
        if self.args.parts().0.is_none() {
            let reason =
                "there is no crawler file: begin with `crawl shell FILE URL`, or try a field with `rule`";
            return Err(Failure::Usage(reason.to_owned()));
        }
        let request = Request::get(self.page()?.url().clone());
        let request = label.map_or(request.clone(), |label| request.label(label));
        let page = Page::new(Arc::new(request), self.page()?.response().clone());
        let mut plan = self.args.rules(&self.asked).load()?;
        if plan.needs_demo()
            && let Ok(home) = page.join("/")
        {
            plan.place_demo(&home);
        }
        let canon = plan.canon.clone();
        let (taken, _) = Rules::of(&mut plan, self.registry)?.read(&page.with_canon(canon));
        print(&table::text(&taken, seen()))
    }

    /// Tries a field on the page and prints the line of a crawler file that takes it.
    fn rule(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let nothing =
            "which expression? write `rule NAME = \"SELECTOR\"`, or ask with `css`, `xpath` or `json` before";
        let value = match value {
            Some(value) => as_toml(value),
            None => self.last.clone().ok_or_else(|| Failure::Usage(nothing.to_owned()))?,
        };
        let line = format!("{name} = {value}");
        let file = format!("seeds = [\"{DEMO}\"]\n[[extract]]\n[extract.fields]\n{line}\n");
        let mut plan = Loader::new().text("rule", file).load()?;
        let (taken, _) = Rules::of(&mut plan, self.registry)?.read(self.page()?);
        let mut text = table::items(&taken, seen());
        for problem in &taken.problems {
            text.push_str(&format!("   {}\n", short(problem, 400)));
        }
        print(&format!("{text}\n[extract.fields]\n{}\n", safe(&line)))
    }

    fn save(&self, file: &Path) -> Result<(), Failure> {
        let body = &self.page()?.response().body;
        let name = file.display();
        let mut made = File::create_new(file).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::Usage(format!("`{name}` is there already: save to another name, or remove it"))
            }
            _ => Failure::file(file)(error),
        })?;
        made.write_all(body).map_err(Failure::file(file))?;
        tell(&format!("{} written to {}", bytes(body.len() as u64), safe(&file.display().to_string())));
        Ok(())
    }
}

fn seen() -> Look {
    Look { items: MOST_ITEMS, paint: Paint::of_output() }
}

/// A value as TOML; what does not look like it is a selector.
fn as_toml(value: &str) -> String {
    match value.starts_with(['"', '\'', '{', '[']) {
        true => value.to_owned(),
        false => toml::Value::from(value).to_string(),
    }
}

/// Of each element that is found its name and what is wanted of it.
fn found(
    page: &Page,
    css: &str,
    part: impl Fn(crate::page::element::Element<'_>) -> String,
) -> Result<String, Failure> {
    let css = Css::parse(css).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut text = String::new();
    let mut count = 0;
    for element in page.matches(&css) {
        count += 1;
        if count <= MOST_ELEMENTS {
            text.push_str(&format!("{count}  <{}>\n{}", safe(element.name()), cut(&part(element))));
        }
    }
    if count > MOST_ELEMENTS {
        text.push_str(&format!("and {}\n", counted((count - MOST_ELEMENTS) as u64, "more element")));
    }
    Ok(if count == 0 { "it finds nothing\n".to_owned() } else { text })
}

/// The lines of a text that hold something.
fn cut(text: &str) -> String {
    let full: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    lines(&full.join("\n"), MOST_LINES, "`save FILE` writes the whole body")
}

fn headers(page: &Page) -> String {
    let response = page.response();
    let mut text = format!("{}\n", response.status);
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let shown =
            if *name == http::header::SET_COOKIE { without_secret(&value) } else { value.into_owned() };
        text.push_str(&format!("{name}: {}\n", short(&shown, 400)));
    }
    text
}

/// A cookie that is set, without its value: what is on a screen is soon passed on.
fn without_secret(field: &str) -> String {
    let (pair, rest) = field.split_at(field.find(';').unwrap_or(field.len()));
    let name = pair.split_once('=').map_or("", |(name, _)| name);
    format!("{name}=***{rest}")
}

fn json_ld(page: &Page) -> Result<String, Failure> {
    let blocks = structured::json_ld_blocks(page);
    let mut text = format!("{}\n", counted(blocks.values.len() as u64, "thing"));
    for value in &blocks.values {
        text.push_str(&lines(&json_text(value)?, MOST_LINES, "`save FILE` writes the whole body"));
    }
    blocks.problems.iter().for_each(|problem| text.push_str(&format!("{}\n", short(problem, 400))));
    Ok(text)
}
