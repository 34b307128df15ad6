//! Maps by fingerprint. A fingerprint is a hash already, but one that whoever makes the URLs can choose, so its place in a map
//! also depends on keys that are drawn for each map.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::Fingerprint;

/// What belongs to a URL.
pub(crate) type ByFingerprint<V> = HashMap<Fingerprint, V, Keys>;

/// The keys of one map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    mask: u64,
    multiplier: u64,
}

impl Default for Keys {
    fn default() -> Self {
        let random = RandomState::new();
        Self { mask: random.hash_one(0_u8), multiplier: random.hash_one(1_u8) | 1 }
    }
}

impl BuildHasher for Keys {
    type Hasher = Place;

    fn build_hasher(&self) -> Place {
        Place { keys: *self, place: 0 }
    }
}

/// The place of a fingerprint.
#[derive(Debug)]
pub(crate) struct Place {
    keys: Keys,
    place: u64,
}

impl Hasher for Place {
    fn finish(&self) -> u64 {
        self.place
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = u128::from(self.place ^ number ^ self.keys.mask) * u128::from(self.keys.multiplier);
        self.place = (mixed as u64) ^ ((mixed >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_under_a_fingerprint_is_found_again() {
        let mut map = ByFingerprint::default();
        for number in 0..1_000_u64 {
            map.insert(Fingerprint::of(&number.to_le_bytes()), number);
        }
        assert!((0..1_000_u64).all(|number| map[&Fingerprint::of(&number.to_le_bytes())] == number));
    }

    #[test]
    fn two_maps_have_different_places_for_the_same_fingerprint() {
        let fingerprint = Fingerprint::of(b"page");
        assert_ne!(Keys::default().hash_one(fingerprint), Keys::default().hash_one(fingerprint));
    }
}
