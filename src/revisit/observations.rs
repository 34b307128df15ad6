//! What the visits of one page have told, in 33 bytes.
//!
//! The last sixteen are kept one by one, with their intervals to 3 %. Older ones are folded into sums and lose a sixteenth of
//! their weight with each visit that follows, so that a page whose ways have changed is known anew after some dozen visits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::estimate::{Evidence, Prior, estimate};
use super::{DAY, MINUTE, Rate, days};

const KEPT: usize = 16;
/// What is left of the weight of folded visits with each that is folded after them.
const FADING: f32 = 15.0 / 16.0;
/// Step of the stored intervals in natural logarithms: from a minute to 17 years.
const STEP: f64 = 0.063;

/// What a visit found, compared to the visit before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The same page.
    Same,
    /// Another page, be it by one change or by many.
    Changed,
}

/// What the visits of one page have told about how often it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    /// Logarithms of the last intervals, a ring.
    intervals: [u8; KEPT],
    /// Which of them ended with a change, by bits.
    changed: u16,
    /// Where the next one goes.
    next: u8,
    /// How many there are.
    count: u8,
    /// Days of the folded intervals without a change.
    quiet: f32,
    /// Weight of the folded intervals with a change.
    changes: f32,
    /// Mean logarithm of these intervals' days.
    ln_days: f32,
}

impl Observations {
    /// Takes in a visit, `since_last` after the one before. The first visit of a page tells nothing and is not noted.
    ///
    /// Intervals are stored to 3 %, from a minute to 17 years.
    pub fn note(&mut self, since_last: Duration, seen: Seen) {
        let place = usize::from(self.next) % KEPT;
        if usize::from(self.count) >= KEPT {
            self.fold(place);
        }
        self.intervals[place] = packed(since_last);
        let bit = 1 << place;
        match seen {
            Seen::Same => self.changed &= !bit,
            Seen::Changed => self.changed |= bit,
        }
        self.next = ((place + 1) % KEPT) as u8;
        self.count = self.count.saturating_add(1).min(KEPT as u8);
    }

    /// Takes in a visit that found a change, where the server says (`Last-Modified`, RFC 9110 8.8.2) that the last one was
    /// `quiet` ago.
    ///
    /// That is two findings: a change before that moment, and none after it. A date from before the last visit contradicts the
    /// change and is ignored. A server that always says "just now" does no harm.
    pub fn note_last_modified(&mut self, since_last: Duration, quiet: Duration) {
        match since_last.checked_sub(quiet) {
            Some(before) if quiet >= MINUTE => {
                self.note(before, Seen::Changed);
                self.note(quiet, Seen::Same);
            }
            _ => self.note(since_last, Seen::Changed),
        }
    }

    /// The rate that explains best what was seen, and what was known before.
    #[must_use]
    pub fn rate(&self, prior: &Prior) -> Rate {
        estimate(&self.evidence(), prior)
    }

    /// Visits that are remembered one by one; at most 16.
    #[must_use]
    pub const fn visits(&self) -> usize {
        self.count as usize
    }

    fn fold(&mut self, place: usize) {
        self.quiet *= FADING;
        self.changes *= FADING;
        let interval = unpacked(self.intervals[place]);
        if self.changed & (1 << place) == 0 {
            self.quiet += interval as f32;
        } else {
            self.changes += 1.0;
            self.ln_days += (interval.ln() as f32 - self.ln_days) / self.changes;
        }
    }

    fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::default();
        for place in 0..usize::from(self.count).min(KEPT) {
            let interval = unpacked(self.intervals[place]);
            if self.changed & (1 << place) == 0 {
                evidence.add_quiet(interval);
            } else {
                evidence.add_changes(interval, 1.0);
            }
        }
        evidence.add_quiet(f64::from(self.quiet));
        evidence.add_changes(f64::from(self.ln_days).exp(), f64::from(self.changes));
        evidence
    }
}

fn packed(interval: Duration) -> u8 {
    // The cast takes what is longer to the end of the scale.
    ((days(interval.max(MINUTE)) / days(MINUTE)).ln() / STEP).round() as u8
}

/// In days.
fn unpacked(packed: u8) -> f64 {
    (f64::from(packed) * STEP).exp() * MINUTE.as_secs_f64() / DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn intervals_are_stored_to_three_percent() {
        for minutes in [1.0, 1.5, 7.0, 60.0, 1_440.0, 43_200.0, 5_000_000.0] {
            let stored = unpacked(packed(Duration::from_secs_f64(minutes * 60.0))) * 1_440.0;
            assert!((stored / minutes - 1.0).abs() < 0.033, "{minutes} became {stored}");
        }
        assert_eq!(packed(Duration::ZERO), 0);
        assert_eq!(packed(Duration::MAX), u8::MAX);
    }

    #[test]
    fn what_is_known_of_a_page_takes_forty_bytes_at_most() {
        let mut page = Observations::default();
        for hours in 0..100 {
            page.note(HOUR * 20 * hours, if hours % 3 == 0 { Seen::Same } else { Seen::Changed });
            let stored = postcard::to_stdvec(&page).unwrap();
            assert!(stored.len() <= 40, "{}", stored.len());
            assert_eq!(postcard::from_bytes::<Observations>(&stored).unwrap(), page);
        }
    }

    #[test]
    fn a_page_that_has_changed_its_ways_is_known_anew() {
        let prior = Prior::default();
        let mut page = Observations::default();
        for _ in 0..500 {
            page.note(HOUR, Seen::Same);
        }
        let before = page.rate(&prior).changes_per_day();
        assert!(before < 0.1, "{before}");
        for _ in 0..48 {
            page.note(HOUR, Seen::Changed);
        }
        let after = page.rate(&prior).changes_per_day();
        assert!(after > 10.0, "{after}");
    }

    #[test]
    fn a_date_of_the_last_change_sharpens_the_estimate() {
        let prior = Prior::default();
        let (mut plain, mut dated, mut wrong) =
            (Observations::default(), Observations::default(), Observations::default());
        for _ in 0..8 {
            plain.note(HOUR * 240, Seen::Changed);
            dated.note_last_modified(HOUR * 240, HOUR * 120);
            wrong.note_last_modified(HOUR * 240, HOUR * 960);
        }
        assert!(dated.rate(&prior) < plain.rate(&prior));
        assert_eq!(wrong.rate(&prior), plain.rate(&prior));
    }

    #[test]
    fn stored_nonsense_is_a_page_like_any_other() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let stored: Vec<u8> = (0..40).map(|_| rng.u8(..)).collect();
            let Ok(mut page) = postcard::from_bytes::<Observations>(&stored) else {
                continue;
            };
            page.note(HOUR, Seen::Same);
            assert!(page.rate(&Prior::default()).changes_per_day() > 0.0);
        }
    }
}
