//! The built binary over a real web server: nginx serves a tree of documentation and its access log is the judge.
//!
//! The tree is generated together with what each of its links means, so that the test knows without the crawler's help which
//! pages can be reached. Skips with a word where nginx is not installed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

/// A page of the tree: its markup, and where its links lead (path and query).
#[derive(Default)]
struct Page {
    body: String,
    base: Option<&'static str>,
    links: Vec<String>,
}

impl Page {
    fn titled(title: &str) -> Self {
        let body = format!("<h1>{title}</h1>\n<p>Generated, and never read by anybody.</p>\n");
        Self { body, ..Self::default() }
    }

    /// A link as it is written, and where it leads.
    fn link(&mut self, href: &str, leads_to: impl Into<String>) {
        writeln!(self.body, "<p>See <a href=\"{href}\">this</a>.</p>").unwrap();
        self.links.push(leads_to.into());
    }

    /// A link that a polite crawler does not follow.
    fn mention(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    fn html(&self) -> String {
        let base = self.base.map(|base| format!("<base href=\"{base}\">\n"));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n{}<title>Doc</title></head>\n<body>\n{}</body></html>\n",
            base.unwrap_or_default(),
            self.body
        )
    }
}

const CHAPTERS: usize = 12;
const SECTIONS: usize = 12;
const MODULES: usize = 10;
const FUNCTIONS: usize = 10;

/// The whole tree, path to page.
fn tree(port: u16) -> BTreeMap<String, Page> {
    let mut tree = BTreeMap::from([("/".to_owned(), home(port)), ("/about.html".to_owned(), about())]);
    for chapter in 1..=CHAPTERS {
        tree.insert(format!("/guide/chapter-{chapter}/"), chapter_page(chapter));
        for section in 1..=SECTIONS {
            let path = format!("/guide/chapter-{chapter}/section-{section}.html");
            tree.insert(path, section_page(chapter, section));
        }
    }
    for module in 1..=MODULES {
        tree.insert(format!("/reference/mod_{module}/index.html"), module_page(module));
        for function in 1..=FUNCTIONS {
            let path = format!("/reference/mod_{module}/fn.f{function}.html");
            tree.insert(path, function_page(module, function));
        }
    }
    // Never reached: robots.txt closes what begins so, and nobody links to the attic.
    for path in ["/genindex.html", "/genindex/a.html", "/attic.html", "/hidden.html"] {
        tree.insert(path.to_owned(), Page::titled("Not for you"));
    }
    tree
}

fn home(port: u16) -> Page {
    let mut page = Page::titled("Documentation");
    page.link("guide/chapter-1/", "/guide/chapter-1/");
    page.link("./reference/mod_1/", "/reference/mod_1/");
    page.link("about.html#contact", "/about.html");
    page.link(&format!("//127.0.0.1:{port}/about.html"), "/about.html");
    page.link("/old/manual.html", "/old/manual.html");
    page.link("/guide/chapter-3", "/guide/chapter-3");
    page.mention("<a href=\"genindex.html\">Index</a> <a href=\"/genindex/a.html\">A</a> <a href=\"/genindex\">all</a>\n");
    page.mention(
        "<a rel=\"nofollow\" href=\"/hidden.html\">hidden</a> <a href=\"mailto:doc@example.com\">mail</a>\n",
    );
    page.mention("<a href=\"javascript:void(0)\">menu</a> <a href=\"http://192.0.2.1/\">elsewhere</a>\n");
    page.mention("<!-- <a href=\"/attic.html\">attic</a> -->\n");
    page
}

fn about() -> Page {
    let mut page = Page::titled("About");
    page.link("/", "/");
    page.link("", "/about.html");
    page.link("?lang=de&amp;print=1", "/about.html?lang=de&print=1");
    page
}

fn chapter_page(chapter: usize) -> Page {
    let mut page = Page::titled(&format!("Chapter {chapter}"));
    let here = format!("/guide/chapter-{chapter}");
    for section in 1..=SECTIONS {
        page.link(&format!("section-{section}.html"), format!("{here}/section-{section}.html"));
    }
    page.link("draft.html", format!("{here}/draft.html"));
    page.link("../../about.html", "/about.html");
    if chapter < CHAPTERS {
        let next = format!("chapter-{}/", chapter + 1);
        page.link(&format!("../{next}"), format!("/guide/{next}"));
    }
    page
}

