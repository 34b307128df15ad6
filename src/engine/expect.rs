//! What a crawl is expected to bring, and whether it did: judged once, when a run has come to its end.
//!
//! A run that was interrupted or is parked is not judged: it goes on.

use serde::Serialize;

use super::report::End;
use super::totals::Totals;
use crate::stage::tally::ItemTally;

/// What a round must come to. Default: anything will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectations {
    /// Least number of items written.
    pub min_items: Option<u64>,
    /// Greatest number of items written.
    pub max_items: Option<u64>,
    /// Least number of pages fetched or found unchanged.
    pub min_pages: Option<u64>,
    /// Greatest share, 0 to 1, of pages that were lost or could not be read, of those and the pages that were had.
    pub max_error_rate: Option<f64>,
    /// Greatest share, 0 to 1, of items that stages have dropped.
    pub max_dropped_rate: Option<f64>,
    /// Fields, alone (`title`) or of one kind (`book.title`), and the least share, 0 to 1, of items in which each has a value.
    pub coverage: Vec<(String, f64)>,
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Missed {
    /// Its key below `[expect]`, as in `min-items` or `coverage.title`.
    pub key: String,
    /// What was wanted, as in `at least 95 %`.
    pub wanted: String,
    /// What it came to, as in `91.2 % (912 of 1000)`.
    pub found: String,
}

impl Expectations {
    /// What was not met.
    #[must_use]
    pub fn missed(&self, end: End, totals: &Totals, tally: &ItemTally) -> Vec<Missed> {
        if !matches!(end, End::Complete | End::Limit) {
            return Vec::new();
        }
        let lost = totals.failed + totals.parse_errors;
        let all_items = totals.items + totals.items_dropped;
        let missed = [
            at_least("min-items", self.min_items, totals.items),
            at_most("max-items", self.max_items, totals.items),
            at_least("min-pages", self.min_pages, totals.pages),
            no_more("max-error-rate", self.max_error_rate, lost, totals.pages + totals.failed),
            no_more("max-dropped-rate", self.max_dropped_rate, totals.items_dropped, all_items),
        ];
        let coverage = self.coverage.iter().filter_map(|(field, least)| {
            let (filled, items) = tally.filled(field);
            covers(field, *least, filled, items)
        });
        missed.into_iter().flatten().chain(coverage).collect()
    }
}

fn at_least(key: &str, wanted: Option<u64>, found: u64) -> Option<Missed> {
    let wanted = wanted.filter(|wanted| found < *wanted)?;
    Some(Missed { key: key.to_owned(), wanted: format!("at least {wanted}"), found: found.to_string() })
}

fn at_most(key: &str, wanted: Option<u64>, found: u64) -> Option<Missed> {
    let wanted = wanted.filter(|wanted| found > *wanted)?;
    Some(Missed { key: key.to_owned(), wanted: format!("at most {wanted}"), found: found.to_string() })
}

fn no_more(key: &str, wanted: Option<f64>, part: u64, all: u64) -> Option<Missed> {
    let wanted = wanted.filter(|wanted| share(part, all) > *wanted)?;
    let wanted = format!("at most {}", percent(wanted));
    Some(Missed { key: key.to_owned(), wanted, found: told(part, all) })
}

fn covers(field: &str, least: f64, filled: u64, items: u64) -> Option<Missed> {
    if items > 0 && share(filled, items) >= least {
        return None;
    }
    let found = if items == 0 { "no item has this field".to_owned() } else { told(filled, items) };
    Some(Missed { key: format!("coverage.{field}"), wanted: format!("at least {}", percent(least)), found })
}

/// Nothing of nothing is nothing.
fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

fn told(part: u64, all: u64) -> String {
    format!("{} ({part} of {all})", percent(share(part, all)))
}

/// To two places, so that what just fails does not look like what just does not.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::tally::{FieldTally, KindTally};
    use crate::time::Timestamp;

    fn tally(filled: u64, items: u64) -> ItemTally {
        let field = FieldTally { name: "title".to_owned(), filled, ..FieldTally::default() };
        let kind = Some("book".to_owned());
        let kinds = vec![KindTally { kind, items, fields: vec![field], ..KindTally::default() }];
        ItemTally { kinds, ..ItemTally::default() }
    }

    fn coverage(field: &str, least: f64) -> Expectations {
        Expectations { coverage: vec![(field.to_owned(), least)], ..Expectations::default() }
    }

    fn totals() -> Totals {
        Totals { pages: 90, failed: 10, items: 80, items_dropped: 20, ..Totals::default() }
    }

    fn told(expect: &Expectations) -> Vec<String> {
        let missed = expect.missed(End::Complete, &totals(), &tally(949, 1_000));
        missed.into_iter().map(|one| format!("{}: {}, {}", one.key, one.found, one.wanted)).collect()
    }

    #[test]
    fn what_is_missed_is_told_with_figure_and_wish() {
        let expect = Expectations {
            min_items: Some(81),
            max_items: Some(79),
            min_pages: Some(91),
            max_error_rate: Some(0.05),
            max_dropped_rate: Some(0.1),
            ..coverage("book.title", 0.95)
        };
        assert_eq!(
            told(&expect),
            [
                "min-items: 80, at least 81",
                "max-items: 80, at most 79",
                "min-pages: 90, at least 91",
                "max-error-rate: 10 % (10 of 100), at most 5 %",
                "max-dropped-rate: 20 % (20 of 100), at most 10 %",
                "coverage.book.title: 94.9 % (949 of 1000), at least 95 %",
            ]
        );
    }

    #[test]
    fn what_is_just_met_is_met() {
        let expect = Expectations {
            min_items: Some(80),
            max_items: Some(80),
            min_pages: Some(90),
            max_error_rate: Some(0.1),
            max_dropped_rate: Some(0.2),
            ..coverage("title", 0.949)
        };
        assert_eq!(told(&expect), Vec::<String>::new());
    }

    #[test]
    fn a_field_that_no_item_has_is_missed() {
        assert_eq!(told(&coverage("price", 0.0)), ["coverage.price: no item has this field, at least 0 %"]);
    }

    #[test]
    fn a_run_that_goes_on_is_not_judged() {
        let expect = Expectations { min_items: Some(81), ..Expectations::default() };
        let until = Timestamp::ZERO;
        for end in [End::Interrupted, End::Parked { until }] {
            assert_eq!(expect.missed(end, &totals(), &tally(1, 1)), []);
        }
        assert_eq!(expect.missed(End::Limit, &totals(), &tally(1, 1)).len(), 1);
    }
}
