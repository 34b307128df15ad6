//! What earlier rounds saw of a page, and what the sight of this one makes of it.
//!
//! A page is *gone* only if its server said so: 404 or 410 for a page that was there, and again when asked once more. A wait, a
//! block, an outage, robots.txt and a limit of our own say nothing about a page; whatever was known of it stays known.
//!
//! Pure: the store keeps the records, the engine brings the sights. Sitemaps have no history.

use serde::{Deserialize, Serialize};

use crate::request::{Dedup, Request};
use crate::revisit::{Observations, Prior, Rate, Seen};
use crate::time::Timestamp;

/// What is known of a page. One record for each page that was ever answered with a body, kept with the state, over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageRecord {
    /// The request that it was last asked with.
    pub request: Request,
    /// When it was first answered.
    pub first_seen: Timestamp,
    /// When a change of its body was last noticed; `first_seen` if there was none.
    pub last_changed: Timestamp,
    /// When it was last answered.
    pub checked: Timestamp,
    /// The round in which it was last answered.
    pub round: u32,
    /// Digest of the body; of where it leads, if it was moved.
    pub digest: u64,
    /// What it gave.
    pub items: ItemsRecord,
    /// How often it was found to be changed.
    pub observations: Observations,
    /// When it is asked again, by a crawl that watches.
    pub due: Due,
}

/// When a page is asked again without a link that leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Due {
    /// Nobody has planned it.
    #[default]
    Unplanned,
    /// From this moment on.
    At(Timestamp),
    /// It waits in its queue, in this round. A later round has other queues.
    Queued {
        /// The round.
        round: u32,
    },
}

impl Due {
    /// The moment, if there is one.
    #[must_use]
    pub const fn moment(self) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Unplanned | Self::Queued { .. } => None,
        }
    }
}

impl PageRecord {
    /// Changes that are to be expected: by what was seen, and before much was seen by what the site's own sitemap says.
    #[must_use]
    pub fn rate(&self) -> Rate {
        let prior = self.request.every.map_or_else(Prior::default, |every| Prior::around(Rate::every(every)));
        self.observations.rate(&prior)
    }
}

/// What is known of the items of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsRecord {
    /// Digest of all of them, in their order.
    pub digest: u64,
    /// Digest of the rules that read the page. Other rules give other items, which is no change of the page.
    pub rules: u64,
    /// When they were last found to be others.
    pub last_changed: Timestamp,
    /// The round in which they were.
    pub changed_in: u32,
}

/// What one round saw of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The page itself, in full or confirmed by a 304.
    Page {
        /// Digest of its body.
        digest: u64,
        /// Digest of its items.
        items: u64,
        /// Digest of the rules that they were read by.
        rules: u64,
    },
    /// Nothing: what is kept of the page is fresh enough, and it was not asked.
    Kept {
        /// Digest of the body that is kept.
        digest: u64,
        /// Digest of its items.
        items: u64,
        /// Digest of the rules that they were read by.
        rules: u64,
    },
    /// A redirect.
    Moved {
        /// Digest of where it leads.
        digest: u64,
    },
    /// 404 or 410. For a page that was there, twice in a row.
    Missing,
    /// Nothing that says whether the page is there: an error, no answer, no permission.
    Unclear,
    /// It was not asked: robots.txt forbids it.
    Barred,
}

/// How a page stands to what was known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Never seen before.
    New,
    /// Its body is another, or it has moved.
    Changed,
    /// Its body is the same.
    Unchanged,
    /// It was there, and its server says that it is no more.
    Gone,
    /// Nobody knows: it could not be had.
    Failed,
}

impl Shift {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

/// When and by whom a page was seen.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What was asked.
    pub request: &'a Request,
    /// When it was answered.
    pub at: Timestamp,
    /// In which round.
    pub round: u32,
}

/// What a sight comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How the page stands; `None` for a page that never was there and is not.
    pub shift: Option<Shift>,
    /// Whether its items are others than they were; also for a new page.
    pub new_items: bool,
    /// What is known from now on; `None` if there is nothing to know.
    pub record: Option<PageRecord>,
}

/// Judges what was seen by what was known.
#[must_use]
pub fn judge(known: Option<PageRecord>, sight: Sight, occasion: Occasion<'_>) -> Judgement {
    match (known, sight) {
        (Some(known), Sight::Page { digest, items, rules }) => {
            let (items, new_items) = known.items.after(items, rules, occasion);
            let judged = seen_again(known, digest, occasion);
            let record = judged.record.map(|record| PageRecord { items, ..record });
            Judgement { new_items, record, ..judged }
        }
        (None, Sight::Page { digest, items, rules } | Sight::Kept { digest, items, rules }) => {
            first_seen(digest, items, rules, occasion)
        }
        // It counts as met in this round, and nothing was learned about it.
        (Some(known), Sight::Kept { .. }) => {
            let record = PageRecord { round: occasion.round, ..known };
            Judgement { shift: Some(Shift::Unchanged), new_items: false, record: Some(record) }
        }
        (Some(known), Sight::Moved { digest }) => seen_again(known, digest, occasion),
        (Some(_), Sight::Missing) => Judgement { shift: Some(Shift::Gone), new_items: false, record: None },
        (known, Sight::Unclear) | (known @ Some(_), Sight::Barred) => {
            Judgement { shift: Some(Shift::Failed), new_items: false, record: known }
        }
        // What never was a page is no news about one: a dead link, a redirect, a place that we may not look at.
        (None, Sight::Missing | Sight::Moved { .. } | Sight::Barred) => {
            Judgement { shift: None, new_items: false, record: None }
        }
    }
}

