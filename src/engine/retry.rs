//! Asking again for what was given up: the failed list back into the queues of its round.
//!
//! What is asked again leaves the list in the very batch that puts it into its queue, and is no longer counted as lost. If it fails
//! again it comes back. So a kill at any moment loses nothing and doubles nothing.

use std::collections::HashSet;

use super::totals::Totals;
use crate::store::{Batch, FailedRecord, RunRecord, Store, StoreError};
use crate::url::Fingerprint;

/// Requests that are put back in one batch.
const GROUP: usize = 4_096;

/// What was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requeued {
    /// Requests that are asked again.
    pub requests: u64,
    /// Requests that stay on the list.
    pub left: u64,
}

/// Puts those of the failed requests that are `wanted` back into the queues of their round, with all their tries before them. The
/// round is open again then, if it was complete: go on with it by [`Start::Resume`](super::Start::Resume).
///
/// # Errors
/// If the state cannot be read or written; what was put back until then stays so.
pub fn requeue_failed(
    store: &mut dyn Store,
    wanted: impl Fn(&FailedRecord) -> bool,
) -> Result<Requeued, StoreError> {
    let recovered = store.recover()?;
    for warning in &recovered.warnings {
        tracing::warn!(warning, "the state was mended");
    }
    let Some(mut run) = recovered.run else {
        return Ok(Requeued::default());
    };
    let failed = store.failed()?;
    // A page that was given up twice is asked again once, and all of its entries leave the list.
    let chosen: HashSet<Fingerprint> =
        failed.iter().filter(|record| wanted(record)).map(|record| record.request.fingerprint()).collect();
    let all: HashSet<_> = failed.iter().map(|record| record.request.fingerprint()).collect();
    let mut batch = Batch::default();
    let mut asked = HashSet::new();
    let chosen_records = failed.iter().filter(|record| chosen.contains(&record.request.fingerprint()));
    let mut by_request: Vec<&FailedRecord> = chosen_records.collect();
    by_request.sort_by_key(|record| record.request.fingerprint());
    for record in by_request {
        let page = record.request.fingerprint();
        if asked.insert(page) {
            if batch.unfailed.len() >= GROUP {
                commit(store, &mut batch, &run)?;
            }
            batch.unfailed.push(page);
            batch.revisits.push(again(record));
        }
        forgive(&mut run, record);
    }
    if !batch.unfailed.is_empty() {
        commit(store, &mut batch, &run)?;
    }
    store.sync()?;
    Ok(Requeued { requests: asked.len() as u64, left: (all.len() - asked.len()) as u64 })
}

fn commit(store: &mut dyn Store, batch: &mut Batch, run: &RunRecord) -> Result<(), StoreError> {
    let run = RunRecord { completed: None, ..run.clone() };
    let batch = std::mem::take(batch);
    store.commit(Batch { run: Some(run), ..batch }).map(drop)
}

/// The request as it was first made: no wait of its own is left from the tries before.
fn again(record: &FailedRecord) -> crate::request::Request {
    let mut request = record.request.clone();
    request.not_before = None;
    request
}

/// What is asked again is not lost yet.
fn forgive(run: &mut RunRecord, record: &FailedRecord) {
    let mut totals = Totals::from_map(&run.totals);
    let less = |count: &mut u64| *count = count.saturating_sub(1);
    match record.class.as_str() {
        "parse" => {
            less(&mut totals.parse_errors);
            if record.request.kind.is_page() {
                // It was fetched, and will be counted when it is fetched again.
                less(&mut totals.pages);
            }
        }
        class => {
            less(&mut totals.failed);
            if class == "forbidden" {
                less(&mut totals.forbidden);
            }
        }
    }
    if record.request.kind.is_page() {
        less(&mut totals.unknown);
    }
    run.totals = totals.to_map();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::store::memory::MemoryStore;
    use crate::time::Timestamp;
    use crate::url::CanonicalUrl;

    fn failed(path: &str, class: &str) -> FailedRecord {
        let url = CanonicalUrl::parse(&format!("https://a.example{path}")).unwrap();
        FailedRecord {
            request: Request::get(url),
            at: Timestamp::ZERO,
            class: class.to_owned(),
            cause: None,
            status: None,
            reason: String::new(),
            tries: 3,
        }
    }

    fn store(failed: Vec<FailedRecord>) -> MemoryStore {
        let totals =
            Totals { failed: failed.len() as u64, unknown: failed.len() as u64, ..Totals::default() };
        let (totals, completed) = (totals.to_map(), Some(Timestamp::ZERO));
        let run = RunRecord { round: 1, completed, totals, ..RunRecord::default() };
        let mut store = MemoryStore::default();
        let links = failed.iter().map(|record| record.request.clone()).collect();
        let fresh = store.commit(Batch { links, ..Batch::default() }).unwrap().fresh;
        let done = fresh.into_iter().map(|pending| (pending.request.origin(), pending.key)).collect();
        store.commit(Batch { failed, done, run: Some(run), ..Batch::default() }).unwrap();
        store
    }

    #[test]
    fn what_is_wanted_waits_again_once_and_is_no_longer_lost() {
        let mut store = store(vec![
            failed("/a", "server-error"),
            failed("/b", "unreachable"),
            failed("/a", "server-error"),
        ]);
        let requeued = requeue_failed(&mut store, |record| record.class == "server-error").unwrap();
        assert_eq!(requeued, Requeued { requests: 1, left: 1 });
        let found = store.holdings().unwrap();
        assert_eq!(found.queues.iter().map(|(_, count)| count).sum::<u64>(), 1);
        let run = store.recover().unwrap().run.unwrap();
        assert_eq!((run.completed, run.totals["failed"], run.totals["unknown"]), (None, 1, 1));
        assert_eq!(store.failed().unwrap().len(), 1);
        // Asked for once more, there is nothing left to put back.
        let again = requeue_failed(&mut store, |record| record.class == "server-error").unwrap();
        assert_eq!(again, Requeued { requests: 0, left: 1 });
        assert_eq!(store.holdings().unwrap().queues[0].1, 1);
    }

    #[test]
    fn a_state_without_a_run_has_nothing_to_ask_again() {
        let mut store = MemoryStore::default();
        assert_eq!(requeue_failed(&mut store, |_| true).unwrap(), Requeued::default());
    }

    #[test]
    fn a_complete_round_stays_complete_if_nothing_is_put_back() {
        let mut store = store(vec![failed("/a", "parse")]);
        requeue_failed(&mut store, |_| false).unwrap();
        assert!(store.recover().unwrap().run.unwrap().completed.is_some());
    }
}
