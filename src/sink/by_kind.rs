//! A file for each kind of items: `{kind}` in a path.
//!
//! Each kind has a sink of its own, whose position and notes are notes of this one. Kinds come from items, so that a process that
//! is killed may leave a file whose kind the state has never heard of. Therefore every kind is put down in a list beside the files
//! **before** its file is made; after a crash, and when a round begins, what is on the list and not committed goes.
//!
//! A kind beyond [`MOST_KINDS`] is refused, and only [`MOST_AWAKE`] files are open at a time: nothing that comes from a page grows
//! without bound.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::files::{Exists, FileOptions};
use super::line_file::refused;
use super::places::Places;
use super::template::Template;
use super::{Ended, NO_KIND, Position, Round, Sink, SinkError};
use crate::item::Item;
use crate::time::Timestamp;

/// Most kinds of one sink.
const MOST_KINDS: usize = 1_000;
/// Most sinks that keep a file open.
const MOST_AWAKE: usize = 64;
/// The note of a kind's position.
const AT: &str = "at";
/// The note of a round that has begun.
const BEGUN: &str = "begun";

/// Opens the sink of one kind, whose path this is.
pub(super) type OpenKind = Box<dyn Fn(&str, &Path) -> Result<Box<dyn Sink>, SinkError> + Send>;

pub(super) struct ByKind {
    name: String,
    template: Template,
    files: FileOptions,
    open: OpenKind,
    list: PathBuf,
    kinds: BTreeMap<String, Slot>,
    /// Kinds on the list, with how far their files reached before.
    listed: BTreeMap<String, Position>,
    awake: VecDeque<String>,
    round: (u32, Timestamp, Timestamp),
    is_committed: bool,
    committed: Vec<(String, u64)>,
    begun: bool,
}

/// The position and the notes of a kind.
type Committed = (Option<Position>, Vec<(String, u64)>);

struct Slot {
    sink: Box<dyn Sink>,
    /// The position that was told last.
    told: Option<Position>,
    reaches: Position,
}

impl ByKind {
    pub(super) fn new(name: String, template: Template, files: FileOptions, open: OpenKind) -> Self {
        let list = list_of(&template);
        Self {
            name,
            template,
            files,
            open,
            list,
            kinds: BTreeMap::new(),
            listed: BTreeMap::new(),
            awake: VecDeque::new(),
            round: (1, Timestamp::ZERO, Timestamp::ZERO),
            is_committed: false,
            committed: Vec::new(),
            begun: false,
        }
    }

    /// The round as the sink of one kind sees it.
    fn round_of<'a>(&self, committed: Option<Position>, notes: &'a [(String, u64)]) -> Round<'a> {
        let (number, started, now) = self.round;
        Round { number, started, now, committed, notes }
    }

    fn path_of(&self, kind: &str) -> PathBuf {
        self.template.of_kind(kind).as_path().to_owned()
    }

    /// The files of a kind, none of them open.
    fn places(&self, kind: &str) -> Result<Places, SinkError> {
        let mut places = Places::of(&self.path_of(kind), self.files)?;
        places.settle(&self.round_of(None, &[]));
        Ok(places)
    }

    /// Opens the sink of a kind and brings it to where it was.
    fn open_slot(
        &self,
        kind: &str,
        at: Option<Position>,
        notes: &[(String, u64)],
    ) -> Result<Slot, SinkError> {
        let mut sink = (self.open)(kind, &self.path_of(kind))?;
        sink.begin(&self.round_of(at, notes))?;
        sink.rewind(at.unwrap_or_default())?;
        Ok(Slot { sink, told: None, reaches: at.unwrap_or_default() })
    }

    /// The kinds that were committed, with their positions and notes.
    fn committed_kinds(&self) -> BTreeMap<String, Committed> {
        let mut kinds = BTreeMap::<_, Committed>::new();
        for (note, value) in &self.committed {
            // A kind may have a slash in it, a note has none.
            let Some((kind, note)) = note.rsplit_once('/') else { continue };
            let entry = kinds.entry(kind.to_owned()).or_default();
            if note == AT {
                entry.0 = Some(Position(*value));
            } else {
                entry.1.push((note.to_owned(), *value));
            }
        }
        kinds
    }

    /// Reads the list of kinds for which files may be there.
    fn read_list(&mut self) -> Result<(), SinkError> {
        let text = match fs::read_to_string(&self.list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            result => result.map_err(|source| refused(&self.list, source))?,
        };
        // A line that was not finished stands for a file that was not written.
        self.listed = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(())
    }

    /// Puts a kind on the list, before anything is written into its file.
    fn put_down(&mut self, kind: &str, base: Position) -> Result<(), SinkError> {
        if self.listed.insert(kind.to_owned(), base) != Some(base) {
            // The line of a process that was killed may have no end.
            let line = format!("\n{}\n", serde_json::json!([kind, base]));
            let folder = self.list.parent().map_or(Ok(()), fs::create_dir_all);
            let file = folder.and_then(|()| File::options().append(true).create(true).open(&self.list));
            let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
            written.map_err(|source| refused(&self.list, source))?;
        }
        Ok(())
    }

    /// Begins the sink of a kind that is new.
    fn open_new(&mut self, kind: &str) -> Result<Slot, SinkError> {
        if self.files.exists != Exists::Append || !self.places(kind)?.is_taken(0) {
            self.put_down(kind, Position(0))?;
            return self.open_slot(kind, None, &[]);
        }
        let mut slot = self.open_slot(kind, None, &[])?;
        slot.reaches = slot.sink.flush()?;
        self.put_down(kind, slot.reaches)?;
        Ok(slot)
    }

    /// Undoes what was written for a kind of which the state knows nothing.
    fn undo(&self, kind: &str, base: Position) -> Result<(), SinkError> {
        if self.files.exists == Exists::Overwrite || self.is_committed && base == Position(0) {
            self.places(kind)?.remove()
        } else if self.is_committed && self.places(kind)?.is_aside() {
            self.places(kind)?.clear_from(0)
        } else if self.is_committed {
            self.open_slot(kind, Some(base), &[]).and_then(|mut slot| slot.sink.flush()).map(drop)
        } else {
            // The round begins, and what is there stays.
            Ok(())
        }
    }

    /// The sink of a kind, awake.
    fn slot(&mut self, kind: &str) -> Result<&mut Slot, SinkError> {
        if !self.kinds.contains_key(kind) {
            let slot = self.open_new(kind)?;
            self.kinds.insert(kind.to_owned(), slot);
        }
        if self.awake.back().is_none_or(|last| last != kind) {
            self.awake.retain(|other| other != kind);
            self.awake.push_back(kind.to_owned());
        }
        while self.awake.len() > MOST_AWAKE {
            let sleepy = self.awake.pop_front().and_then(|kind| self.kinds.get_mut(&kind));
            if let Some(slot) = sleepy {
                slot.reaches = slot.sink.flush()?;
                slot.sink.rest();
            }
        }
        Ok(self.kinds.get_mut(kind).expect("it was put there above"))
    }

    fn each(&mut self, mut act: impl FnMut(&mut Slot) -> Result<(), SinkError>) -> Result<(), SinkError> {
        self.kinds.values_mut().try_for_each(&mut act)
    }
}

