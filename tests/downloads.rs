//! Files: a server on this machine that cuts connections, lies about parts and changes its mind, and a folder that must hold the
//! truth all the same.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "downloads/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::address::AddressPolicy;
use crawl::engine::{Crawl, Downloads, FileField, FileHosts, Report};
use crawl::extract::ExtractError;
use crawl::fetch::http::HttpOptions;
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::response::{FailureClass, Response};
use crawl::scope::HostPattern;
use crawl::spider::{Downloaded, Failure, Spider};
use crawl::store::files::{MediaRange, Naming};
use crawl::url::CanonicalUrl;
use serde_json::{Value, json};
use server::{Asked, Reply, Site, bytes};
use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;

/// Takes one item from each page: all its images. Remembers what it was told.
#[derive(Clone, Default)]
struct Images {
    seed: String,
    told: Arc<Mutex<Vec<Downloaded>>>,
    failed: Arc<Mutex<Vec<(String, FailureClass, String)>>>,
}

impl Spider for Images {
    fn name(&self) -> &str {
        "images"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(CanonicalUrl::parse(&self.seed).unwrap())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let images: Vec<_> = page
            .select("img")?
            .into_iter()
            .filter_map(|image| image.attr("src").map(str::to_owned))
            .collect();
        harvest.item(&json!({ "image": images }))?;
        page.links().links.into_iter().for_each(|link| harvest.follow(Request::get(link.url)));
        Ok(())
    }

    fn downloaded(&self, _request: &Request, file: &Downloaded, harvest: &mut Harvest) {
        assert_eq!(std::fs::metadata(&file.place).unwrap().len(), file.size, "it can be read");
        harvest.item(&json!({ "sha256": file.sha256 })).unwrap();
        self.told.lock().unwrap().push(file.clone());
    }

    fn failed(&self, request: &Request, failure: &Failure, _harvest: &mut Harvest) {
        let told = (request.url.as_str().to_owned(), failure.class, failure.reason.clone());
        self.failed.lock().unwrap().push(told);
    }
}

struct Case {
    dir: tempfile::TempDir,
    downloads: Downloads,
    spider: Images,
}

impl Case {
    fn of(site: &Site) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut downloads = Downloads::into(dir.path().join("files"));
        downloads.fields = vec![FileField::parse("image").unwrap()];
        Self { downloads, dir, spider: Images { seed: format!("{}/", site.origin), ..Images::default() } }
    }

    async fn run(&self) -> Report {
        let crawl = self.describe().build().unwrap();
        tokio::time::timeout(Duration::from_secs(60), crawl.run()).await.unwrap().unwrap()
    }

    fn describe(&self) -> crawl::engine::Builder<crawl::fetch::http::HttpFetcher> {
        let retry = crawl::politeness::Retry { base: Duration::from_millis(10), ..Default::default() };
        let policy = Policy { delay: Duration::from_millis(1), jitter: 0.0, retry, ..Policy::default() };
        let addresses = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        Crawl::builder()
            .spider(self.spider.clone())
            .policy(policy)
            .http(HttpOptions { addresses, ..HttpOptions::default() })
            .state_dir(self.dir.path().join("state"))
            .downloads(self.downloads.clone())
    }

    fn manifest(&self) -> Vec<Value> {
        manifest(&self.downloads.folder)
    }

    /// The files of the folder, their digests checked against the manifest; nothing else may be there.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.downloads.folder)
    }

    fn failures(&self) -> Vec<(FailureClass, String)> {
        let failed = self.spider.failed.lock().unwrap();
        failed.iter().map(|(_, class, reason)| (*class, reason.clone())).collect()
    }
}

fn manifest(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true if name == ".part" => {}
                true => left.push(path),
                false if name == "manifest.jsonl" => {}
                false => drop(found.insert(name, std::fs::read(path).unwrap())),
            }
        }
    }
    for line in manifest(folder).iter().filter(|line| line["file"].is_string()) {
        let content = &found[line["file"].as_str().unwrap()];
        assert_eq!(line["size"], content.len());
        assert_eq!(line["sha256"].as_str().unwrap(), digest(content));
    }
    found
}

/// What lies in `.part` beside the lock.
fn parts(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join(".part")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "lock").collect()
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gallery(sources: &[&str]) -> Reply {
    let images: String = sources.iter().map(|source| format!("<img src=\"{source}\">")).collect();
    Reply::of("text/html", format!("<title>x</title>{images}"))
}