fn section_page(chapter: usize, section: usize) -> Page {
    let mut page = Page::titled(&format!("{chapter}.{section}"));
    if section.is_multiple_of(3) {
        // All its links are relative to somewhere else.
        page.base = Some("/guide/chapter-1/");
        page.link("./", "/guide/chapter-1/");
        page.link("section-1.html", "/guide/chapter-1/section-1.html");
    } else {
        page.link("./", format!("/guide/chapter-{chapter}/"));
        page.link("section-1.html#top", format!("/guide/chapter-{chapter}/section-1.html"));
    }
    page.link("/reference/mod_1/index.html", "/reference/mod_1/index.html");
    page
}

fn module_page(module: usize) -> Page {
    let mut page = Page::titled(&format!("Module {module}"));
    for function in 1..=FUNCTIONS {
        let file = format!("fn.f{function}.html");
        page.link(&file, format!("/reference/mod_{module}/{file}"));
    }
    let next = module % MODULES + 1;
    page.link(&format!("../mod_{next}/index.html"), format!("/reference/mod_{next}/index.html"));
    page
}

fn function_page(module: usize, function: usize) -> Page {
    let mut page = Page::titled(&format!("mod_{module}, f{function}"));
    let here = format!("/reference/mod_{module}");
    page.link("index.html", format!("{here}/index.html"));
    page.link("#examples", format!("{here}/fn.f{function}.html"));
    if function.is_multiple_of(5) {
        page.link("?view=source", format!("{here}/fn.f{function}.html?view=source"));
    }
    page
}

/// Everything that a crawl from `/` must ask for: pages, pages that are not there, and redirects.
fn reachable(tree: &BTreeMap<String, Page>) -> BTreeSet<String> {
    let mut found = BTreeSet::from(["/".to_owned()]);
    let mut queue = VecDeque::from(["/".to_owned()]);
    while let Some(url) = queue.pop_front() {
        let path = url.split('?').next().unwrap_or_default();
        let links = match tree.get(path) {
            Some(page) => page.links.clone(),
            // nginx sends who asks for a folder without its slash to the folder, which it answers with its index.
            None if tree.contains_key(&format!("{path}/")) => vec![format!("{path}/")],
            None if path.ends_with('/') => {
                tree.get(&format!("{path}index.html")).map_or_else(Vec::new, |page| page.links.clone())
            }
            None => Vec::new(),
        };
        let new = links.into_iter().filter(|link| found.insert(link.clone()));
        queue.extend(new.collect::<Vec<_>>());
    }
    found
}

/// A running nginx with a folder of its own.
struct Nginx {
    program: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Nginx {
    /// Serves the generated tree; `None` if it is not installed.
    fn start() -> Option<Self> {
        Self::serve(Self::lay_out)
    }

    fn serve(lay_out: impl FnOnce(&Self)) -> Option<Self> {
        let places =
            ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"];
        let program = places.into_iter().map(PathBuf::from).find(|place| place.exists())?;
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        fs::write(folder.path().join("nginx.conf"), conf(folder.path(), port)).unwrap();
        let nginx = Self { program, folder, port };
        lay_out(&nginx);
        // It goes into the background once it listens.
        nginx.command(&[]);
        Some(nginx)
    }

    fn lay_out(&self) {
        let root = self.folder.path().join("html");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("robots.txt"), "User-agent: *\nDisallow: /genindex\n").unwrap();
        for (path, page) in tree(self.port) {
            let file = path.trim_start_matches('/');
            let file = if path.ends_with('/') { format!("{file}index.html") } else { file.to_owned() };
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, page.html()).unwrap();
        }
    }

    /// A home page that links to that many real pages of documentation.
    fn lay_out_documentation(&self, pages: usize) {
        let root = self.folder.path().join("html");
        fs::create_dir(&root).unwrap();
        let mut found = documentation(pages).into_iter();
        let mut home = Page::titled("Documentation");
        for page in 0..pages {
            let file = format!("{page}.html");
            match found.next() {
                Some(real) => drop(fs::copy(real, root.join(&file)).unwrap()),
                None => fs::write(root.join(&file), Page::titled(&file).html()).unwrap(),
            }
            home.link(&file, format!("/{file}"));
        }
        fs::write(root.join("index.html"), home.html()).unwrap();
    }

    fn file(&self, page: usize) -> PathBuf {
        self.folder.path().join(format!("html/{page}.html"))
    }

    fn stop(&self) {
        self.command(&["-s", "stop"]);
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            std::thread::yield_now();
        }
    }

    fn command(&self, more: &[&str]) {
        let mut command = Command::new(&self.program);
        let folder = self.folder.path();
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What was asked, in order.
    fn log(&self) -> Vec<Asked> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        text.lines().map(Asked::read).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.command(&["-s", "stop"]);
    }
}