fn first_seen(digest: u64, items: u64, rules: u64, occasion: Occasion<'_>) -> Judgement {
    let Occasion { request, at, round } = occasion;
    let items = ItemsRecord { digest: items, rules, last_changed: at, changed_in: round };
    let record = PageRecord {
        request: request.clone(),
        first_seen: at,
        last_changed: at,
        checked: at,
        round,
        digest,
        items,
        observations: Observations::default(),
        due: Due::Unplanned,
    };
    Judgement { shift: Some(Shift::New), new_items: true, record: Some(record) }
}

fn seen_again(mut known: PageRecord, digest: u64, occasion: Occasion<'_>) -> Judgement {
    let same = known.digest == digest;
    let seen = if same { Seen::Same } else { Seen::Changed };
    known.observations.note(occasion.at.since(known.checked), seen);
    if occasion.request.dedup != Dedup::Revisit {
        known.request = occasion.request.clone();
    }
    let record = PageRecord {
        last_changed: if same { known.last_changed } else { occasion.at },
        checked: occasion.at,
        round: occasion.round,
        digest,
        due: Due::Unplanned,
        ..known
    };
    let shift = if same { Shift::Unchanged } else { Shift::Changed };
    Judgement { shift: Some(shift), new_items: false, record: Some(record) }
}

impl ItemsRecord {
    /// What is known after these items, and whether they are news. What other rules read is not.
    fn after(self, digest: u64, rules: u64, occasion: Occasion<'_>) -> (Self, bool) {
        if self.rules != rules {
            return (Self { digest, rules, ..self }, self.digest != digest);
        }
        if self.digest == digest {
            return (self, false);
        }
        (Self { digest, rules, last_changed: occasion.at, changed_in: occasion.round }, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn request() -> Request {
        Request::get(CanonicalUrl::parse("http://a.example/").unwrap())
    }

    fn see(known: Option<PageRecord>, sight: Sight, round: u32) -> Judgement {
        let at = Timestamp::from_secs(u64::from(round) * 100);
        judge(known, sight, Occasion { request: &request(), at, round })
    }

    fn page(digest: u64, items: u64) -> Sight {
        Sight::Page { digest, items, rules: 1 }
    }

    fn known() -> Option<PageRecord> {
        see(None, page(7, 70), 1).record
    }

    #[test]
    fn a_page_is_new_once_and_then_changed_or_unchanged_by_its_body() {
        assert_eq!(see(None, page(7, 70), 1).shift, Some(Shift::New));
        assert_eq!(see(known(), page(7, 70), 2).shift, Some(Shift::Unchanged));
        let changed = see(known(), page(8, 70), 2);
        assert_eq!((changed.shift, changed.new_items), (Some(Shift::Changed), false));
        let record = changed.record.unwrap();
        assert_eq!(
            (record.first_seen, record.last_changed),
            (Timestamp::from_secs(100), Timestamp::from_secs(200))
        );
        assert_eq!((record.items.changed_in, record.round), (1, 2));
    }

    #[test]
    fn a_page_that_was_there_is_gone_when_its_server_says_so_and_a_dead_link_is_nothing() {
        let gone = see(known(), Sight::Missing, 2);
        assert_eq!((gone.shift, gone.record), (Some(Shift::Gone), None));
        assert_eq!(see(None, Sight::Missing, 1).shift, None);
    }

    #[test]
    fn what_cannot_be_had_stays_known() {
        let failed = see(known(), Sight::Unclear, 2);
        assert_eq!((failed.shift, failed.record), (Some(Shift::Failed), known()));
        assert_eq!(see(None, Sight::Unclear, 1).record, None);
    }

    #[test]
    fn a_page_that_moves_has_changed_and_stays_so() {
        let moved = see(known(), Sight::Moved { digest: 9 }, 2);
        assert_eq!(moved.shift, Some(Shift::Changed));
        assert_eq!(see(moved.record, Sight::Moved { digest: 9 }, 3).shift, Some(Shift::Unchanged));
        assert_eq!(see(None, Sight::Moved { digest: 9 }, 1).record, None);
    }

    #[test]
    fn a_page_that_was_not_asked_is_unchanged_and_no_observation() {
        let kept = see(known(), Sight::Kept { digest: 7, items: 70, rules: 1 }, 2);
        assert_eq!(kept.shift, Some(Shift::Unchanged));
        let (before, after) = (known().unwrap(), kept.record.unwrap());
        assert_eq!(
            (after.round, after.checked, after.observations),
            (2, before.checked, before.observations)
        );
    }

    #[test]
    fn other_rules_give_other_items_and_no_change() {
        let judged = see(known(), Sight::Page { digest: 7, items: 71, rules: 2 }, 2);
        assert_eq!((judged.shift, judged.new_items), (Some(Shift::Unchanged), true));
        let items = judged.record.unwrap().items;
        assert_eq!((items.changed_in, items.digest), (1, 71));
        let judged = see(known(), page(7, 71), 2);
        assert_eq!(judged.record.unwrap().items.changed_in, 2);
    }
}
