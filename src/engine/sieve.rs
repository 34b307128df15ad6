//! What becomes of items between the page and the sinks: the stages on the worker, the keys and the counts on the writer.
//!
//! Stages see one item at a time, so they are applied where the page was read. Whether another item has a key is known only
//! where the state is written: keys are committed in the batch of the page whose item took them, and so a kill at any moment
//! neither lets a second item in nor shuts the first one out. The digest by which a page's items are judged does not depend on
//! which of two pages came first.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::changes::digest_of;
use super::expect::Expectations;
use super::totals::Totals;
use super::worker::{Yield, panic_text};
use crate::item::Item;
use crate::stage::tally::{Done, ItemTally};
use crate::stage::{Cure, Reason, Remarks, Stage, through};
use crate::store::{Batch, Store, StoreError};
use crate::url::{CanonicalUrl, Fingerprint};

/// All stages of a crawl, in order.
pub(super) type Stages = Vec<Arc<dyn Stage>>;

/// What a crawl does with items, and what it wants of them.
#[derive(Default)]
pub(super) struct ItemRules {
    pub(super) stages: Stages,
    pub(super) expect: Expectations,
}

/// The items of a page, and the keys that some of them have.
#[derive(Debug, Default)]
pub(super) struct Crop {
    pub(super) items: Vec<Item>,
    /// The place of an item, and a key of it; in the order of the items.
    pub(super) keys: Vec<(usize, Fingerprint)>,
}

/// Sends the items of a page through the stages, and takes their digest. A stage that panics fails the page.
pub(super) fn staged(stages: &Stages, page: &CanonicalUrl, mut gained: Yield) -> Yield {
    if !stages.is_empty() && !gained.items.is_empty() {
        let items = std::mem::take(&mut gained.items);
        match catch_unwind(AssertUnwindSafe(|| sent_through(stages, page, items))) {
            Ok((crop, tally, dropped)) => {
                (gained.items, gained.keys) = (crop.items, crop.keys);
                (gained.tally, gained.dropped) = (tally, dropped);
            }
            Err(panic) => {
                let error = format!("a stage panicked: {}", panic_text(panic.as_ref()));
                gained = Yield { error: Some(error), problems: gained.problems, ..Yield::default() };
            }
        }
    }
    gained.items_digest = digest_of(&gained.items);
    gained
}

fn sent_through(stages: &Stages, page: &CanonicalUrl, items: Vec<Item>) -> (Crop, ItemTally, u64) {
    let (mut crop, mut tally, mut dropped) = (Crop::default(), ItemTally::default(), 0);
    for item in items {
        let kind = item.kind.clone();
        let mut remarks = Remarks::default();
        let item = match through(stages, item, &mut remarks) {
            Ok(item) => item,
            Err(drop) => {
                tracing::debug!(url = %page, reason = %drop, "item dropped");
                tally.remark(Done::Dropped, kind.as_deref(), &drop.to_string(), page);
                dropped += 1;
                continue;
            }
        };
        for note in remarks.notes() {
            let done = match note.cure {
                Cure::Nulled => Done::Nulled,
                Cure::Kept => Done::Kept,
            };
            tally.remark(done, kind.as_deref(), &format!("{} {}", note.field, note.why), page);
        }
        crop.keys.extend(remarks.keys().iter().map(|key| (crop.items.len(), *key)));
        crop.items.push(item);
    }
    (crop, tally, dropped)
}

/// Leaves out items whose key another one has, and counts the rest. Lives on the writer.
pub(super) struct Sieve {
    tally: ItemTally,
    /// Whether the counts are others than those that were committed.
    changed: bool,
    /// Keys that were taken since the last batch, with the pages that have them.
    taken: HashMap<Fingerprint, Fingerprint>,
}

impl Sieve {
    /// Goes on with the counts of the round.
    pub(super) fn new(tally: ItemTally) -> Self {
        Self { tally, changed: false, taken: HashMap::new() }
    }

    /// The items of the round by now.
    pub(super) const fn tally(&self) -> &ItemTally {
        &self.tally
    }

    /// Takes over what stages have said.
    pub(super) fn hear(&mut self, said: &ItemTally) {
        if !said.is_empty() {
            self.tally.add_remarks(said);
            self.changed = true;
        }
    }

    /// The items of a page that are written. What a page has taken before in this round, it has still.
    pub(super) fn sift(
        &mut self,
        store: &dyn Store,
        page: Fingerprint,
        crop: Crop,
        totals: &mut Totals,
    ) -> Result<Vec<Item>, StoreError> {
        let Crop { mut items, keys } = crop;
        if !keys.is_empty() {
            let doubles = self.doubles(store, page, &keys)?;
            let mut place = 0;
            let told = Reason::Duplicate.to_string();
            items.retain(|item| {
                place += 1;
                let double = doubles.contains(&(place - 1));
                if double {
                    tracing::debug!(url = %item.url, "item dropped: another one has its key");
                    self.tally.remark(Done::Dropped, item.kind.as_deref(), &told, &item.url);
                }
                !double
            });
            totals.items_dropped += doubles.len() as u64;
        }
        items.iter().for_each(|item| self.tally.count(item));
        self.changed = true;
        totals.items += items.len() as u64;
        Ok(items)
    }

