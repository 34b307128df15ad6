//! What speaks for and against each pattern of a host.

use std::collections::HashMap;

use super::pattern::Pattern;
use super::{MOST_PATTERNS, NEW_PAYS_FOR, Why};
use crate::url::CanonicalUrl;

/// Pages that are told as examples.
const EXAMPLES: usize = 3;

/// Pages that bring nothing, for one pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// In halves of pages.
    score: u32,
    /// When it was last spoken against, in such pages of the host.
    turn: u64,
    pub(super) pages: u32,
    pub(super) examples: Vec<String>,
    pub(super) whys: HashMap<Why, u32>,
}

/// All patterns that something speaks against.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    of: HashMap<String, Tally>,
    turn: u64,
}

impl Tallies {
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// A page of these patterns brought something.
    pub(super) fn speak_for(&mut self, patterns: &[Pattern]) {
        for pattern in patterns {
            if let Some(tally) = self.of.get_mut(pattern.as_str()) {
                tally.score = tally.score.saturating_sub(2 * NEW_PAYS_FOR);
                if tally.score == 0 {
                    self.of.remove(pattern.as_str());
                }
            }
        }
    }

    /// A page of these patterns brought nothing. Gives the narrowest of them if it has enough against it by now.
    pub(super) fn speak_against(
        &mut self,
        patterns: &[Pattern],
        url: &CanonicalUrl,
        why: Why,
        alike: u32,
    ) -> Option<(String, Tally)> {
        self.turn += 1;
        let turn = self.turn;
        for pattern in patterns {
            self.make_room(pattern);
            let tally = self.of.entry(pattern.as_str().to_owned()).or_default();
            tally.score += why.weight();
            tally.turn = turn;
            tally.pages += 1;
            *tally.whys.entry(why).or_default() += 1;
            if tally.examples.len() < EXAMPLES {
                tally.examples.push(url.to_string());
            }
        }
        let is_over = |pattern: &&Pattern| self.of[pattern.as_str()].score >= 2 * alike * pattern.patience;
        let narrowest = patterns.iter().find(is_over)?;
        let tally = self.of.remove(narrowest.as_str())?;
        // What is explained by the narrow pattern speaks no longer against the wide ones.
        for wider in patterns {
            if let Some(other) = self.of.get_mut(wider.as_str()) {
                other.score = other.score.saturating_sub(tally.score);
                other.pages = other.pages.saturating_sub(tally.pages);
            }
        }
        Some((narrowest.as_str().to_owned(), tally))
    }

    /// Forgets the pattern that was spoken against least recently, if there are too many.
    fn make_room(&mut self, pattern: &Pattern) {
        if self.of.len() < MOST_PATTERNS || self.of.contains_key(pattern.as_str()) {
            return;
        }
        let oldest = self.of.iter().min_by_key(|(_, tally)| (tally.score / 8, tally.turn));
        if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
            self.of.remove(&oldest);
        }
    }
}
