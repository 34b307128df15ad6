//! Where each entry lies: blocks of some dozens of pointers in sled, and in memory those that are in no block yet.
//!
//! A pointer of its own for each entry would have sled write and remember a page of its own for every dozen of them, in no order.
//! So they are gathered here, by their keys, and go round by round into the blocks that they belong to: one block after the
//! other, as many as it takes to have room again. What an entry costs grows little with the number of entries, and of a block
//! nothing is kept in memory but its first key and a filter of 64 bytes, which spares the look-up of what is not there.
//!
//! What is gathered is lost with a kill. The log has it too, in the order of its writing: [`Index::checkpoint`] says from where on.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::guarded;
use super::log::End;
use super::record::{self, BLOCK_MOST, BLOCK_USUAL, Pointer};

/// So many pointers are gathered. 32,768: some 2 MiB, and a block of a cache of a million entries is written once for three of them.
const GATHERED: usize = 32_768;
/// So many blocks are written at most for one entry: a cache that was made smaller shrinks little by little.
const STEPS: usize = 4;
/// A checkpoint is worth to be written down when the log has grown by so much. 4 MiB are read back in some milliseconds.
const NOTED_EVERY: u64 = 4 << 20;
/// Bits of a filter that a key sets.
const PROBES: u32 = 5;

/// What surely is in a block, and what surely is not: a Bloom filter of one cache line.
#[derive(Debug, Clone, Copy, Default)]
struct Filter([u64; 8]);

impl Filter {
    fn of(records: &[(u64, Pointer)]) -> Self {
        let mut filter = Self::default();
        for (word, bit) in records.iter().flat_map(|(key, _)| Self::positions(*key)) {
            filter.0[word] |= bit;
        }
        filter
    }

    fn may_contain(&self, key: u64) -> bool {
        Self::positions(key).all(|(word, bit)| self.0[word] & bit != 0)
    }

    /// Keys are hashes. Those of a block have their upper bits in common.
    fn positions(key: u64) -> impl Iterator<Item = (usize, u64)> {
        (0..PROBES).map(move |probe| {
            let position = (key >> (9 * probe)) & 511;
            ((position / 64) as usize, 1 << (position % 64))
        })
    }
}

/// The pointers to all entries.
pub(super) struct Index {
    database: sled::Db,
    most: u64,
    /// So many pointers are gathered.
    room: usize,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// The blocks by their first keys. Each reaches up to the next.
    blocks: BTreeMap<u64, Filter>,
    /// What is in no block yet; `None` is to be taken out of its block.
    gathered: BTreeMap<u64, Option<Pointer>>,
    /// From here on blocks are written next.
    cursor: u64,
    /// Pointers in blocks.
    count: u64,
    /// The end of the log when this round through the blocks, and when the one before, began.
    round: End,
    round_before: End,
    /// The checkpoint that was told last.
    told: End,
}

/// A block under its first key; what is no block is `None`.
type Block = (u64, Option<Vec<(u64, Pointer)>>);

/// The blocks of a database.
pub(super) fn blocks(database: &sled::Db) -> impl Iterator<Item = Result<Block, String>> {
    let mut pairs = database.iter();
    std::iter::from_fn(move || {
        loop {
            match guarded(|| pairs.next().transpose()) {
                // What has another key is a note.
                Ok(Some((key, bytes))) => {
                    let Ok(start) = key.as_ref().try_into().map(u64::from_be_bytes) else { continue };
                    return Some(Ok((start, record::open(start, &bytes))));
                }
                Ok(None) => return None,
                Err(reason) => return Some(Err(reason)),
            }
        }
    })
}

impl Index {
    /// Reads the blocks of a database once. More than `most` entries push out old ones.
    pub(super) fn open(database: sled::Db, most: u64, checkpoint: End) -> Result<Self, String> {
        let mut state = State::at(checkpoint);
        for found in blocks(&database) {
            let (start, records) = found?;
            let records = records.unwrap_or_default();
            state.count += records.len() as u64;
            state.blocks.insert(start, Filter::of(&records));
        }
        Ok(Self { database, most, room: GATHERED, state: RwLock::new(state) })
    }

    /// A block is written, and then noted: whoever panicked in between has left one that is looked at in vain.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was appended to the log before this is in the blocks.
    pub(super) fn checkpoint(&self) -> End {
        self.state().round_before
    }

    /// The pointer of a key.
    pub(super) fn get(&self, key: u64) -> Result<Option<Pointer>, String> {
        let state = self.state();
        if let Some(found) = state.gathered.get(&key) {
            return Ok(*found);
        }
        let Some((start, filter)) = state.blocks.range(..=key).next_back() else { return Ok(None) };
        if !filter.may_contain(key) {
            return Ok(None);
        }
        let block = guarded(|| self.database.get(start.to_be_bytes()))?;
        Ok(block.and_then(|block| record::find(*start, &block, key)))
    }

