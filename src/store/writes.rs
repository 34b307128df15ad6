//! What one step writes to the database: keys with their new values, and keys to remove.
//!
//! Both are kept as the database keeps them, so that a step of a thousand keys asks for memory once a key at most, and for none for
//! short ones. The memtable takes them in their order: neighbours are found near each other.

use fjall::Slice;

/// Keys to write or to remove in one step. Of what is said of a key, the last word counts.
#[derive(Default)]
pub(super) struct Writes {
    list: Vec<(Slice, Option<Slice>)>,
}

impl Writes {
    pub(super) fn set(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.list.push((key.as_ref().into(), Some(value.as_ref().into())));
    }

    pub(super) fn remove(&mut self, key: impl AsRef<[u8]>) {
        self.list.push((key.as_ref().into(), None));
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.list.reserve(more);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.list.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len())).sum()
    }

    /// Whether this step writes the key (`true`), removes it, or says nothing of it. Looks at all of them.
    pub(super) fn last_word(&self, key: &[u8]) -> Option<bool> {
        let last = self.list.iter().rev().find(|(known, _)| **known == *key);
        last.map(|(_, value)| value.is_some())
    }

    /// In the order of the keys, each once.
    pub(super) fn in_order(self) -> Vec<(Slice, Option<Slice>)> {
        let mut list = self.list;
        list.reverse();
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        list.dedup_by(|(one, _), (other, _)| one == other);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_order_and_the_last_word_counts() {
        let mut writes = Writes::default();
        writes.set(b"b", b"1");
        writes.remove(b"c");
        writes.set(b"a", b"2");
        writes.remove(b"b");
        writes.set(b"c", b"3");
        assert_eq!((writes.len(), writes.bytes()), (5, 8));
        let words = [b"a", b"b", b"c", b"d"].map(|key| writes.last_word(key));
        assert_eq!(words, [Some(true), Some(false), Some(true), None]);
        let list = writes.in_order();
        let shown: Vec<_> = list.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
        assert_eq!(shown, [(&b"a"[..], Some(&b"2"[..])), (b"b", None), (b"c", Some(b"3"))]);
    }
}
