//! What earlier runs have left of hosts, back into the frontier.
//!
//! A crawl of a few hosts has all of them awake from the beginning. Of many it only takes up who has something to ask, asleep;
//! what else is known of them stays in the store until they are due.

use std::ops::ControlFlow;

use super::standing::standing_of;
use crate::frontier::Frontier;
use crate::politeness::{HostState, Standing};
use crate::robots::RobotsRecord;
use crate::store::{Holdings, Store, StoreError, listed};
use crate::time::Timestamp;
use crate::url::{HostKey, Origin};

/// Hosts that are not well, or were refused.
type Troubled = Vec<(HostKey, HostState)>;
/// Whoever wants to know of the robots.txt records that come back.
type Keep<'a> = &'a mut dyn FnMut(&Origin, &RobotsRecord);

/// Brings a new frontier to where the last run was. `with_queues` unless somebody holds them back.
pub(crate) fn hosts(
    store: &dyn Store,
    frontier: &mut Frontier,
    keep: Keep<'_>,
    with_queues: WithQueues,
    now: Timestamp,
) -> Result<Troubled, StoreError> {
    let Some(few) = few(store, frontier.awake(), with_queues)? else {
        return many(store, frontier, keep, with_queues, now);
    };
    let troubled = few.hosts.iter().filter(|(_, state)| is_troubled(state)).cloned().collect();
    for (key, state) in few.hosts {
        frontier.restore_host(now, &key, state);
    }
    for (origin, record) in few.robots {
        keep(&origin, &record);
        frontier.restore_robots(origin, record);
    }
    for (origin, count) in &few.queues {
        frontier.restore_queue(now, origin, *count);
    }
    Ok(troubled)
}

/// Whether the queues are taken up with their hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithQueues {
    Yes,
    /// Somebody holds them back.
    No,
}

/// All queues that wait, in order.
pub(super) fn queues(store: &dyn Store) -> Result<Vec<(Origin, u64)>, StoreError> {
    let mut all = listed(|visit| store.each_queue(visit))?;
    all.sort_unstable();
    Ok(all)
}

/// Everything, if there are no more hosts and no more queues than `most`.
fn few(store: &dyn Store, most: usize, with_queues: WithQueues) -> Result<Option<Holdings>, StoreError> {
    let mut all = Holdings::default();
    let mut fits = true;
    store.each_host(&mut |key, state| up_to(most, &mut all.hosts, (key, state), &mut fits))?;
    if fits && with_queues == WithQueues::Yes {
        store.each_queue(&mut |origin, count| up_to(most, &mut all.queues, (origin, count), &mut fits))?;
    }
    if !fits {
        return Ok(None);
    }
    all.queues.sort_unstable();
    all.robots = listed(|visit| store.each_robots(visit))?;
    Ok(Some(all))
}

fn up_to<T>(most: usize, list: &mut Vec<T>, thing: T, fits: &mut bool) -> ControlFlow<()> {
    *fits = list.len() < most;
    if !*fits {
        return ControlFlow::Break(());
    }
    list.push(thing);
    ControlFlow::Continue(())
}

fn many(
    store: &dyn Store,
    frontier: &mut Frontier,
    keep: Keep<'_>,
    with_queues: WithQueues,
    now: Timestamp,
) -> Result<Troubled, StoreError> {
    let mut troubled = Troubled::new();
    store.each_host(&mut |key, state| {
        frontier.restore_wait(now, &key, &state);
        if is_troubled(&state) {
            troubled.push((key, state));
        }
        ControlFlow::Continue(())
    })?;
    if with_queues == WithQueues::No {
        return Ok(troubled);
    }
    let mut unread = Ok(());
    store.each_queue(&mut |origin, count| {
        if frontier.is_awake(&origin.host_key()) {
            match store.robots(&origin) {
                Ok(record) => record.into_iter().for_each(|record| {
                    keep(&origin, &record);
                    frontier.restore_robots(origin.clone(), record);
                }),
                Err(error) => {
                    unread = Err(error);
                    return ControlFlow::Break(());
                }
            }
        }
        frontier.restore_asleep(now, &origin, count);
        ControlFlow::Continue(())
    })?;
    unread?;
    store.each_host(&mut |key, state| {
        frontier.restore_due(&key, &state);
        ControlFlow::Continue(())
    })?;
    Ok(troubled)
}

fn is_troubled(state: &HostState) -> bool {
    standing_of(state) != Standing::Ok || state.throttled > 0
}