/// A page with one image, which is answered so.
fn one(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Site {
    Site::open(move |asked| match asked.path.as_str() {
        "/" => gallery(&["/a.jpg"]).well(asked, "\"page\""),
        _ => answer(asked),
    })
}

#[tokio::test]
async fn the_files_of_an_item_are_in_the_folder_and_in_the_manifest_once() {
    let site = Site::open(|asked| match asked.path.as_str() {
        "/" => gallery(&["/a.jpg", "a.jpg", "/same", "/b.pdf", "/gone.jpg"]),
        "/a.jpg" | "/same" => Reply::of("image/jpeg", "picture").well(asked, "\"1\""),
        "/b.pdf" => {
            Reply::of("application/pdf; x=y", "text").field("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        }
        _ => Reply::status(404),
    });
    let case = Case::of(&site);
    let report = case.run().await;
    let totals = &report.totals;
    assert_eq!((totals.pages, totals.items, totals.downloads, totals.missing), (1, 4, 3, 1));
    assert_eq!((totals.download_bytes, report.exit_code()), (18, 0));
    assert_eq!(case.files().len(), 2, "the same content is one file");
    let lines = case.manifest();
    let urls: Vec<_> =
        lines.iter().map(|line| line["url"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(urls, ["a.jpg", "same", "b.pdf"]);
    assert_eq!(
        (lines[0]["page"].as_str(), lines[0]["status"].as_u64()),
        (Some(&*format!("{}/", site.origin)), Some(200))
    );
    assert_eq!(
        (lines[2]["content_type"].as_str(), lines[0]["etag"].as_str()),
        (Some("application/pdf"), Some("\"1\""))
    );
    assert!(lines[2]["file"].as_str().unwrap().ends_with(".pdf") && lines[2]["last_modified"].is_string());
    let asked = site.log();
    let image = asked.iter().find(|asked| asked.path == "/a.jpg").unwrap();
    assert_eq!((image.field("accept-encoding"), image.field("accept")), (Some("identity"), Some("*/*")));
    assert!(parts(&case.downloads.folder).is_empty());
    assert_eq!(case.spider.told.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_has_come_of_a_file_is_not_asked_for_again() {
    let body = bytes(1, 3 * MIB);
    let whole = body.clone();
    let site = one(move |asked| {
        let reply = Reply::of("image/jpeg", whole.clone()).well(asked, "\"v1\"");
        if asked.before < 2 { reply.cut(MIB + 7) } else { reply }
    });
    let case = Case::of(&site);
    let report = case.run().await;
    assert_eq!((report.totals.downloads, report.totals.retries, report.exit_code()), (1, 2, 0));
    assert_eq!(case.files().into_values().collect::<Vec<_>>(), std::slice::from_ref(&body));
    let log: Vec<_> = site.log().into_iter().filter(|asked| asked.path == "/a.jpg").collect();
    assert_eq!(log.iter().map(|asked| asked.status).collect::<Vec<_>>(), [200, 206, 206]);
    assert_eq!(log[1].field("if-range"), Some("\"v1\""));
    assert!(log[2].from() > log[1].from());
    let sent: usize = log.iter().map(|asked| asked.sent).sum();
    // What was on its way when the connection broke may be lost, and no more.
    assert!(sent <= body.len() + 64 * 1024, "{sent} bytes were sent of {}", body.len());
    assert!(parts(&case.downloads.folder).is_empty());
}

#[tokio::test]
async fn a_part_that_does_not_fit_makes_no_file() {
    type Lie = fn(Reply, usize) -> Reply;
    let lies: [Lie; 7] = [
        |reply, from| {
            let range = format!("bytes {}-299999/300000", from + 1);
            reply.without("Content-Range").field("Content-Range", range)
        },
        |reply, from| {
            let range = format!("bytes {from}-299999/300001");
            reply.without("Content-Range").field("Content-Range", range)
        },
        |reply, _| reply.without("Content-Range"),
        |reply, _| reply.without("ETag").field("ETag", "\"other\""),
        |reply, _| {
            reply.without("Content-Range").field("Content-Range", "bytes 99999999999999999999999-0/-1")
        },
        |_, _| Reply::status(416),
        |reply, _| {
            let body = [&reply.body[..], b"and more"].concat();
            Reply { body, ..reply }
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let body = bytes(2, 300_000);
        let whole = body.clone();
        let site = one(move |asked| {
            let reply = Reply::of("image/jpeg", whole.clone()).well(asked, "\"v1\"");
            match asked.before {
                0 => reply.cut(100_000),
                1 => lie(reply, asked.from().unwrap()),
                _ => reply,
            }
        });
        let case = Case::of(&site);
        let report = case.run().await;
        assert_eq!((report.totals.downloads, report.totals.failed), (1, 0), "lie {number}");
        assert_eq!(case.files().into_values().collect::<Vec<_>>(), [body], "lie {number}");
        let log = site.log();
        let last = log.last().unwrap();
        assert_eq!((last.status, last.from()), (200, None), "lie {number}: it begins anew");
        assert!(parts(&case.downloads.folder).is_empty());
    }
}

#[tokio::test]
async fn a_file_that_changed_while_it_came_is_taken_from_its_beginning() {
    let (old, new) = (bytes(3, 300_000), bytes(4, 250_000));
    let now = new.clone();
    let site = one(move |asked| match asked.before {
        0 => Reply::of("image/jpeg", old.clone()).well(asked, "\"v1\"").cut(100_000),
        _ => Reply::of("image/jpeg", now.clone()).well(asked, "\"v2\""),
    });
    let case = Case::of(&site);
    case.run().await;
    assert_eq!(case.files().into_values().collect::<Vec<_>>(), [new]);
    assert_eq!(site.log().last().unwrap().status, 200);
}

#[tokio::test]
async fn without_a_strong_validator_no_part_is_asked_for() {
    let body = bytes(5, 300_000);
    let whole = body.clone();
    let site = one(move |asked| {
        let reply = Reply::of("image/jpeg", whole.clone()).field("ETag", "W/\"1\"");
        if asked.before == 0 { reply.cut(100_000) } else { reply }
    });
    let case = Case::of(&site);
    case.run().await;
    assert_eq!(case.files().into_values().collect::<Vec<_>>(), [body]);
    assert!(site.log().iter().all(|asked| asked.from().is_none()));
}

#[tokio::test]
async fn what_is_too_large_or_of_another_type_is_reported_and_nothing_of_it_is_kept() {
    let site = Site::open(|asked| match asked.path.as_str() {
        "/" => gallery(&["/fits.png", "/told.png", "/untold.png", "/page.png", "/none"]),
        "/fits.png" => Reply::of("image/png", bytes(1, MIB)),
        "/told.png" => Reply::of("IMAGE/PNG", bytes(1, MIB + 1)),
        "/untold.png" => Reply { announced: false, ..Reply::of("image/png", bytes(1, 4 * MIB)) },
        "/none" => Reply { fields: Vec::new(), ..Reply::of("", "x") },
        _ => Reply::of("text/html", bytes(1, 4 * MIB)),
    });
    let mut case = Case::of(&site);
    case.downloads.rules.max_size = MIB as u64;
    case.downloads.rules.types = vec![MediaRange::parse("image/*").unwrap()];
    let report = case.run().await;
    assert_eq!((report.totals.downloads, report.totals.unwanted, report.totals.failed), (1, 4, 0));
    assert_eq!((case.files().len(), parts(&case.downloads.folder).len()), (1, 0));
    let failures = case.failures();
    assert!(failures.iter().all(|(class, _)| *class == FailureClass::Unwanted));
    for (failure, words) in failures.iter().zip([
        "it has 1048577 bytes, more than `max-size` (1048576)",
        "it has more bytes than `max-size` (1048576)",
        "its type is not wanted: text/html",
        "its type is not wanted: without a type",
    ]) {
        assert_eq!(failure.1, words);
    }
    let sent = site.log().iter().find(|asked| asked.path == "/page.png").unwrap().sent;
    assert!(sent < 4 * MIB, "the body of another type is not read: {sent}");
}

#[tokio::test]
async fn a_round_takes_no_more_than_max_total() {
    let site = Site::open(|asked| match asked.path.as_str() {
        "/" => gallery(&["/1", "/2", "/3", "/4"]),
        path => Reply::of("image/png", bytes(path.len() as u64, 400)),
    });
    let mut case = Case::of(&site);
    case.downloads.rules.max_total = Some(1_000);
    let report = case.run().await;
    assert_eq!((report.totals.downloads, report.totals.download_bytes, report.totals.unwanted), (2, 800, 2));
    assert!(case.failures()[0].1.contains("`max-total` (1000 bytes)"));
}

#[tokio::test]
async fn a_limit_on_pages_holds_no_file_back() {
    let far = Site::open_at("127.0.0.2", |_| Reply::of("image/png", "far"));
    let image = format!("{}/far.png", far.origin);
    let site = Site::open(move |asked| match asked.path.as_str() {
        path if path.ends_with(".png") => {
            let reply = Reply::of("image/png", path.to_owned());
            if asked.before == 0 { reply.cut(0) } else { reply }
        }
        path => {
            let number = path.len();
            let page = format!(
                "<img src={image}><img src=/{number}.png><a href={path}x>next</a><a href=/y{path}>x</a>"
            );
            Reply::of("text/html", page)
        }
    });
    let mut case = Case::of(&site);
    case.downloads.hosts = FileHosts::Any;
    let crawl = case.describe().settings(|settings| settings.max_pages = Some(2)).build().unwrap();
    let report = crawl.run().await.unwrap();
    assert_eq!((report.totals.pages, report.totals.downloads, report.exit_code()), (2, 3, 3));
    let crawl = case.describe().settings(|settings| settings.max_pages = Some(3)).build().unwrap();
    let report = crawl.run().await.unwrap();
    assert_eq!((report.totals.pages, report.totals.downloads, report.totals.failed), (3, 4, 0));
    assert_eq!(report.end, crawl::engine::End::Limit);
}

#[tokio::test]
async fn a_redirect_to_another_host_goes_through_the_front_door() {
    let far = Site::open_at("127.0.0.2", |_| Reply::of("image/png", "far"));
    let closed = Site::open_at("127.0.0.3", |_| Reply::of("image/png", "closed"));
    let (there, elsewhere) = (far.origin.clone(), closed.origin.clone());
    let near = Site::open(move |asked| match asked.path.as_str() {
        "/" => gallery(&["/moved", "/lost"]),
        "/moved" => Reply::status(302).field("Location", format!("{there}/x.png")),
        _ => Reply::status(302).field("Location", format!("{elsewhere}/y.png")),
    });
    let mut case = Case::of(&near);
    case.downloads.hosts = FileHosts::Crawl { and: vec![HostPattern::parse("127.0.0.2").unwrap()] };
    let report = case.run().await;
    assert_eq!((report.totals.downloads, report.totals.unwanted, report.totals.robots), (1, 1, 2));
    assert!(closed.log().is_empty());
    let lines = case.manifest();
    let line = |end: &str| lines.iter().find(|line| line["url"].as_str().unwrap().ends_with(end)).unwrap();
    assert_eq!(line("/x.png")["wanted"], format!("{}/moved", near.origin));
    assert_eq!(line("/x.png")["page"], format!("{}/", near.origin));
    assert_eq!(
        (&line("/moved")["location"], &line("/moved")["status"]),
        (&json!(format!("{}/x.png", far.origin)), &json!(302))
    );
    assert_eq!(lines.len(), 2);
    assert!(case.failures()[0].1.contains("/y.png: its host is neither"), "{:?}", case.failures());
}

#[tokio::test]
async fn a_second_round_asks_whether_files_have_changed() {
    let site = Site::open(|asked| match asked.path.as_str() {
        "/" => gallery(&["/1.png", "/2.png", "/3.png"]).well(asked, "\"page\""),
        "/2.png" if asked.before > 0 => Reply::of("image/png", "new").well(asked, "\"2\""),
        path => Reply::of("image/png", format!("picture {path}")).well(asked, "\"1\""),
    });
    let case = Case::of(&site);
    case.run().await;
    site.log();
    let third = case.manifest()[2]["file"].as_str().unwrap().to_owned();
    std::fs::remove_file(case.downloads.folder.join(third)).unwrap();
    let report = case.run().await;
    let mut log: Vec<_> = site.log().into_iter().map(|asked| (asked.path.clone(), asked.status)).collect();
    log.sort();
    let expected = [("/", 304), ("/1.png", 304), ("/2.png", 200), ("/3.png", 200)];
    assert_eq!(
        log,
        expected.map(|(path, status)| (path.to_owned(), status)),
        "a file that is not there is not stood for"
    );
    assert_eq!((report.totals.downloads, report.totals.unchanged), (3, 1));
    let lines = case.manifest();
    assert_eq!(lines.len(), 3);
    assert_eq!(case.files().len(), 4, "the old content of the second stays beside the new one");
    assert_eq!((&lines[0]["status"], &lines[1]["status"]), (&json!(304), &json!(200)));
    assert!(lines[0]["checked_at"].as_str() > lines[0]["fetched_at"].as_str());
    let third = case.run().await;
    assert_eq!((third.totals.downloads, third.totals.download_bytes), (3, 14 + 3 + 14));
    assert!(site.log().iter().all(|asked| asked.status == 304));
}

#[tokio::test]
async fn a_body_that_is_packed_all_the_same_is_unpacked() {
    use std::io::Write as _;
    let body = bytes(6, 700_000);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&body).unwrap();
    let packed = packer.finish().unwrap();
    let site = one(move |_| Reply::of("application/pdf", packed.clone()).field("Content-Encoding", "gzip"));
    let case = Case::of(&site);
    case.run().await;
    assert_eq!(case.files().into_values().collect::<Vec<_>>(), [body]);
}

#[tokio::test]
async fn names_by_url_stay_in_the_folder_and_apart() {
    let site = Site::open(|asked| match asked.path.as_str() {
        "/" => gallery(&[
            "/a",
            "/a/b.png",
            "/a/b.png?x=1",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fx.png",
            "/A/b.png",
        ]),
        path => Reply::of("image/png", path.to_owned()),
    });
    let mut case = Case::of(&site);
    case.downloads.rules.naming = Naming::Url;
    let report = case.run().await;
    assert_eq!(report.totals.downloads, 6);
    let files = case.files();
    assert_eq!(files.len(), 6);
    let host = site.origin.trim_start_matches("http://").replace(':', "@");
    assert_eq!(files[&format!("{host}/a/b.png")], b"/a/b.png");
    let outside: Vec<_> =
        std::fs::read_dir(case.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let site = one(|_| Reply::of("image/png", "x"));
    let mut case = Case::of(&site);
    case.downloads.rules.naming = Naming::Url;
    let host = site.origin.trim_start_matches("http://").replace(':', "@");
    let outside = case.dir.path().join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir_all(&case.downloads.folder).unwrap();
    std::os::unix::fs::symlink(&outside, case.downloads.folder.join(host)).unwrap();
    let error = case.describe().build().unwrap().run().await.unwrap_err();
    assert!(error.to_string().contains("nothing is written through it: remove it"), "{error}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn two_crawls_do_not_share_a_folder() {
    let site = one(|_| Reply::of("image/png", "x"));
    let case = Case::of(&site);
    let held =
        crawl::store::files::Files::open(&case.downloads.folder, case.downloads.rules.clone(), 0).unwrap();
    let error = case.describe().build().unwrap().run().await.unwrap_err();
    assert!(error.to_string().contains("in use by another crawl"), "{error}");
    drop(held);
    assert_eq!(case.run().await.totals.downloads, 1);
}

/// Has every body in memory, as fetchers do that know nothing of files.
struct Known;

impl Fetcher for Known {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let (kind, body) = match outgoing.request.url.as_url().path() {
            "/" => ("text/html", "<img src=/a.png><img src=/b.png>".to_owned()),
            "/robots.txt" => ("text/plain", String::new()),
            path => ("image/png", format!("picture {path}")),
        };
        let mut response = Response::of(outgoing.request.url, http::StatusCode::OK, body);
        response.headers.insert("content-type", kind.parse().unwrap());
        Ok(response)
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_knows_nothing_of_files_brings_them_too() {
    let site = one(|_| Reply::status(500));
    let case = Case::of(&site);
    let crawl = case.describe().execution(crawl::engine::Execution::Inline).build_with(Known).unwrap();
    let report = crawl.run().await.unwrap();
    assert_eq!((report.totals.downloads, case.files().len()), (2, 2));
}

fn crawler_file(site: &Site, dir: &Path) -> std::path::PathBuf {
    let file = dir.join("gallery.toml");
    let text = format!(
        "seeds = [\"{}/\"]\n[[extract]]\nfields = {{ image = {{ css = \"img\", attr = \"src\", list = true }} }}\n\
         [download]\nfields = [\"image\"]\nfolder = \"{folder}\"\nmax-size = \"1GB\"\n\
         [politeness]\ndelay = \"10ms\"\njitter = 0\n[retry]\nbase = \"100ms\"\n[sink.jsonl]\npath = \"{out}\"\n",
        site.origin,
        folder = dir.join("files").display(),
        out = dir.join("items.jsonl").display(),
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn start(file: &Path, dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crawl"))
        .arg("run")
        .arg(file)
        .arg("--state")
        .arg(dir.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_in_the_middle_of_a_file_a_crawl_goes_on_with_the_next_byte() {
    let dir = tempfile::tempdir().unwrap();
    let body = bytes(7, 24 * MIB);
    let victim: Arc<Mutex<Option<Child>>> = Arc::default();
    let site = {
        let (whole, victim) = (body.clone(), Arc::clone(&victim));
        // Of each request so much is sent before the crawler is killed.
        Site::open(move |asked| match asked.path.as_str() {
            "/" => gallery(&["/big.bin", "/small.png"]),
            "/small.png" => Reply::of("image/png", "small").well(asked, "\"s\""),
            _ => {
                let reply = Reply::of("application/octet-stream", whole.clone()).well(asked, "\"b\"");
                if asked.before >= 3 {
                    return reply;
                }
                kill_when_written(&victim, asked.from().unwrap_or(0) + 5 * MIB);
                reply.hold(6 * MIB)
            }
        })
    };
    let file = crawler_file(&site, dir.path());
    FOLDER.set(dir.path().join("files")).unwrap();
    for run in 0..4 {
        let crawl = start(&file, dir.path());
        let id = crawl.id();
        *victim.lock().unwrap() = Some(crawl);
        let status = wait(&victim, id);
        assert_eq!(status.success(), run == 3, "run {run}");
    }
    let lines = manifest(&dir.path().join("files"));
    let mut urls: Vec<_> = lines.iter().map(|line| line["url"].as_str().unwrap()).collect();
    urls.sort_unstable();
    assert_eq!(urls, [format!("{}/big.bin", site.origin), format!("{}/small.png", site.origin)]);
    let files = files(&dir.path().join("files"));
    assert!(files.into_values().any(|content| content == body));
    let log: Vec<_> = site.log().into_iter().filter(|asked| asked.path == "/big.bin").collect();
    let from: Vec<_> = log.iter().map(|asked| asked.from().unwrap_or(0)).collect();
    assert!(
        from.windows(2).all(|pair| pair[1] >= pair[0] + 5 * MIB),
        "each goes on where the one before was: {from:?}"
    );
    assert!(parts(&dir.path().join("files")).is_empty());
}

static FOLDER: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();

/// Kills the crawler as soon as its part has this length. The server answers meanwhile.
fn kill_when_written(victim: &Arc<Mutex<Option<Child>>>, length: usize) {
    let victim = Arc::clone(victim);
    std::thread::spawn(move || {
        loop {
            let parts = std::fs::read_dir(FOLDER.get().unwrap().join(".part"));
            let has = parts
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| entry.metadata().is_ok_and(|found| found.len() >= length as u64));
            if has {
                victim.lock().unwrap().as_mut().unwrap().kill().unwrap();
                return;
            }
            std::thread::yield_now();
        }
    });
}

/// Waits for the end of the crawler without holding it.
fn wait(victim: &Arc<Mutex<Option<Child>>>, id: u32) -> std::process::ExitStatus {
    loop {
        let mut held = victim.lock().unwrap();
        let child = held.as_mut().filter(|child| child.id() == id).unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        drop(held);
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_file() {
    let peak = |mib: usize| {
        let dir = tempfile::tempdir().unwrap();
        let (seen, most): (Arc<Mutex<u64>>, Arc<Mutex<u32>>) = Default::default();
        let site = {
            let (seen, pid) = (Arc::clone(&seen), Arc::clone(&most));
            Site::open(move |asked| match asked.path.as_str() {
                "/" => gallery(&["/big.bin", "/after.png"]),
                "/after.png" => {
                    // The big one is through: how much did it take?
                    let status =
                        std::fs::read_to_string(format!("/proc/{}/status", pid.lock().unwrap())).unwrap();
                    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
                    *seen.lock().unwrap() = line.split_whitespace().nth(1).unwrap().parse().unwrap();
                    Reply::of("image/png", "x")
                }
                _ => Reply::of("application/octet-stream", vec![7; mib * MIB]),
            })
        };
        let file = crawler_file(&site, dir.path());
        let mut crawl = start(&file, dir.path());
        *most.lock().unwrap() = crawl.id();
        assert!(crawl.wait().unwrap().success());
        let kib = *seen.lock().unwrap();
        kib / 1024
    };
    let (small, large) = (peak(1), peak(200));
    eprintln!("peak of memory: {small} MiB with 1 MiB, {large} MiB with 200 MiB");
    assert!(large < small + 24, "{large} MiB after {small} MiB");
}