    /// Sets the pointer of a key, or removes it. `end` is the end of the log. Gives the bytes of the log that are known since to be of
    /// no use any more, and whether the [`Index::checkpoint`] is to be written down.
    pub(super) fn set(&self, key: u64, pointer: Option<Pointer>, end: End) -> Result<(u64, bool), String> {
        let mut state = self.state_mut();
        let before = state.gathered.insert(key, pointer).flatten();
        let mut unused = before.map_or(0, |before| replaced(pointer, before));
        for _ in 0..STEPS {
            if state.gathered.len() <= self.room && state.excess(self.most) == 0 {
                break;
            }
            unused += self.step(&mut state, end)?;
        }
        Ok((unused, state.tell()))
    }

    /// Brings everything into the blocks. Gives the bytes of the log that are of no use any more.
    pub(super) fn settle(&self, end: End) -> Result<u64, String> {
        let mut state = self.state_mut();
        let mut unused = 0;
        while !state.gathered.is_empty() {
            unused += self.step(&mut state, end)?;
        }
        (state.round, state.round_before, state.told) = (end, end, end);
        Ok(unused)
    }

    /// Forgets everything, notes included.
    pub(super) fn clear(&self, end: End) -> Result<(), String> {
        *self.state_mut() = State::at(end);
        guarded(|| self.database.clear())
    }

    /// Shows every pointer to `visit`; for a block that cannot be read, its first key without one.
    pub(super) fn each(&self, mut visit: impl FnMut(u64, Option<Pointer>)) -> Result<(), String> {
        for found in blocks(&self.database) {
            match found? {
                (_, Some(records)) => records.into_iter().for_each(|(key, it)| visit(key, Some(it))),
                (start, None) => visit(start, None),
            }
        }
        Ok(())
    }

    /// Removes the blocks that cannot be read.
    pub(super) fn drop_unreadable(&self) -> Result<(), String> {
        let mut state = self.state_mut();
        for found in blocks(&self.database) {
            if let (start, None) = found? {
                state.blocks.remove(&start);
                guarded(|| self.database.remove(start.to_be_bytes()))?;
            }
        }
        Ok(())
    }

    /// Writes the next block for which there is something.
    fn step(&self, state: &mut State, end: End) -> Result<u64, String> {
        let ahead = state.gathered.range(state.cursor..).next().map(|(key, _)| *key);
        if ahead.is_none() {
            state.begin_round(end);
        }
        let at = ahead.or_else(|| state.gathered.keys().next().copied()).unwrap_or(state.cursor);
        let start = state.blocks.range(..=at).next_back().map_or(0, |(start, _)| *start);
        let next = state.blocks.range(at..).find(|(next, _)| **next > start).map(|(next, _)| *next);
        let news = state.take(start, next);
        state.cursor = next.unwrap_or_default();
        let old = guarded(|| self.database.get(start.to_be_bytes()))?;
        let old = old.and_then(|block| record::open(start, &block)).unwrap_or_default();
        let (mut records, mut unused) = (Vec::with_capacity(old.len() + news.len()), 0);
        let counted = old.len() as u64;
        merge(old, news, &mut records, &mut unused);
        state.count = state.count.saturating_sub(counted) + records.len() as u64;
        for _ in 0..state.excess(self.most).min(records.len().div_ceil(2) as u64) {
            unused += drop_oldest(&mut records);
            state.count -= 1;
        }
        self.write(state, start, &records)?;
        if next.is_none() {
            state.begin_round(end);
        }
        Ok(unused)
    }

    /// Writes the pointers from `start` on in place of the block that is there: one, or more if they have become too many.
    fn write(&self, state: &mut State, start: u64, records: &[(u64, Pointer)]) -> Result<(), String> {
        let size = if records.len() > BLOCK_MOST { BLOCK_USUAL } else { BLOCK_MOST };
        let mut batch = sled::Batch::default();
        if records.is_empty() {
            state.blocks.remove(&start);
            return guarded(|| self.database.remove(start.to_be_bytes())).map(drop);
        }
        for (number, block) in records.chunks(size).enumerate() {
            let start = if number == 0 { start } else { block[0].0 };
            state.blocks.insert(start, Filter::of(block));
            batch.insert(&start.to_be_bytes(), record::seal(start, block));
        }
        guarded(|| self.database.apply_batch(batch))
    }

    #[cfg(test)]
    pub(super) const fn set_room(&mut self, pointers: usize) {
        self.room = pointers;
    }

    /// How many keys have a pointer.
    #[cfg(test)]
    pub(super) fn count_by_looking(&self) -> u64 {
        let mut keys = std::collections::BTreeMap::new();
        self.each(|key, pointer| _ = keys.insert(key, pointer)).unwrap();
        keys.extend(self.state().gathered.iter());
        keys.into_values().flatten().count() as u64
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        let state = self.state();
        state.count + state.gathered.len() as u64
    }
}

impl State {
    /// Nothing yet; what comes lies behind this end of the log.
    fn at(end: End) -> Self {
        Self { round: end, round_before: end, told: end, ..Self::default() }
    }

    /// A round through the blocks is over: whatever was gathered when it began is in them.
    const fn begin_round(&mut self, end: End) {
        (self.round_before, self.round) = (self.round, end);
    }

