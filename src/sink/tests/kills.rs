//! Random lives of a sink: writes, commits, kills at every step, runs that end, parts that are moved away. Whatever happens, the
//! output has exactly the committed items, in their order.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::csv::CsvOptions;
use super::super::files::{Compress, Exists, FileOptions, Finish, Rotate};
use super::super::json::JsonOptions;
use super::super::jsonl::JsonlOptions;
use super::super::{Ended, Form, NO_KIND, Position, Round, Sink, Target, pack};
use super::item;
use crate::item::Item;
use crate::time::Timestamp;

#[derive(Debug, Clone)]
enum Step {
    Write {
        kind: usize,
        length: usize,
    },
    /// Everything is handed over, and the state takes the position.
    Commit {
        passed: u64,
    },
    /// As the writer does it about once a second.
    Sync,
    /// The process ends in the middle, with what was handed over or not.
    Kill {
        handed_over: bool,
    },
    /// The power fails: the state is that of the last sync, the files are ahead of it.
    PowerCut,
    /// The run ends in order, and the next one goes on.
    End,
    /// Somebody takes all finished parts but the last.
    MoveAway,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..4_usize, 0..60_usize).prop_map(|(kind, length)| Step::Write { kind, length }),
        4 => (0..8_u64).prop_map(|passed| Step::Commit { passed }),
        2 => Just(Step::Sync),
        1 => any::<bool>().prop_map(|handed_over| Step::Kill { handed_over }),
        1 => Just(Step::PowerCut),
        1 => Just(Step::End),
        1 => Just(Step::MoveAway),
    ];
    prop::collection::vec(step, 0..60)
}

#[derive(Debug, Clone)]
struct Setting {
    form: &'static str,
    path: &'static str,
    files: FileOptions,
    /// Items that are there before the round.
    before: usize,
}

fn settings() -> impl Strategy<Value = Setting> {
    let rotate = prop_oneof![
        Just(Rotate::default()),
        Just(Rotate { items: Some(3), ..Rotate::default() }),
        Just(Rotate { size: Some(150), ..Rotate::default() }),
        Just(Rotate { every: Some(Duration::from_millis(10)), ..Rotate::default() }),
    ];
    let compress = prop_oneof![Just(None), Just(Some(Compress::Gzip)), Just(Some(Compress::Zstd))];
    let path = prop_oneof![
        Just("items.x"),
        Just("{kind}.x"),
        Just("{kind}/{part}.x"),
        Just("{round}.x"),
        Just("{date}/{part}-{time}.x")
    ];
    let exists = prop_oneof![Just(Exists::Overwrite), Just(Exists::Append), Just(Exists::Fail)];
    let finish = prop_oneof![Just(Finish::InPlace), Just(Finish::Rename)];
    let form = prop_oneof![Just("jsonl"), Just("json"), Just("csv")];
    (form, path, rotate, compress, exists, finish, 0..3_usize).prop_map(
        |(form, path, rotate, compress, exists, finish, before)| Setting {
            form,
            path,
            files: FileOptions { rotate, compress, exists, finish },
            before: if exists == Exists::Append { before } else { 0 },
        },
    )
}

/// What the state knows.
#[derive(Debug, Clone, Default)]
struct State {
    position: Option<Position>,
    notes: HashMap<String, u64>,
    items: usize,
}

struct Life {
    folder: TempDir,
    setting: Setting,
    round: u32,
    sink: Box<dyn Sink>,
    now: Timestamp,
    /// Kinds of all items; an item's number is its place.
    written: Vec<usize>,
    state: State,
    synced: State,
}

const KINDS: [Option<&str>; 4] = [None, Some("book"), Some("../a/b"), Some("x")];
const STARTED: Timestamp = Timestamp::from_secs(1_000);

impl Life {
    fn open(folder: &TempDir, setting: &Setting) -> Box<dyn Sink> {
        let path = folder.path().join("out").join(setting.path);
        let files = setting.files;
        let form = match setting.form {
            "jsonl" => Form::Jsonl(JsonlOptions { files, ..JsonlOptions::to(path) }),
            "json" => Form::Json(JsonOptions { files, ..JsonOptions::to(path) }),
            _ => {
                let columns = vec!["n".to_owned(), "text".to_owned()];
                Form::Csv(CsvOptions { files, ..CsvOptions::to(path, columns) })
            }
        };
        Target::of(form).open().unwrap()
    }

