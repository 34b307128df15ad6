//! What the items of a round hold, and what became of those that were not written, for people.

use super::render::{counted, safe};
use crate::engine::Missed;
use crate::stage::tally::{FieldTally, ItemTally, KindTally, Remark};

/// Rows of fields and of reasons that are shown; JSON has all.
const MOST_FIELDS: usize = 40;
const MOST_REMARKS: usize = 10;
/// Longest name that keeps the columns.
const NAME_WIDTH: usize = 24;

/// Reasons for which items were dropped or mended, the most frequent first, each with a page.
pub(super) fn remarks(tally: &ItemTally) -> Vec<String> {
    let mut remarks: Vec<_> = tally.remarks.iter().collect();
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.count));
    let mut lines: Vec<_> = remarks.iter().take(MOST_REMARKS).map(|remark| told(remark)).collect();
    let more = remarks.len().saturating_sub(MOST_REMARKS);
    if more > 0 {
        lines.push(format!("and {}", counted(more as u64, "more reason")));
    }
    lines
}

/// `12 dropped: price is no decimal (book), as on https://…`.
fn told(remark: &Remark) -> String {
    let kind = remark.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let Remark { done, reason, count, example, .. } = remark;
    safe(&format!("{count} {}: {reason}{kind}, as on {example}", done.as_str())).into_owned()
}

/// The table of fields: for each kind how many items, and how many of them have each field.
pub(super) fn coverage(tally: &ItemTally) -> Vec<String> {
    let mut lines = Vec::new();
    let mut room = MOST_FIELDS;
    for kind in tally.kinds.iter().filter(|kind| !kind.fields.is_empty()) {
        lines.push(headline(kind));
        let width = kind.fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
        let shown = kind.fields.iter().take(room);
        lines.extend(shown.map(|field| row(field, kind.items, width.min(NAME_WIDTH))));
        room = room.saturating_sub(kind.fields.len());
    }
    let fields: usize = tally.kinds.iter().map(|kind| kind.fields.len()).sum();
    if fields > MOST_FIELDS {
        lines.push(format!("and {}", counted((fields - MOST_FIELDS) as u64, "more field")));
    }
    lines
}

fn headline(kind: &KindTally) -> String {
    let items = counted(kind.items, "item");
    match &kind.kind {
        Some(kind) => safe(&format!("{kind}: {items}")).into_owned(),
        None => items,
    }
}

/// `  price   98.2 %  decimal, text  empty on https://…`.
fn row(field: &FieldTally, items: u64, width: usize) -> String {
    let types: Vec<_> = field.types.iter().map(|seen| seen.as_str()).collect();
    let empty = field.empty_on.as_ref().map(|page| format!("  empty on {page}")).unwrap_or_default();
    let (name, share) = (&field.name, share(field.filled, items));
    let text = format!("  {name:<width$} {share:>7}  {}{empty}", types.join(", "));
    safe(text.trim_end()).into_owned()
}

/// To one place; what is not all is never 100 %, and what is not nothing is never 0 %.
fn share(part: u64, all: u64) -> String {
    let share = if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 };
    let bounded = match part {
        0 => 0.0,
        part if part >= all => 100.0,
        _ => share.clamp(0.1, 99.9),
    };
    format!("{bounded:.1} %")
}

/// `coverage.title is 91.2 % (912 of 1000), wanted at least 95 %`.
pub(super) fn missed(missed: &Missed) -> String {
    let Missed { key, found, wanted } = missed;
    safe(&format!("{key} is {found}, wanted {wanted}")).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::item::Item;
    use crate::stage::tally::Done;
    use crate::url::CanonicalUrl;

    fn url(path: &str) -> CanonicalUrl {
        CanonicalUrl::parse(&format!("https://a.example{path}")).unwrap()
    }

    fn tally() -> ItemTally {
        let mut tally = ItemTally::default();
        for number in 0..2_000 {
            let price = if number == 7 { json!(null) } else { json!(number) };
            let fields = json!({"title": "x", "price": price, "note": ""});
            let fields = fields.as_object().unwrap().clone();
            let (url, kind) = (url(&format!("/{number}")), Some("book".to_owned()));
            tally.count(&Item { url, kind, fields, seen: None });
        }
        tally
    }

    #[test]
    fn each_field_has_its_share_its_types_and_a_page_where_it_is_empty() {
        assert_eq!(
            coverage(&tally()),
            [
                "book: 2000 items",
                "  title 100.0 %  text",
                "  price  99.9 %  integer  empty on https://a.example/7",
                "  note    0.0 %  text  empty on https://a.example/0",
            ]
        );
        assert_eq!(coverage(&ItemTally::default()), [] as [&str; 0]);
    }

    #[test]
    fn reasons_stand_with_their_counts_and_a_page() {
        let mut tally = tally();
        tally.remark(Done::Kept, None, "upc is longer than 16", &url("/1"));
        for page in ["/2", "/3"] {
            tally.remark(Done::Dropped, Some("book"), "price is no decimal", &url(page));
        }
        assert_eq!(
            remarks(&tally),
            [
                "2 dropped: price is no decimal (book), as on https://a.example/2",
                "1 kept: upc is longer than 16, as on https://a.example/1",
            ]
        );
    }

    #[test]
    fn many_fields_and_reasons_are_counted() {
        let mut tally = tally();
        let fields: serde_json::Map<_, _> = (0..50).map(|n| (format!("f{n}"), json!(1))).collect();
        tally.count(&Item { url: url("/x"), kind: None, fields, seen: None });
        (0..12).for_each(|n| tally.remark(Done::Dropped, None, &format!("reason {n}"), &url("/")));
        assert_eq!(coverage(&tally).last().unwrap(), "and 13 more fields");
        assert_eq!(remarks(&tally).last().unwrap(), "and 2 more reasons");
    }
}