/// At most so many pages of the documentation that is installed on this machine.
fn documentation(most: usize) -> Vec<PathBuf> {
    let mut folders = VecDeque::from(
        ["postgresql-doc-15/html", "nginx", ""].map(|name| Path::new("/usr/share/doc").join(name)),
    );
    let mut pages = BTreeSet::new();
    while let Some(folder) = folders.pop_front() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push_back(path);
            } else if kind.is_file() && path.extension().is_some_and(|end| end == "html") {
                pages.insert(path);
            }
            if pages.len() == most {
                return pages.into_iter().collect();
            }
        }
    }
    pages.into_iter().collect()
}

fn conf(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "master_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\n\
         \x20 log_format judge '$msec $request_time $status $body_bytes_sent $request_uri|$http_user_agent';\n\
         \x20 access_log {folder}/access.log judge;\n{temporary}\
         \x20 types {{ text/html html; text/plain txt; }}\n\
         \x20 server {{ listen 127.0.0.1:{port}; root {folder}/html; index index.html; }}\n}}\n"
    )
}

/// A line of the access log. Times are milliseconds.
struct Asked {
    arrived: u64,
    ended: u64,
    status: u16,
    body: u64,
    url: String,
    agent: String,
}

impl Asked {
    fn read(line: &str) -> Self {
        let (line, agent) = line.rsplit_once('|').unwrap();
        let parts: Vec<_> = line.splitn(5, ' ').collect();
        let millis = |text: &str| text.replace('.', "").parse::<u64>().unwrap();
        let (ended, took) = (millis(parts[0]), millis(parts[1]));
        Self {
            arrived: ended - took,
            ended,
            status: parts[2].parse().unwrap(),
            body: parts[3].parse().unwrap(),
            url: parts[4].to_owned(),
            agent: agent.to_owned(),
        }
    }
}

/// Runs the built binary on the tree, with 20 ms between an answer and the next request; the exit code.
fn crawl(nginx: &Nginx, more: &[&str]) -> Option<i32> {
    let folder = nginx.folder.path();
    let output = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", "--seed", &format!("http://127.0.0.1:{}/", nginx.port)])
        .args([
            "--set",
            "politeness.delay=20ms",
            "--set",
            "politeness.jitter=0",
            "--set",
            "politeness.pace=fixed",
        ])
        .args(more)
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--out")
        .arg(folder.join("out.jsonl"))
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.code()
}

#[test]
fn a_documentation_tree_is_crawled_whole_each_page_once_and_robots_first() {
    let Some(nginx) = Nginx::start() else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let wanted = reachable(&tree(nginx.port));
    assert!(wanted.len() > 250, "{}", wanted.len());
    assert_eq!(crawl(&nginx, &[]), Some(0), "dead links are no loss");

    let log = nginx.log();
    assert_eq!(log[0].url, "/robots.txt");
    let pages = || log[1..].iter().map(|asked| asked.url.clone());
    let mut twice = BTreeSet::new();
    let repeated: Vec<_> = pages().filter(|url| !twice.insert(url.clone())).collect();
    assert!(repeated.is_empty(), "asked twice: {repeated:?}");
    assert_eq!(pages().collect::<BTreeSet<_>>(), wanted);
    assert!(pages().all(|url| !url.starts_with("/genindex")));
    // Every chapter's draft, the old manual.
    let gone = log.iter().filter(|asked| asked.status == 404).count();
    assert_eq!(gone, CHAPTERS + 1);

    for pair in log.windows(2) {
        // nginx rounds both of its times to milliseconds.
        let rest = pair[1].arrived as i64 - pair[0].ended as i64;
        assert!(rest >= 18, "{} came {rest} ms after {}", pair[1].url, pair[0].url);
        assert_eq!(pair[1].agent, pair[0].agent);
    }
    let items = fs::read_to_string(nginx.folder.path().join("out.jsonl")).unwrap();
    let fetched = log[1..].iter().filter(|asked| asked.status == 200).count();
    assert_eq!(items.lines().count(), fetched, "one line for each page");
}