    fn begin(folder: TempDir, setting: Setting, round: u32) -> Self {
        let sink = Self::open(&folder, &setting);
        let mut life = Self {
            folder,
            setting,
            round,
            sink,
            now: STARTED,
            written: Vec::new(),
            state: State::default(),
            synced: State::default(),
        };
        life.take_up();
        life
    }

    /// What the engine does at the start of a run.
    fn take_up(&mut self) {
        let notes: Vec<_> = self.state.notes.clone().into_iter().collect();
        let committed = self.state.position;
        let round = Round { number: self.round, started: STARTED, now: self.now, committed, notes: &notes };
        self.sink.begin(&round).unwrap();
        self.sink.rewind(committed.unwrap_or_default()).unwrap();
        let said = self.sink.notes();
        if !said.is_empty() {
            self.state.position = Some(self.sink.flush().unwrap());
            self.state.notes.extend(said);
            self.synced = self.state.clone();
        }
    }

    fn again(&mut self, state: State) {
        self.written.truncate(state.items);
        self.synced = state.clone();
        self.state = state;
        self.sink = Self::open(&self.folder, &self.setting);
        self.take_up();
    }

    fn commit(&mut self, passed: u64) {
        self.now = self.now + Duration::from_millis(passed);
        self.sink.tick(self.now).unwrap();
        self.state.position = Some(self.sink.flush().unwrap());
        self.state.notes.extend(self.sink.notes());
        self.state.items = self.written.len();
    }

    fn live(&mut self, step: &Step) {
        match step {
            Step::Write { kind, length } => {
                let text = "é\n\"".repeat(*length / 4);
                let item = Item {
                    kind: KINDS[*kind].map(str::to_owned),
                    ..item(json!({"n": self.written.len(), "text": text}))
                };
                self.sink.write(&item).unwrap();
                self.written.push(*kind);
            }
            Step::Commit { passed } => {
                self.commit(*passed);
                if self.is_seen_at_once() {
                    self.check();
                }
            }
            Step::Sync => {
                self.commit(1);
                self.sink.sync().unwrap();
                self.synced = self.state.clone();
            }
            Step::Kill { handed_over } => {
                if *handed_over {
                    self.sink.flush().unwrap();
                }
                self.again(self.state.clone());
            }
            Step::PowerCut => self.again(self.synced.clone()),
            Step::End => {
                self.end(Ended::Unfinished);
                self.again(self.state.clone());
            }
            Step::MoveAway => self.move_away(),
        }
    }

    fn end(&mut self, ended: Ended) {
        self.commit(0);
        self.sink.sync().unwrap();
        self.sink.finish(ended).unwrap();
        if ended == Ended::Complete || self.setting.files.finish == Finish::InPlace {
            self.check();
        }
    }

    fn is_seen_at_once(&self) -> bool {
        let FileOptions { compress, finish, rotate, exists } = self.setting.files;
        let is_alone =
            !rotate.is_on() || exists == Exists::Overwrite && !self.setting.path.contains("{time}");
        compress.is_none() && finish == Finish::InPlace && is_alone
    }

    /// Takes the finished parts but the last of each kind. Only of compressed ones are those of the last `sync` surely closed.
    fn move_away(&mut self) {
        if !self.setting.files.rotate.is_on() || self.setting.files.compress.is_none() {
            return;
        }
        self.end(Ended::Unfinished);
        let mut by_kind = BTreeMap::<PathBuf, Vec<PathBuf>>::new();
        for file in files_in(&self.folder.path().join("out")) {
            by_kind.entry(file.parent().unwrap().join(kind_in(&file))).or_default().push(file);
        }
        for files in by_kind.values().filter(|_| self.setting.finish_in_place()) {
            let there = self.folder.path().join("moved");
            for file in &files[..files.len() - 1] {
                let target = there.join(file.strip_prefix(self.folder.path().join("out")).unwrap());
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::rename(file, target).unwrap();
            }
        }
        self.again(self.state.clone());
    }

