//! What a run surely does not hold: a Bloom filter in blocks of one cache line.
//!
//! Blocks lie in the order of the fingerprints that they stand for. So a filter is written from sorted numbers one block after
//! the other, with one block in memory, and a filter that is too large can be folded on the way from the disk: two neighbours
//! become one, and it is the filter that would have been written with half the blocks.
//!
//! Places are not keyed: whoever chooses URLs that meet in a block makes his own look-ups slow.

use std::io::{self, Read, Write};

use xxhash_rust::xxh3::Xxh3;

pub(super) const BLOCK_BYTES: usize = 64;
const BLOCK_BITS: u64 = 8 * BLOCK_BYTES as u64;
/// Bits for each fingerprint, if there is room: 0.4 % of what is not there looks as if it were.
const BITS: u64 = 12;
/// How often a filter can be folded.
pub(super) const MOST_FOLDS: u32 = 4;
const POSITION_BITS: u32 = BLOCK_BITS.ilog2();
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Block([u64; BLOCK_BYTES / 8]);

/// How large a filter is, and how many bits of it a fingerprint sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) blocks: u64,
    pub(super) probes: u32,
}

impl Shape {
    /// For so many fingerprints, in so many bytes at most (but for the smallest of filters).
    pub(super) fn of(entries: u64, most_bytes: u64) -> Self {
        let entries = entries.max(1);
        let bits = (entries * BITS).min(most_bytes * 8);
        let folds = 1 << MOST_FOLDS;
        // Seven probes of twelve bits, and so on down to one.
        let probes = (7 * bits + BITS * entries / 2) / (BITS * entries);
        Self {
            blocks: (bits / BLOCK_BITS / folds).max(1) * folds,
            probes: u32::try_from(probes.clamp(1, 7)).expect("seven at most"),
        }
    }

    /// Bytes in memory and on disk, folded so often.
    pub(super) fn bytes(self, folds: u32) -> u64 {
        (self.blocks >> folds) * BLOCK_BYTES as u64
    }

    fn block(self, fingerprint: u64) -> u64 {
        ((u128::from(fingerprint) * u128::from(self.blocks)) >> u64::BITS) as u64
    }
}

/// The filter of a run, in memory.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Box<[Block]>,
    shape: Shape,
}

impl Filter {
    /// Reads a filter and folds it; `None` if its digest is another.
    pub(super) fn read(
        mut input: impl Read,
        shape: Shape,
        folds: u32,
        digest: u64,
    ) -> io::Result<Option<Self>> {
        let folded = Shape { blocks: shape.blocks >> folds, ..shape };
        let mut blocks = vec![Block::default(); usize::try_from(folded.blocks).unwrap_or(usize::MAX)];
        let (mut hasher, mut part) = (Xxh3::new(), vec![0; BLOCK_BYTES << 10 << folds]);
        for blocks in blocks.chunks_mut(1 << 10) {
            let part = &mut part[..(blocks.len() * BLOCK_BYTES) << folds];
            input.read_exact(part)?;
            hasher.update(part);
            for (block, bytes) in blocks.iter_mut().zip(part.chunks_exact(BLOCK_BYTES << folds)) {
                bytes.chunks_exact(BLOCK_BYTES).for_each(|bytes| block.fold_in(bytes));
            }
        }
        let blocks = blocks.into_boxed_slice();
        Ok((hasher.digest() == digest).then_some(Self { blocks, shape: folded }))
    }

    /// `false`: the run surely does not hold it.
    pub(super) fn may_contain(&self, fingerprint: u64) -> bool {
        let place = usize::try_from(self.shape.block(fingerprint)).expect("a filter is in memory");
        let block = &self.blocks[place].0;
        positions(fingerprint, self.shape.probes).all(|(word, bit)| block[word] & bit != 0)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.shape.bytes(0)
    }
}