#[test]
fn a_second_run_is_answered_with_304_and_its_output_is_whole() {
    let Some(nginx) = Nginx::start() else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let scope = ["--set", "scope.include=[\"/reference/mod_1/\", \"/$\"]"];
    let output = || fs::read_to_string(nginx.folder.path().join("out.jsonl")).unwrap();
    let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(crawl(&nginx, &scope), Some(0));
    let (first, asked) = (output(), nginx.log().len());
    assert_eq!(crawl(&nginx, &scope), Some(0));
    let second = output();
    assert_eq!(second.lines().count(), first.lines().count());
    assert_eq!(sorted(second), sorted(first));
    let log = nginx.log();
    // robots.txt is kept with the state; every page is asked once more, with its validators.
    let again = &log[asked..];
    assert_eq!(again.len(), asked - 1);
    let changed: Vec<_> = again.iter().filter(|asked| asked.status != 304).map(|asked| &asked.url).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

/// What a run over the documentation came to.
struct Round {
    exit: Option<i32>,
    /// New, changed, unchanged, gone, unknown.
    shifts: [u64; 5],
    items: BTreeSet<String>,
    asked: Vec<Asked>,
}

/// One run over the home page and the pages that it links to.
fn round(nginx: &Nginx) -> Round {
    let folder = nginx.folder.path();
    let report = folder.join("report.json");
    let before = nginx.log().len();
    let settings = [
        "politeness.delay=1ms",
        "scope.max-depth=1",
        "retry.confirm-gone=500ms",
        "retry.base=10ms",
        // A server that is away is waited for no longer than that.
        "backoff.base=100ms",
        "backoff.patience=1s",
    ];
    let mut more: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    more.extend(["--report", report.to_str().unwrap()]);
    let exit = crawl(nginx, &more);
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let shifts = ["new", "changed", "unchanged", "gone", "unknown"]
        .map(|name| report["totals"][name].as_u64().unwrap());
    let items = fs::read_to_string(folder.join("out.jsonl")).unwrap();
    let lines = items.lines().count();
    let items: BTreeSet<_> = items.lines().map(str::to_owned).collect();
    assert_eq!(items.len(), lines, "an item is there twice");
    let asked: Vec<_> =
        nginx.log().into_iter().skip(before).filter(|asked| asked.url != "/robots.txt").collect();
    let count = |status: u16| asked.iter().filter(|asked| asked.status == status).count();
    eprintln!(
        "exit {exit:?}, new/changed/unchanged/gone/unknown {shifts:?}, {lines} items, 200: {}, 304: {}, 404: {}",
        count(200),
        count(304),
        count(404)
    );
    Round { exit, shifts, items, asked }
}

impl Round {
    fn answered(&self, status: u16) -> usize {
        self.asked.iter().filter(|asked| asked.status == status).count()
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a server that was away is waited for in real time")]
fn a_thousand_pages_cost_headers_only_and_no_outage_makes_one_of_them_gone() {
    const PAGES: usize = 1_000;
    let Some(nginx) = Nginx::serve(|nginx| nginx.lay_out_documentation(PAGES - 1)) else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let first = round(&nginx);
    assert_eq!((first.exit, first.shifts, first.items.len()), (Some(0), [1_000, 0, 0, 0, 0], PAGES));

    let second = round(&nginx);
    assert_eq!((second.exit, second.shifts), (Some(0), [0, 0, 1_000, 0, 0]));
    assert_eq!((second.asked.len(), second.answered(304)), (PAGES, PAGES));
    assert_eq!(second.asked.iter().map(|asked| asked.body).sum::<u64>(), 0);
    assert_eq!(second.items, first.items);

    (100..107).for_each(|page| {
        let text = fs::read(nginx.file(page)).unwrap();
        fs::write(nginx.file(page), [text, b"<p>Something else.".to_vec()].concat()).unwrap();
    });
    (200..202).for_each(|page| fs::remove_file(nginx.file(page)).unwrap());
    let third = round(&nginx);
    assert_eq!((third.exit, third.shifts), (Some(0), [0, 7, 991, 2, 0]));
    assert_eq!((third.answered(200), third.answered(304), third.answered(404)), (7, 991, 4));
    assert_eq!(third.items.len(), PAGES - 2);

    nginx.stop();
    let outage = round(&nginx);
    assert_eq!((outage.shifts[3], outage.asked.len()), (0, 0));
    assert_ne!(outage.exit, Some(0));

    nginx.command(&[]);
    // The host's wait is over in seconds; what was given up during the outage is asked in the next round.
    let mut rounds = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_secs(1));
        round(&nginx)
    });
    let after = rounds.by_ref().take(20).find(|after| after.items.len() == PAGES - 2);
    let after = after.expect("every page is there again");
    assert_eq!((after.exit, after.shifts), (Some(0), [0, 0, 998, 0, 0]), "nothing was forgotten");
    assert_eq!(after.items, third.items);
}
