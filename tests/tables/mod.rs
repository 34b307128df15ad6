//! What tests of databases have in common: items, options, and a round that is killed at random moments.

use std::fmt::Debug;

use crawl::item::Item;
use crawl::sink::table::{Earlier, TableOptions};
use crawl::sink::{Position, Sink};
use crawl::url::CanonicalUrl;
use fastrand::Rng;
use serde_json::Value;

pub fn item(kind: Option<&str>, fields: Value) -> Item {
    let url = CanonicalUrl::parse("https://example.com/a").unwrap();
    let Value::Object(fields) = fields else { panic!("an item's fields are an object") };
    Item { url, kind: kind.map(str::to_owned), fields, seen: None }
}

/// Tables with a key, in which the rows of earlier rounds stay.
pub fn keyed(key: &[&str]) -> TableOptions {
    let key = key.iter().map(|field| (*field).to_owned()).collect();
    TableOptions { key, earlier: Earlier::Kept, ..TableOptions::default() }
}

/// Writes items in one run of a round, whose sink this is, and flushes once.
pub fn write(mut sink: impl Sink, items: &[Item]) -> Position {
    sink.rewind(Position(0)).unwrap();
    items.iter().for_each(|item| sink.write(item).unwrap());
    sink.flush().unwrap()
}

/// A round, killed and begun again at random moments of so many steps. What was flushed may be known to the state or not, as far
/// back as the sync before the last one: whatever the state knows is then exactly what is in the tables.
pub fn killed_in_a_round<S: Sink, T: PartialEq + Debug>(
    steps: usize,
    rng: &mut Rng,
    begin: impl Fn() -> S,
    tables: impl Fn() -> T,
    item: impl Fn(&mut Rng) -> Item,
) {
    let mut sink = begin();
    sink.rewind(Position(0)).unwrap();
    let mut known = vec![(Position(0), tables())];
    let (mut synced, mut synced_before) = (0, 0);
    for _ in 0..steps {
        match rng.u8(..10) {
            0..6 => sink.write(&item(rng)).unwrap(),
            6..8 => known.push((sink.flush().unwrap(), tables())),
            8 => {
                sink.sync().unwrap();
                (synced_before, synced) = (synced, known.len() - 1);
            }
            _ => {
                let back = rng.usize(synced_before..known.len());
                known.truncate(back + 1);
                synced = synced.min(back);
                drop(sink);
                sink = begin();
                sink.rewind(known[back].0).unwrap();
                assert_eq!(tables(), known[back].1);
            }
        }
    }
    sink.flush().unwrap();
    sink.sync().unwrap();
}