impl Block {
    fn fold_in(&mut self, bytes: &[u8]) {
        for (word, bytes) in self.0.iter_mut().zip(bytes.chunks_exact(8)) {
            *word |= u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
    }
}

/// The bits of a block that a fingerprint sets: word and mask.
fn positions(fingerprint: u64, probes: u32) -> impl Iterator<Item = (usize, u64)> {
    let product = u128::from(fingerprint ^ (fingerprint >> 29)) * u128::from(MULTIPLIER);
    let mut mixed = (product >> 64) as u64 ^ product as u64;
    (0..probes).map(move |_| {
        let position = mixed % BLOCK_BITS;
        mixed >>= POSITION_BITS;
        ((position / 64) as usize, 1 << (position % 64))
    })
}

/// Writes a filter from fingerprints in their order.
pub(super) struct FilterWriter<W> {
    out: W,
    shape: Shape,
    block: Block,
    at: u64,
    hasher: Xxh3,
}

impl<W: Write> FilterWriter<W> {
    pub(super) fn new(out: W, shape: Shape) -> Self {
        Self { out, shape, block: Block::default(), at: 0, hasher: Xxh3::new() }
    }

    /// Takes the next fingerprint, which is not less than the one before.
    pub(super) fn add(&mut self, fingerprint: u64) -> io::Result<()> {
        self.advance(self.shape.block(fingerprint))?;
        for (word, bit) in positions(fingerprint, self.shape.probes) {
            self.block.0[word] |= bit;
        }
        Ok(())
    }

    /// Writes what is left and gives the digest of all.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.advance(self.shape.blocks)?;
        self.out.flush()?;
        Ok(self.hasher.digest())
    }

    fn advance(&mut self, to: u64) -> io::Result<()> {
        while self.at < to {
            let mut bytes = [0; BLOCK_BYTES];
            for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.block.0) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            self.hasher.update(&bytes);
            self.out.write_all(&bytes)?;
            self.block = Block::default();
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(seed: u64, count: usize) -> Vec<u64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut numbers: Vec<u64> = std::iter::repeat_with(|| rng.u64(..)).take(count).collect();
        numbers.sort_unstable();
        numbers
    }

    fn written(numbers: &[u64], shape: Shape) -> (Vec<u8>, u64) {
        let mut bytes = Vec::new();
        let mut writer = FilterWriter::new(&mut bytes, shape);
        numbers.iter().for_each(|number| writer.add(*number).unwrap());
        let digest = writer.finish().unwrap();
        assert_eq!(bytes.len() as u64, shape.bytes(0));
        (bytes, digest)
    }

    /// How much of what is not there looks as if it were.
    fn false_share(filter: &Filter) -> f64 {
        let absent = sorted(99, 100_000);
        absent.iter().filter(|number| filter.may_contain(**number)).count() as f64 / 100_000.0
    }

    #[test]
    fn it_never_denies_what_is_there_however_often_it_is_folded() {
        let numbers = sorted(1, 50_000);
        let shape = Shape::of(50_000, u64::MAX / 8);
        let (bytes, digest) = written(&numbers, shape);
        let shares: Vec<f64> = (0..=MOST_FOLDS)
            .map(|folds| {
                let filter = Filter::read(&bytes[..], shape, folds, digest).unwrap().unwrap();
                assert!(numbers.iter().all(|number| filter.may_contain(*number)));
                assert_eq!(filter.bytes(), shape.bytes(folds));
                false_share(&filter)
            })
            .collect();
        assert!(shares[0] < 0.006 && shares[1] < 0.12, "{shares:?}");
        assert!(shares.is_sorted());
    }

    #[test]
    fn with_less_room_it_is_smaller_and_sets_fewer_bits() {
        let numbers = sorted(1, 50_000);
        for (bytes, probes, share) in [(37_500, 4, 0.09), (12_500, 1, 0.45)] {
            let shape = Shape::of(50_000, bytes);
            assert!(shape.bytes(0) <= bytes && shape.probes == probes, "{shape:?}");
            let (bytes, digest) = written(&numbers, shape);
            let filter = Filter::read(&bytes[..], shape, 0, digest).unwrap().unwrap();
            assert!(false_share(&filter) < share, "{}", false_share(&filter));
        }
        assert_eq!(Shape::of(0, 0), Shape { blocks: 16, probes: 1 });
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_a_missing_byte_is_an_error() {
        let shape = Shape::of(1_000, u64::MAX / 8);
        let (mut bytes, digest) = written(&sorted(1, 1_000), shape);
        assert!(Filter::read(&bytes[1..], shape, 0, digest).is_err());
        bytes[100] ^= 4;
        assert!(Filter::read(&bytes[..], shape, 0, digest).unwrap().is_none());
    }
}