    /// Whether the checkpoint has gone on so far that it is to be written down.
    fn tell(&mut self) -> bool {
        let ((file, offset), (file_told, told)) = (self.round_before, self.told);
        let is_next = file != file_told || offset >= told + NOTED_EVERY;
        if is_next {
            self.told = self.round_before;
        }
        is_next
    }

    /// How many entries there are too many, if what is gathered is all new.
    fn excess(&self, most: u64) -> u64 {
        (self.count + self.gathered.len() as u64).saturating_sub(most)
    }

    /// Takes out what is gathered for a block.
    fn take(&mut self, start: u64, next: Option<u64>) -> Vec<(u64, Option<Pointer>)> {
        let end = next.map_or(Bound::Unbounded, Bound::Excluded);
        self.gathered.extract_if((Bound::Included(start), end), |_, _| true).collect()
    }
}

/// The bytes that are of no use any more when a pointer takes the place of another. A new head refers to the harvest of the frame before, so
/// that only about as much as was written takes the place of what was written before.
fn replaced(pointer: Option<Pointer>, before: Pointer) -> u64 {
    u64::from(pointer.unwrap_or(before).place.length)
}

/// Merges what is new into what is old, both by their keys.
fn merge(
    old: Vec<(u64, Pointer)>,
    news: Vec<(u64, Option<Pointer>)>,
    out: &mut Vec<(u64, Pointer)>,
    unused: &mut u64,
) {
    let mut old = old.into_iter().peekable();
    for (key, pointer) in news {
        while let Some(record) = old.next_if(|(before, _)| *before < key) {
            out.push(record);
        }
        if let Some((_, before)) = old.next_if(|(before, _)| *before == key) {
            *unused += replaced(pointer, before);
        }
        out.extend(pointer.map(|pointer| (key, pointer)));
    }
    out.extend(old);
}

/// Drops the pointer that was confirmed longest ago; gives its bytes of the log.
fn drop_oldest(records: &mut Vec<(u64, Pointer)>) -> u64 {
    let oldest = records.iter().enumerate().min_by_key(|(_, (_, pointer))| pointer.checked).map(|(at, _)| at);
    oldest.map_or(0, |at| u64::from(records.remove(at).1.place.length))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::log::Place;
    use super::*;
    use crate::time::Timestamp;

    fn pointer(number: u64) -> Pointer {
        let place = Place { file: 1, offset: number as u32, length: 1 };
        Pointer { checked: Timestamp::from_secs(number), place }
    }

    fn database(dir: &tempfile::TempDir) -> sled::Db {
        sled::Config::new().path(dir.path()).open().unwrap()
    }

    #[test]
    fn every_key_has_the_pointer_that_it_was_given_last() {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::open(database(&dir), u64::MAX, (0, 0)).unwrap();
        index.set_room(100);
        let (mut rng, mut model) = (fastrand::Rng::with_seed(7), HashMap::new());
        let mut unused = 0;
        for number in 0..10_000 {
            // Some keys are neighbours, as nobody's hashes are.
            let key = rng.u64(..3_000) << (20 * rng.u32(..3));
            let new = (!rng.u8(..).is_multiple_of(4)).then(|| pointer(number));
            unused += index.set(key, new, (1, number)).unwrap().0;
            match new {
                Some(new) => model.insert(key, new),
                None => model.remove(&key),
            };
            if number % 2_500 == 0 {
                unused += index.settle((1, number)).unwrap();
            }
        }
        let all = |index: &Index| {
            assert!(model.iter().all(|(key, pointer)| index.get(*key).unwrap() == Some(*pointer)));
            assert!((5_000..6_000).all(|key| index.get(key).unwrap().is_none()));
        };
        all(&index);
        unused += index.settle((1, 9)).unwrap();
        all(&index);
        assert_eq!(index.count(), model.len() as u64);
        assert!(unused > 2_000 && unused < 10_000, "{unused}");
        let database = index.database.clone();
        drop(index);
        let again = Index::open(database, u64::MAX, (0, 0)).unwrap();
        all(&again);
        assert_eq!(again.count(), model.len() as u64);
        let blocks = again.state().blocks.len();
        assert!(blocks < model.len() / 15, "{blocks} blocks for {} pointers", model.len());
    }

    #[test]
    fn what_lies_before_a_checkpoint_is_in_the_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let database = database(&dir);
        let mut index = Index::open(database.clone(), u64::MAX, (0, 0)).unwrap();
        index.set_room(50);
        let (mut rng, mut keys, mut checkpoints) = (fastrand::Rng::with_seed(3), Vec::new(), 0);
        for number in 0..3_000 {
            keys.push(rng.u64(..));
            // As the log: it ends behind what it is set to.
            let before = index.checkpoint();
            index.set(keys[number as usize], Some(pointer(number)), (1, number + 1)).unwrap();
            let (_, end) = index.checkpoint();
            if before != (1, end) {
                checkpoints += 1;
                let kept: HashMap<u64, Pointer> =
                    blocks(&database).flat_map(|it| it.unwrap().1.unwrap()).collect();
                assert!(keys[..end as usize].iter().all(|key| kept.contains_key(key)));
            }
        }
        assert!(checkpoints > 10, "{checkpoints}");
    }
}
