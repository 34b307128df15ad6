//! Items in memory: for tests, and for programs that crawl and go on with the items themselves.
//!
//! Nothing bounds the number of items here but the crawl's own limits.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Position, Sink, SinkError};
use crate::item::Item;

/// Collects items where its clones can see them. Its position is a number of items.
///
/// A sink that wraps a sink changes items on their way, for example this one, which drops those without a title:
///
/// ```
/// use crawl::item::Item;
/// use crawl::sink::memory::Collect;
/// use crawl::sink::{Position, Sink, SinkError};
///
/// struct Titled<S>(S);
///
/// impl<S: Sink> Sink for Titled<S> {
///     fn name(&self) -> &str {
///         self.0.name()
///     }
///     fn write(&mut self, item: &Item) -> Result<(), SinkError> {
///         if item.fields.contains_key("title") { self.0.write(item) } else { Ok(()) }
///     }
///     fn flush(&mut self) -> Result<Position, SinkError> {
///         self.0.flush()
///     }
///     fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
///         self.0.rewind(to)
///     }
/// }
///
/// # let url = crawl::url::CanonicalUrl::parse("https://example.com/").unwrap();
/// # let untitled = Item { url, kind: None, fields: serde_json::Map::new(), seen: None };
/// let collect = Collect::default();
/// let mut sink = Titled(collect.clone());
/// sink.write(&untitled)?;
/// assert!(collect.items().is_empty());
/// # Ok::<(), SinkError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Collect(Arc<Mutex<Vec<Item>>>);

impl Collect {
    /// The items so far, in the order in which they were written. A crawl that writes waits while they are held.
    pub fn items(&self) -> MutexGuard<'_, Vec<Item>> {
        // A panic elsewhere cannot leave a vector half-changed by a push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Collect {
    fn name(&self) -> &str {
        "memory"
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.items().push(item.clone());
        Ok(())
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        Ok(Position(self.items().len() as u64))
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        let mut items = self.items();
        let found = items.len() as u64;
        if found < to.0 {
            return Err(SinkError::Shortened { path: PathBuf::from("memory"), expected: to.0, found });
        }
        items.truncate(usize::try_from(to.0).expect("it is not larger than a vector's length"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::url::CanonicalUrl;

    #[test]
    fn items_behind_the_committed_position_are_dropped() {
        let url = CanonicalUrl::parse("https://example.com/").unwrap();
        let item = Item { url, kind: None, fields: Map::new(), seen: None };
        let collect = Collect::default();
        let mut sink = collect.clone();
        sink.write(&item).unwrap();
        let committed = sink.flush().unwrap();
        sink.write(&item).unwrap();
        sink.rewind(committed).unwrap();
        assert_eq!(collect.items().len(), 1);
        assert!(matches!(sink.rewind(Position(2)), Err(SinkError::Shortened { found: 1, .. })));
    }
}