impl Sink for ByKind {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.round = (round.number, round.started, round.now);
        self.is_committed = round.committed.is_some();
        self.committed = round.notes.to_vec();
        self.read_list()?;
        if self.is_committed {
            return Ok(());
        }
        self.listed.keys().try_for_each(|kind| self.places(kind)?.refuse(0))
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.round.2 = now;
        self.each(|slot| slot.sink.tick(now))
    }

    fn notes(&mut self) -> Vec<(String, u64)> {
        let mut notes = Vec::new();
        if std::mem::take(&mut self.begun) {
            notes.push((BEGUN.to_owned(), 1));
        }
        for (kind, slot) in &mut self.kinds {
            if slot.told != Some(slot.reaches) {
                slot.told = Some(slot.reaches);
                notes.push((format!("{kind}/{AT}"), slot.reaches.0));
            }
            notes
                .extend(slot.sink.notes().into_iter().map(|(note, value)| (format!("{kind}/{note}"), value)));
        }
        notes
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        let kind = item.kind.as_deref().unwrap_or(NO_KIND);
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(kind) {
            let reason =
                format!("there are {MOST_KINDS} kinds already, each with a file: say which with `kinds`");
            return Err(SinkError::item(&self.name, item, reason));
        }
        self.slot(kind)?.sink.write(item)
    }

    /// Its own position counts the kinds; those of the files are notes.
    fn flush(&mut self) -> Result<Position, SinkError> {
        self.each(|slot| {
            slot.reaches = slot.sink.flush()?;
            Ok(())
        })?;
        Ok(Position(self.kinds.len() as u64))
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.each(|slot| slot.sink.sync())
    }

    fn rewind(&mut self, _to: Position) -> Result<(), SinkError> {
        (self.kinds, self.awake) = (BTreeMap::new(), VecDeque::new());
        let committed = self.committed_kinds();
        for (kind, base) in self.listed.iter().filter(|(kind, _)| !committed.contains_key(*kind)) {
            self.undo(kind, *base)?;
        }
        if !self.is_committed {
            self.listed.clear();
            match fs::remove_file(&self.list) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(refused(&self.list, error));
                }
                _ => {}
            }
        }
        for (kind, (at, notes)) in &committed {
            let mut slot = self.open_slot(kind, Some(at.unwrap_or_default()), notes)?;
            slot.told = *at;
            slot.sink.flush()?;
            slot.sink.rest();
            self.kinds.insert(kind.clone(), slot);
        }
        self.begun = !self.is_committed;
        Ok(())
    }

    fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.each(|slot| slot.sink.finish(ended))
    }
}

/// Where the list of kinds lies: in the last folder that is certain.
fn list_of(template: &Template) -> PathBuf {
    let path = template.as_path();
    let is_certain = |folder: &&Path| !folder.to_string_lossy().contains('{');
    let folder = path.ancestors().skip(1).find(is_certain).unwrap_or(Path::new(""));
    let inside = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
    let readable: String =
        inside.chars().map(|letter| if "{}/\\".contains(letter) { '_' } else { letter }).collect();
    folder.join(format!(".crawl-kinds-{readable}"))
}
