//! A crawl that watches: when each page is asked again, and how much of a host's pace that may take.
//!
//! The rule is that of [`crate::revisit`]; here it is kept up for the pages of a crawl. A page's next visit is planned when it is
//! settled, in the batch of that visit. A page that waits in a queue is not planned: it is never in two places.

use std::collections::HashMap;

use crate::history::PageRecord;
use crate::request::{Dedup, Request};
use crate::revisit::{Demand, Price, Rate, Revisit, interval};
use crate::time::Timestamp;
use crate::url::HostKey;

/// Pages that are due come before those that are not known yet. That these are not kept out for ever is seen to by the share of
/// the pace that revisits may have.
const BAND: i8 = 1;
/// Visits of a host after which its price is worked out anew.
const PRICE_EVERY: u32 = 256;
const SECONDS_OF_A_DAY: f64 = 86_400.0;
/// Requests a second of a host whose pace is not known yet.
const UNKNOWN_PACE: f64 = 1.0;

/// Plans visits. Takes some 300 bytes a host.
pub(super) struct Schedule {
    rules: Revisit,
    hosts: HashMap<HostKey, Host>,
}

/// The pages of one host, together.
struct Host {
    demand: Demand,
    price: Price,
    /// Requests a second that the host bears.
    pace: f64,
    /// Visits until the price is worked out anew.
    price_in: u32,
}

impl Default for Host {
    fn default() -> Self {
        Self { demand: Demand::default(), price: Price::FREE, pace: UNKNOWN_PACE, price_in: 0 }
    }
}

impl Schedule {
    pub(super) fn new(rules: Revisit) -> Self {
        Self { rules, hosts: HashMap::new() }
    }

    /// Takes in a page; gives how often it changes.
    pub(super) fn remember(&mut self, record: &PageRecord) -> Rate {
        let rate = record.rate();
        self.host(&record.request).demand.add(rate);
        rate
    }

    /// What was known of a page counts no more.
    pub(super) fn forget(&mut self, record: &PageRecord) {
        self.host(&record.request).demand.remove(record.rate());
    }

    /// Says how fast a host may be asked, in requests a second.
    pub(super) fn note_pace(&mut self, request: &Request, pace: f64) {
        self.host(request).pace = pace;
    }

    /// When a page that changes at this rate is due again, if it was looked for at `from`.
    pub(super) fn due(&mut self, request: &Request, rate: Rate, from: Timestamp) -> Timestamp {
        let Revisit { bounds, share } = self.rules;
        let host = self.host(request);
        if host.price_in == 0 {
            host.price = host.demand.price(host.pace * share * SECONDS_OF_A_DAY, bounds);
            host.price_in = PRICE_EVERY.min(u32::try_from(host.demand.pages()).unwrap_or(u32::MAX)).max(1);
        }
        host.price_in -= 1;
        from + interval(rate, host.price, bounds)
    }

    fn host(&mut self, request: &Request) -> &mut Host {
        self.hosts.entry(request.host()).or_default()
    }
}

/// The request that visits a known page again.
pub(super) fn revisit(record: &PageRecord) -> Request {
    let mut request = record.request.clone();
    (request.dedup, request.priority, request.not_before) = (Dedup::Revisit, BAND, None);
    request
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::history::{Occasion, Sight, judge};
    use crate::revisit::Bounds;
    use crate::url::CanonicalUrl;

    fn record(number: u32) -> PageRecord {
        let url = CanonicalUrl::parse(&format!("http://a.example/{number}")).unwrap();
        let occasion = Occasion { request: &Request::get(url), at: Timestamp::from_secs(1_000), round: 1 };
        judge(None, Sight::Page { digest: 1, items: 1, rules: 1 }, occasion).record.unwrap()
    }

    fn intervals(pages: u32, pace: f64) -> Duration {
        let mut schedule = Schedule::new(Revisit::default());
        let records: Vec<_> = (0..pages).map(record).collect();
        let rates: Vec<_> = records.iter().map(|record| schedule.remember(record)).collect();
        schedule.note_pace(&records[0].request, pace);
        schedule.due(&records[0].request, rates[0], Timestamp::ZERO).since(Timestamp::ZERO)
    }

    #[test]
    fn all_pages_of_a_host_together_ask_for_no_more_than_their_share() {
        // Ten thousand pages at one request in ten seconds: half of 8,640 requests a day.
        let each = intervals(10_000, 0.1).as_secs_f64() / SECONDS_OF_A_DAY;
        assert!((10_000.0 / each) < 4_320.0 * 1.1, "every {each} days");
        assert!((10_000.0 / each) > 4_320.0 * 0.8, "every {each} days");
        assert_eq!(intervals(10, 1.0), Bounds::default().min);
    }

    #[test]
    fn a_revisit_is_a_request_of_the_same_page_in_a_band_of_its_own() {
        let record = record(1);
        let again = revisit(&record);
        assert_eq!(
            (again.fingerprint(), again.dedup, again.priority),
            (record.request.fingerprint(), Dedup::Revisit, BAND)
        );
    }
}
