//! Which bodies lie in the archive already, as far as this run has put them there.
//!
//! Bounded: beyond [`MOST`] those that were noted first are forgotten, and what has a very long URL is not noted. A body that is not
//! known is archived once more, which costs room and nothing else.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use super::digest::Digest;
use super::record::RecordId;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// Captures that are remembered; about 300 bytes each.
const MOST: usize = 50_000;
/// Bytes of a URL that is remembered.
const LONGEST: usize = 1_000;

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
        if capture.target.len() > LONGEST {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::super::digest::DigestKind;
    use super::*;

    fn capture(target: String) -> Arc<Capture> {
        let payload = DigestKind::Sha1.of(&[target.as_bytes()]);
        Arc::new(Capture { id: RecordId::of(1), target, at: Timestamp::ZERO, payload })
    }

    #[test]
    fn what_was_noted_first_is_forgotten_first_and_very_long_urls_are_not_noted() {
        let mut known = Known::default();
        let first = capture("http://a.example/first".to_owned());
        known.note(&first.target, &first);
        assert!(known.payload(&first.payload).is_some() && known.target(&first.target).is_some());
        for number in 0..MOST {
            let other = capture(format!("http://a.example/{number}"));
            known.note(&other.target, &other);
        }
        assert!(known.payload(&first.payload).is_none() && known.target(&first.target).is_none());
        assert_eq!((known.by_payload.map.len(), known.by_target.order.len()), (MOST, MOST));
        let long = capture(format!("http://a.example/{}", "x".repeat(LONGEST)));
        known.note(&long.target, &long);
        assert!(known.payload(&long.payload).is_none());
    }
}