    /// Places of items that have a key of another item. The others take theirs.
    fn doubles(
        &mut self,
        store: &dyn Store,
        page: Fingerprint,
        keys: &[(usize, Fingerprint)],
    ) -> Result<HashSet<usize>, StoreError> {
        let (mut doubles, mut own) = (HashSet::new(), HashSet::new());
        for keys in keys.chunk_by(|(one, _), (other, _)| one == other) {
            let mut is_double = false;
            for (_, key) in keys {
                is_double |= own.contains(key) || self.owner(store, *key)?.is_some_and(|owner| owner != page);
            }
            let (place, _) = keys[0];
            if is_double {
                doubles.insert(place);
                continue;
            }
            for (_, key) in keys {
                own.insert(*key);
                self.taken.insert(*key, page);
            }
        }
        Ok(doubles)
    }

    fn owner(&self, store: &dyn Store, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        match self.taken.get(&key) {
            Some(owner) => Ok(Some(*owner)),
            None => store.item_key(key),
        }
    }

    /// Puts what is new into a batch.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        batch.item_keys = self.taken.drain().collect();
        batch.item_keys.sort_unstable();
        batch.tally = std::mem::take(&mut self.changed).then(|| self.tally.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Dropped;
    use crate::store::memory::MemoryStore;

    fn page(number: u64) -> Fingerprint {
        Fingerprint::from_bits(number)
    }

    fn crop(keys: &[u64]) -> Crop {
        let url = CanonicalUrl::parse("https://a.example/").unwrap();
        let item = |key: &u64| Item {
            url: url.clone(),
            kind: None,
            fields: serde_json::Map::from_iter([("key".to_owned(), (*key).into())]),
            seen: None,
        };
        let items = keys.iter().map(item).collect();
        Crop { items, keys: keys.iter().enumerate().map(|(place, key)| (place, page(*key))).collect() }
    }

    fn kept(sieve: &mut Sieve, store: &mut MemoryStore, number: u64, keys: &[u64]) -> Vec<u64> {
        let mut totals = Totals::default();
        let items = sieve.sift(store, page(number), crop(keys), &mut totals).unwrap();
        assert_eq!(totals.items + totals.items_dropped, keys.len() as u64);
        items.iter().map(|item| item.fields["key"].as_u64().unwrap()).collect()
    }

    fn commit(sieve: &mut Sieve, store: &mut MemoryStore) {
        let mut batch = Batch::default();
        sieve.fill(&mut batch);
        store.commit(batch).unwrap();
    }

    #[test]
    fn the_first_item_with_a_key_is_kept_within_a_page_a_batch_and_a_round() {
        let (mut sieve, mut store) = (Sieve::new(ItemTally::default()), MemoryStore::default());
        assert_eq!(kept(&mut sieve, &mut store, 1, &[7, 8, 7]), [7, 8]);
        assert_eq!(kept(&mut sieve, &mut store, 2, &[8, 9]), [9]);
        commit(&mut sieve, &mut store);
        // Another process goes on.
        let mut sieve = Sieve::new(store.recover().unwrap().tally);
        assert_eq!(kept(&mut sieve, &mut store, 3, &[7, 9, 10]), [10]);
        assert_eq!(sieve.tally().kinds[0].items, 4);
        assert_eq!(sieve.tally().remarks[0].count, 4);
    }

    #[test]
    fn a_page_that_is_visited_again_keeps_its_items() {
        let (mut sieve, mut store) = (Sieve::new(ItemTally::default()), MemoryStore::default());
        assert_eq!(kept(&mut sieve, &mut store, 1, &[7]), [7]);
        assert_eq!(kept(&mut sieve, &mut store, 1, &[7]), [7]);
        commit(&mut sieve, &mut store);
        assert_eq!(kept(&mut sieve, &mut store, 1, &[7, 7]), [7]);
    }

    #[test]
    fn what_was_not_committed_is_free() {
        let (mut sieve, mut store) = (Sieve::new(ItemTally::default()), MemoryStore::default());
        assert_eq!(kept(&mut sieve, &mut store, 1, &[7]), [7]);
        let mut sieve = Sieve::new(store.recover().unwrap().tally);
        assert_eq!(kept(&mut sieve, &mut store, 2, &[7]), [7]);
    }

    #[test]
    fn a_stage_that_panics_fails_the_page_and_one_that_drops_does_not() {
        let of = |stage: Arc<dyn Stage>| {
            let url = CanonicalUrl::parse("https://a.example/").unwrap();
            staged(&vec![stage], &url, Yield { items: crop(&[1, 2]).items, ..Yield::default() })
        };
        let gained = of(Arc::new(|_: Item| -> Result<Item, Dropped> { panic!("oh") }));
        assert_eq!((gained.items.len(), gained.error.as_deref()), (0, Some("a stage panicked: oh")));
        let gained = of(Arc::new(|item: Item| match item.fields["key"].as_u64() {
            Some(1) => Err(Dropped::unwanted("one")),
            _ => Ok(item),
        }));
        assert_eq!((gained.items.len(), gained.dropped, gained.error), (1, 1, None));
        assert_eq!(gained.items_digest, digest_of(&gained.items));
    }
}
