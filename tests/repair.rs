//! A state is harmed, `crawl doctor` names it, `crawl repair` mends it, and the crawl goes on until it has every page.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[path = "loopback/answer.rs"]
mod answer;
#[expect(dead_code, reason = "shared with servers that look at fields")]
mod loopback;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PAGES: usize = 24;

/// Each page links to all.
fn site() -> String {
    let (listener, origin) = loopback::listen("127.0.0.1");
    loopback::serve(listener, |mut stream| {
        while let Some(head) = loopback::head(&stream) {
            let path = loopback::path(&head);
            let links: String = (1..PAGES).map(|page| format!("<a href=/{page}>{page}</a>")).collect();
            let (status, body) = match path {
                "/robots.txt" => ("404 Not Found", String::new()),
                path => ("200 OK", format!("<title>{path}</title>{links}")),
            };
            stream.write_all(&answer::page(status, "ETag: \"1\"\r\n", &body)).ok()?;
        }
        Some(())
    });
    origin
}

/// A crawl in a folder of its own.
struct Crawl(PathBuf);

impl Crawl {
    fn begin(folder: &Path, origin: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let file = format!(
            "seeds = [\"{origin}/\"]\nstate-dir = \"state\"\n[politeness]\ndelay = \"1ms\"\npace = \"fixed\"\n\
             [[extract]]\nfields = {{ title = \"title\" }}\n[sink.jsonl]\npath = \"out.jsonl\"\n"
        );
        fs::write(folder.join("site.toml"), file).unwrap();
        let crawl = Self(folder.to_owned());
        let half = crawl.call(&["run", "site.toml", "--limit", "10"]);
        assert_eq!(half.status.code(), Some(3), "{half:?}");
        crawl
    }

    fn call(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_crawl")).args(arguments).current_dir(&self.0).output().unwrap()
    }

    fn copy(&self, to: &Path) -> Self {
        copy(&self.0, to);
        Self(to.to_owned())
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The pages whose items are in the output, and how many items there are.
    fn items(&self) -> (BTreeSet<String>, usize) {
        let text = fs::read_to_string(self.0.join("out.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let titles: Vec<_> = lines.map(|item| item["title"].as_str().unwrap().to_owned()).collect();
        (titles.iter().cloned().collect(), titles.len())
    }

    /// After a repair nothing is wrong any more, and the crawl ends with every page, each once.
    fn recovers(&self, what: &str) -> String {
        let doctor = self.call(&["doctor", "state"]);
        let says = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(matches!(doctor.status.code(), Some(0 | 9)), "{what}: {doctor:?}");
        let repair = self.call(&["repair", "state", "--yes"]);
        assert_eq!(repair.status.code(), Some(0), "{what}: {says}\n{repair:?}");
        let run = self.call(&["run", "site.toml"]);
        assert_eq!(run.status.code(), Some(0), "{what}: {says}\n{repair:?}\n{run:?}");
        let (pages, items) = self.items();
        assert_eq!((pages.len(), items), (PAGES, PAGES), "{what}: {says}\n{repair:?}\n{run:?}");
        says
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// One byte in the middle is another.
    Flip,
    /// A page is zero.
    Zero,
    /// The last tenth is gone.
    Cut,
    Gone,
}

fn harm(path: &Path, harm: Harm) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    match harm {
        Harm::Flip => bytes[middle] ^= 0x5a,
        Harm::Zero => {
            let page = middle / 4_096 * 4_096;
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        Harm::Cut => bytes.truncate(bytes.len() - bytes.len().div_ceil(10)),
        Harm::Gone => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

fn every_harm_is_mended(chosen: impl Fn(&str) -> bool, kinds: &[Harm]) {
    let (root, origin) = (tempfile::tempdir().unwrap(), site());
    let sound = Crawl::begin(&root.path().join("sound"), &origin);
    for file in files(&sound.state()) {
        let name = file.strip_prefix(sound.state()).unwrap().to_str().unwrap().to_owned();
        if fs::metadata(&file).unwrap().len() == 0 || !chosen(&name) {
            continue;
        }
        for kind in kinds {
            let what = format!("{kind:?} of {name}");
            let crawl = sound.copy(&root.path().join("harmed"));
            harm(&crawl.state().join(&name), *kind);
            let says = crawl.recovers(&what);
            // A journal that ends early is as a crash leaves it, and one that is gone was one too many.
            let is_cut_journal = name.starts_with("journal") && matches!(kind, Harm::Cut | Harm::Gone);
            let must_be_named =
                ["FORMAT", "seen-", "journal/", "frontier/0.jnl"].iter().any(|part| name.starts_with(part));
            assert!(
                !must_be_named || is_cut_journal || says.contains("damaged") || says.contains("missing"),
                "{what}: {says}"
            );
            fs::remove_dir_all(&crawl.0).unwrap();
        }
    }
}

#[test]
fn harm_to_the_database_is_named_mended_and_costs_no_page() {
    every_harm_is_mended(|name| name == "frontier/0.jnl", &[Harm::Flip, Harm::Zero, Harm::Cut, Harm::Gone]);
    every_harm_is_mended(
        |name| name.starts_with("frontier/keyspaces") || name == "frontier/version",
        &[Harm::Flip, Harm::Gone],
    );
}

#[test]
fn harm_to_what_lies_beside_it_is_named_mended_and_costs_no_page() {
    let is_beside = |name: &str| !["frontier", "lock", "changes"].iter().any(|part| name.starts_with(part));
    every_harm_is_mended(is_beside, &[Harm::Flip, Harm::Cut, Harm::Gone]);
}

#[test]
fn nothing_is_changed_by_a_look_or_without_a_yes_and_what_is_damaged_is_kept() {
    let (root, origin) = (tempfile::tempdir().unwrap(), site());
    let crawl = Crawl::begin(&root.path().join("crawl"), &origin);
    let bytes =
        || files(&crawl.state()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>();
    let before = bytes();
    assert_eq!(crawl.call(&["doctor", "site.toml"]).status.code(), Some(0));
    assert_eq!(bytes(), before);
    harm(&crawl.state().join("frontier/0.jnl"), Harm::Flip);
    let before = bytes();
    let told = crawl.call(&["doctor", "state", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["verdict"], "damaged");
    assert_eq!(crawl.call(&["repair", "state"]).status.code(), Some(9));
    assert_eq!(bytes(), before);
    assert_eq!(crawl.call(&["repair", "state", "--yes"]).status.code(), Some(0));
    let kept = fs::read(crawl.state().join("damaged-1/frontier/0.jnl")).unwrap();
    assert!(before.iter().any(|(bytes, _)| *bytes == kept));
}
