//! The hosts of a report, where there are too many for a line each.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::ControlFlow;

use super::report::{HostReport, Unlisted};
use super::standing::gravity;
use crate::frontier::Nap;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::trap::Parked;
use crate::url::{CanonicalUrl, HostKey, Origin};

/// Hosts that have a line at most.
const MOST: usize = 1_000;

/// What the loop knows of hosts that the store does not.
#[derive(Debug)]
pub(super) struct Awake {
    /// Hosts that are awake.
    pub(super) hosts: Vec<HostReport>,
    /// Hosts that sleep and of which a part may not be asked in this run.
    pub(super) shut: HashSet<HostKey>,
    /// Hosts that sleep and have patterns of URLs that are not asked for.
    pub(super) parked: HashMap<HostKey, Vec<Parked>>,
}

/// The hosts of a report.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) hosts: Vec<HostReport>,
    pub(super) unlisted: Unlisted,
}

/// How much a host matters, and its name, so that there is an order among all.
type Weight = (u8, bool, u64, u64, Reverse<String>);

/// The lines that are kept, the lightest first.
struct Lines {
    now: Timestamp,
    kept: BinaryHeap<Reverse<Weight>>,
    rows: HashMap<String, HostReport>,
    unlisted: Unlisted,
}

/// Looks through all hosts.
pub(super) fn take(
    store: &dyn Store,
    awake: Awake,
    round: u32,
    now: Timestamp,
) -> Result<Survey, StoreError> {
    let Awake { hosts, shut, mut parked } = awake;
    let names: HashSet<String> = hosts.iter().map(|row| row.host.clone()).collect();
    let mut lines =
        Lines { now, kept: BinaryHeap::new(), rows: HashMap::new(), unlisted: Unlisted::default() };
    hosts.into_iter().for_each(|row| lines.take(row));
    let mut unread = Ok(());
    store.each_host(&mut |key, state| {
        if names.contains(key.as_str()) {
            return ControlFlow::Continue(());
        }
        let mut row = HostReport::of_state(&key, &state, round);
        row.parked = parked.remove(&key).unwrap_or_default();
        if row.not_before > now || row.standing.only_probes() || shut.contains(&key) {
            match complete(store, &key, &mut row) {
                Ok(()) => {}
                Err(error) => {
                    unread = Err(error);
                    return ControlFlow::Break(());
                }
            }
        }
        lines.take(row);
        ControlFlow::Continue(())
    })?;
    unread?;
    lines.end(store, &names)
}

impl Lines {
    fn take(&mut self, row: HostReport) {
        let weight = (
            gravity(row.standing),
            is_stuck(&row, self.now),
            row.pages,
            row.requests,
            Reverse(row.host.clone()),
        );
        self.kept.push(Reverse(weight));
        self.rows.insert(row.host.clone(), row);
        if self.kept.len() > MOST
            && let Some(Reverse((.., Reverse(host)))) = self.kept.pop()
            && let Some(row) = self.rows.remove(&host)
        {
            self.unlist(&row);
        }
    }

    fn unlist(&mut self, row: &HostReport) {
        let unlisted = &mut self.unlisted;
        unlisted.hosts += 1;
        unlisted.doubted += u64::from(row.standing.only_probes());
        unlisted.parked += u64::from(row.is_parked(self.now));
        unlisted.shut += u64::from(row.shut.is_some() && row.waiting > 0);
    }

    fn end(mut self, store: &dyn Store, awake: &HashSet<String>) -> Result<Survey, StoreError> {
        let order = std::mem::take(&mut self.kept).into_sorted_vec();
        let mut hosts = Vec::new();
        for Reverse((.., Reverse(host))) in order {
            let Some(mut row) = self.rows.remove(&host) else { continue };
            if !awake.contains(&host) {
                complete(store, &HostKey::of(&host), &mut row)?;
            }
            hosts.push(row);
        }
        let listed: u64 = hosts.iter().map(|row| row.waiting).sum();
        self.unlisted.waiting = store.all_waiting().saturating_sub(listed);
        Ok(Survey { hosts, unlisted: self.unlisted })
    }
}

fn is_stuck(row: &HostReport, now: Timestamp) -> bool {
    row.is_parked(now) || !row.parked.is_empty() || row.shut.is_some() && row.waiting > 0
}

/// Adds what the store knows of a host's queues and of how it went to sleep.
fn complete(store: &dyn Store, key: &HostKey, row: &mut HostReport) -> Result<(), StoreError> {
    let nap = store.nap(key)?;
    let mut origins: Vec<Origin> = nap.iter().flat_map(Nap::origins).cloned().collect();
    let usual = ["http", "https"].map(|scheme| CanonicalUrl::parse(&format!("{scheme}://{key}/")));
    for origin in usual.into_iter().flatten().map(|url| url.origin()) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    row.waiting = origins.iter().map(|origin| store.waiting(origin)).sum();
    row.shut = nap.as_ref().and_then(Nap::shut);
    Ok(())
}
