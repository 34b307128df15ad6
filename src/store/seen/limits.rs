//! How the memory of the seen-set is shared out.
//!
//! Of everything, an eighth and 32 MiB at most is for what the disk confirmed lately, and a quarter is always for tables.
//! What is left is for tables too, until filters of runs want it.

use super::filter::{MOST_FOLDS, Shape};

const MOST_RECENT: u64 = 32 << 20;
/// Memory of a table for each of its entries, on the average, in bytes.
const ENTRY_BYTES: u64 = 12;

/// The memory that a seen-set may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    total: u64,
}

impl Limits {
    pub(super) fn of(total: u64) -> Self {
        Self { total }
    }

    pub(super) fn total(self) -> u64 {
        self.total
    }

    /// Bytes for what was confirmed lately.
    pub(super) fn recent(self) -> u64 {
        (self.total / 8).min(MOST_RECENT)
    }

    /// Bytes for filters beside the first entries of pages, which have to be in memory.
    pub(super) fn filters(self, firsts: u64) -> u64 {
        (self.total - self.total / 4).saturating_sub(self.recent() + firsts)
    }

    /// Bytes of a table that is due to be frozen, when runs take so much.
    pub(super) fn hot(self, runs: u64) -> u64 {
        self.tables(runs) * 3 / 8
    }

    /// Bytes of a table that takes no more while another is frozen.
    pub(super) fn brim(self, runs: u64) -> u64 {
        self.tables(runs) / 2
    }

    /// Entries of a stretch of the log that is kept in a table when it is read.
    pub(super) fn hot_entries(self, runs: u64) -> u64 {
        self.hot(runs) / ENTRY_BYTES
    }

    /// Entries that are sorted at once when the log is read: they are bare numbers then.
    pub(super) fn piece(self, runs: u64) -> usize {
        usize::try_from(self.hot(runs) / 8).unwrap_or(usize::MAX)
    }

    fn tables(self, runs: u64) -> u64 {
        self.total.saturating_sub(self.recent() + runs).max(self.total / 4)
    }
}

/// How often a filter has to be folded to take `most` bytes; `None` if it cannot be so small.
pub(super) fn folds(shape: Shape, most: u64) -> Option<u32> {
    (0..=MOST_FOLDS).find(|folds| shape.bytes(*folds) <= most)
}

/// Which of the runs, given by their entries in the order of the log, should become one.
///
/// Those at an end of a stretch of runs, back to the first that is more than twice as large as all behind it. So each run that is
/// left is more than twice as large as all that follow it.
pub(super) fn to_merge(entries: &[u64]) -> Option<std::ops::Range<usize>> {
    const MOST: usize = 16;
    (2..=entries.len()).rev().find_map(|end| {
        let (mut start, mut sum) = (end - 1, entries[end - 1]);
        while start > 0 && end - start < MOST && entries[start - 1] <= 2 * sum {
            start -= 1;
            sum += entries[start];
        }
        (end - start > 1).then_some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_million_stay_in_memory_by_default() {
        let limits = Limits::of(crate::store::disk::DiskOptions::default().seen_bytes);
        assert!(limits.hot(0) > 6_000_000 * 13);
        assert!(limits.hot_entries(0) > 6_000_000);
    }

    #[test]
    fn all_parts_together_are_within_the_limit() {
        for total in [0, 1_000, 64 << 10, 128 << 20] {
            let limits = Limits::of(total);
            for runs in [0, total / 8, limits.filters(0)] {
                let sum = limits.recent() + runs + limits.hot(runs) + limits.brim(runs);
                assert!(sum <= total, "{total}: {sum}");
            }
        }
    }

    #[test]
    fn runs_are_merged_until_each_is_twice_as_large_as_all_behind_it() {
        assert_eq!(to_merge(&[]), None);
        assert_eq!(to_merge(&[7]), None);
        assert_eq!(to_merge(&[21, 7]), None);
        assert_eq!(to_merge(&[14, 7]), Some(0..2));
        assert_eq!(to_merge(&[100, 21, 7, 7]), Some(1..4));
        assert_eq!(to_merge(&[100, 5, 5, 1]), Some(1..3));
        assert_eq!(to_merge(&[1; 40]), Some(24..40));
        let (mut runs, mut most) = (Vec::new(), 0);
        for _ in 0..1_000 {
            runs.push(1);
            while let Some(range) = to_merge(&runs) {
                let sum = runs[range.clone()].iter().sum();
                runs.splice(range, [sum]);
            }
            most = most.max(runs.len());
        }
        assert!(most <= 7, "{most}");
    }

    #[test]
    fn a_filter_is_folded_as_often_as_it_must_be() {
        let shape = Shape { blocks: 64, probes: 7 };
        let bytes = shape.bytes(0);
        assert_eq!(folds(shape, bytes), Some(0));
        assert_eq!(folds(shape, bytes - 1), Some(1));
        assert_eq!(folds(shape, bytes / 16), Some(4));
        assert_eq!(folds(shape, bytes / 16 - 1), None);
    }
}
