//! From a crawl that is described to a loop that runs: the state is read, and everything gets its place.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Loop;
use super::again::Again;
use crate::engine::download::Desk;
use crate::engine::output::Output;
use crate::engine::recorder::{Opening, Recorder};
use crate::engine::report::Report;
use crate::engine::sitemap::{Quota, Reader};
use crate::engine::start::{self, Beginning, Start};
use crate::engine::tell::Voice;
use crate::engine::totals::Totals;
use crate::engine::worker::Context;
use crate::engine::writer::{Parts, Writer, WriterDoor};
use crate::engine::{Crawl, CrawlError};
use crate::fetch::Fetcher;
use crate::frontier::Frontier;
use crate::time::Timestamp;

impl<F: Fetcher> Crawl<F> {
    /// Runs the crawl to its end.
    ///
    /// # Errors
    /// [`CrawlError`] if state or output cannot be read or written. What a server does is never an error.
    pub async fn run(mut self) -> Result<Report, CrawlError> {
        let started = self.clock.now();
        let Beginning { past, run, changes } = self.begin(started)?;
        let (at, round, found, robots) = (started, run.round, past.found(&run, started), past.robots());
        let (desk, log) = Desk::open(self.downloads, &self.scope, &run, past.positions())?.unzip();
        let file_hosts = desk.as_ref().map_or(&[][..], Desk::hosts);
        let opening =
            Opening { at, round, found, settings: &self.settings, scope: &self.scope, file_hosts, robots };
        let recorder = Recorder::start(self.journals.as_ref(), opening)?;
        let pages = run.totals.get("pages").copied().unwrap_or(0);
        let sitemaps = Reader::new(self.sitemaps.clone(), &self.settings);
        let mut frontier = Frontier::new(self.settings, self.policies, round, pages);
        past.restore(&mut frontier, started);
        let again = Again::begin(self.watch.is_some(), self.unlinked, round);
        let parts = Parts {
            store: self.store,
            out: Output::new(self.sinks, changes, self.watch.is_some()).with_files(log),
            cache: Arc::clone(&self.cache),
            run,
            rules: self.rules,
            watch: self.watch,
            clock: self.clock.clone(),
        };
        let whole_from = self.cache.begin(started);
        let context = Context {
            whole_from,
            fetcher: self.fetcher,
            spiders: self.spiders,
            scope: self.scope,
            sitemaps,
            canon: self.canon,
            limits: self.limits,
            host_headers: self.host_headers,
            cache: self.cache,
            freshness: self.freshness,
            rules: self.rules,
            clock: self.clock.clone(),
            execution: self.execution,
            files: desk,
        };
        let voice = Voice::begin(self.events, self.progress, self.clock.clone(), &frontier);
        let engine = Loop {
            context: Arc::new(context),
            frontier,
            workers: JoinSet::new(),
            out: HashMap::new(),
            writer: WriterDoor::open(Writer::new(parts), self.execution),
            recorder,
            uncommitted: 0,
            voice,
            clock: self.clock,
            run: Totals::default(),
            again,
            quota: Quota::new(self.sitemaps.max_per_host),
        };
        engine.run(self.stop.subscribe(), started, round).await
    }

    fn begin(&mut self, started: Timestamp) -> Result<Beginning, CrawlError> {
        if self.start == Start::Fresh {
            // Before the round begins: it must not find entries of an earlier one, also after a crash in between.
            self.cache.clear();
        }
        let (changes, plan) = (self.changes.as_deref(), std::mem::take(&mut self.plan));
        start::begin(&mut *self.store, &mut self.sinks, changes, self.start, plan, started)
    }
}