    /// The output has exactly the committed items.
    fn check(&self) {
        let mut found = BTreeMap::<String, Vec<usize>>::new();
        let mut files: Vec<PathBuf> = Vec::new();
        for folder in ["moved", "out"] {
            files.extend(files_in(&self.folder.path().join(folder)));
        }
        // By part, whatever the folder.
        files.sort_by_key(|file| file.file_name().unwrap().to_owned());
        for file in &files {
            let numbers = numbers_in(file, self.setting.form);
            if let Some(most) = self.setting.files.rotate.items {
                assert!(numbers.len() as u64 <= most, "{} has {} items", file.display(), numbers.len());
            }
            found.entry(self.kind_of(file)).or_default().extend(numbers);
        }
        let mut expected = BTreeMap::<String, Vec<usize>>::new();
        for (number, kind) in self.written.iter().enumerate().take(self.state.items) {
            let kind = if self.setting.path.contains("{kind}") { file_kind(*kind) } else { String::new() };
            expected.entry(kind).or_default().push(number);
        }
        for numbers in found.values_mut() {
            // What was there before stands at the front.
            let before = numbers.iter().take_while(|number| **number >= BEFORE).count();
            assert!(
                before == self.setting.before || self.setting.path.contains("{kind}"),
                "{before} were there"
            );
            numbers.drain(..before);
        }
        found.retain(|_, numbers| !numbers.is_empty());
        assert_eq!(found, expected, "{files:?}");
    }

    fn kind_of(&self, file: &Path) -> String {
        if !self.setting.path.contains("{kind}") {
            return String::new();
        }
        let root = ["moved", "out"].map(|folder| self.folder.path().join(folder));
        let inside = root.iter().find_map(|root| file.strip_prefix(root).ok()).unwrap();
        let name = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        kind_in(Path::new(&name))
    }
}

impl Setting {
    fn finish_in_place(&self) -> bool {
        self.files.finish == Finish::InPlace
    }
}

/// Numbers from here on are those of items that were there before.
const BEFORE: usize = 1_000_000;

/// A file's name up to its part.
fn kind_in(file: &Path) -> String {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let bare = name.split(".x").next().unwrap();
    bare.rsplit_once('-').map_or(bare, |(kind, part)| if part.len() == 4 { kind } else { bare }).to_owned()
}

fn file_kind(kind: usize) -> String {
    let template = super::super::template::Template::parse(Path::new("{kind}")).unwrap();
    template.of_kind(KINDS[kind].unwrap_or(NO_KIND)).as_path().display().to_string()
}

/// All finished files, in the order of their names.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') && !name.ends_with(".part") && !name.ends_with(".tmp") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn numbers_in(file: &Path, form: &str) -> Vec<usize> {
    let mut text = String::new();
    pack::open_plain(file).unwrap().read_to_string(&mut text).unwrap();
    let number = |value: &Value| value["n"].as_u64().unwrap() as usize;
    match form {
        "jsonl" => text.lines().map(|line| number(&serde_json::from_str(line).unwrap())).collect(),
        "json" => {
            let list: Vec<Value> =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            list.iter().map(number).collect()
        }
        _ => {
            let mut reader = ::csv::Reader::from_reader(text.as_bytes());
            assert_eq!(reader.headers().unwrap(), vec!["n", "text"]);
            reader.records().map(|record| record.unwrap()[0].parse().unwrap()).collect()
        }
    }
}

/// An earlier round, whose items stay.
fn earlier(folder: TempDir, setting: &Setting) -> TempDir {
    let plain =
        Setting { files: FileOptions { exists: Exists::Overwrite, ..setting.files }, ..setting.clone() };
    let mut sink = Life::open(&folder, &plain);
    let round = Round { number: 2, started: STARTED, now: STARTED, committed: None, notes: &[] };
    sink.begin(&round).unwrap();
    sink.rewind(Position(0)).unwrap();
    for number in 0..setting.before {
        sink.write(&item(json!({"n": BEFORE + number, "text": "before"}))).unwrap();
    }
    sink.flush().unwrap();
    sink.finish(Ended::Complete).unwrap();
    folder
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn the_output_has_exactly_the_committed_items_whatever_happens(setting in settings(), steps in steps()) {
        let mut folder = TempDir::new().unwrap();
        if setting.before > 0 {
            folder = earlier(folder, &setting);
        }
        let mut life = Life::begin(folder, setting, 2);
        for step in &steps {
            life.live(step);
        }
        life.end(Ended::Complete);
        let left: Vec<_> = walk(life.folder.path());
        let unfinished = left.iter().filter(|name| name.ends_with(".part") || name.ends_with(".tmp"));
        // A part that was begun and dropped by a crash may leave nothing but its name.
        prop_assert_eq!(unfinished.count(), 0, "{:?}", left);
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(walk(&path));
        } else {
            names.push(path.display().to_string());
        }
    }
    names
}
