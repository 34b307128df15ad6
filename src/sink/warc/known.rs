//! Which bodies lie in the archive already, as far as this run has put them there.
//!
//! Bounded: beyond [`MOST`] those that were noted first are forgotten. A body that is forgotten is archived once more, which costs room
//! and nothing else.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use super::digest::Digest;
use super::record::RecordId;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// Captures that are remembered; about 200 bytes each.
const MOST: usize = 100_000;

/// A record that holds a body.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    pub(super) id: RecordId,
    pub(super) target: String,
    pub(super) at: Timestamp,
    pub(super) payload: Digest,
}

/// What is remembered.
#[derive(Default)]
pub(super) struct Known {
    by_payload: Recent<Digest>,
    by_target: Recent<Fingerprint>,
}

impl Known {
    /// The record that holds this body.
    pub(super) fn payload(&self, payload: &Digest) -> Option<Arc<Capture>> {
        self.by_payload.map.get(payload).cloned()
    }

    /// The record that holds what the URL had at last.
    pub(super) fn target(&self, target: &str) -> Option<Arc<Capture>> {
        self.by_target.map.get(&Fingerprint::of(target.as_bytes())).cloned()
    }

    /// The body of `capture` is what `target` has now.
    pub(super) fn note(&mut self, target: &str, capture: &Arc<Capture>) {
        self.by_payload.put(capture.payload, capture);
        self.by_target.put(Fingerprint::of(target.as_bytes()), capture);
    }
}

struct Recent<K> {
    map: HashMap<K, Arc<Capture>>,
    order: VecDeque<K>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { map: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash> Recent<K> {
    fn put(&mut self, key: K, capture: &Arc<Capture>) {
        if self.map.insert(key, Arc::clone(capture)).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }
}
