//! What a crawl does with items and wants of them, as it is described.

use std::sync::Arc;

use super::{Builder, Expectations};
use crate::fetch::Fetcher;
use crate::stage::Stage;

impl<F: Fetcher> Builder<F> {
    /// What happens to each item before it goes to the sinks. Several stages are applied in the order in which they are named.
    pub fn stage(self, stage: impl Stage) -> Self {
        self.shared_stage(Arc::new(stage))
    }

    /// As [`Builder::stage`], for a stage that is kept elsewhere too.
    pub fn shared_stage(mut self, stage: Arc<dyn Stage>) -> Self {
        self.items.stages.push(stage);
        self
    }

    /// What the crawl must come to; what it misses is in the report, and makes its exit code 7.
    pub fn expect(mut self, expect: Expectations) -> Self {
        self.items.expect = expect;
        self
    }
}
