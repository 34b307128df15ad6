//! From a crawl that is described to a loop that runs: the state is read, and everything gets its place.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Loop;
use super::again::Again;
use super::login::Gate;
use crate::engine::archiving::Intake;
use crate::engine::calls::Calls;
use crate::engine::download::Desk;
use crate::engine::output::{Beside, Output};
use crate::engine::recorder::{Opening, Recorder};
use crate::engine::report::Report;
use crate::engine::sitemap::{Quota, Reader};
use crate::engine::stages::Stopwatch;
use crate::engine::stages::load::Watch;
use crate::engine::start::{self, Beginning, Past, Start};
use crate::engine::tell::Voice;
use crate::engine::totals::Totals;
use crate::engine::worker::{Context, Execution};
use crate::engine::writer::{Parts, Writer, WriterDoor};
use crate::engine::{Crawl, CrawlError};
use crate::fetch::Fetcher;
use crate::frontier::Frontier;
use crate::store::RunRecord;
use crate::time::Timestamp;

impl<F: Fetcher> Crawl<F> {
    /// Runs the crawl to its end.
    ///
    /// # Errors
    /// [`CrawlError`] if state or output cannot be read or written. What a server does is never an error.
    pub async fn run(mut self) -> Result<Report, CrawlError> {
        let started = self.clock.now();
        let Beginning { mut past, run: run @ RunRecord { round, .. }, tally, changes } =
            self.begin(started)?;
        let (desk, log) = Desk::open(self.downloads.take(), &self.scope, &run, past.positions())?.unzip();
        let mut recorder = self.open_journal(&past, &run, desk.as_ref(), started)?;
        let gate = Gate::of(self.login.as_ref(), &mut past, &*self.store, round)?;
        let context = Context {
            whole_from: self.cache.begin(started),
            fetcher: self.fetcher,
            spiders: self.spiders,
            stages: self.items.stages,
            scope: self.scope,
            sitemaps: Reader::new(self.sitemaps.clone(), &self.settings),
            canon: self.canon,
            leads: Arc::default(),
            limits: self.limits,
            host_headers: self.host_headers,
            cookies: self.cookies,
            login: self.login,
            cache: self.cache,
            archive: self.archive.as_ref().map(|archive| Intake::new(archive.options())),
            freshness: self.freshness,
            rules: self.rules,
            clock: self.clock.clone(),
            execution: self.execution,
            calls: Calls::new(self.calls, self.clock.clone()),
            files: desk,
            stopwatch: Arc::new(Stopwatch::new(self.clock.clone())),
            seen: self.store.seen(),
        };
        let mut frontier = Frontier::new(self.settings, self.policies, round, run.pages());
        let troubled =
            past.restore(&*self.store, &mut frontier, &mut recorder, context.cookies.as_ref(), started)?;
        let beside = Beside { changes, archive: self.archive, files: log };
        let out = Output::new(self.sinks, beside, self.watch.is_some(), Arc::clone(&context.stopwatch));
        let parts = Parts { store: self.store, out, run, tally, watch: self.watch };
        let engine = Loop {
            voice: Voice::begin(self.events, self.progress, self.clock.clone(), &troubled),
            frontier,
            workers: JoinSet::new(),
            out: HashMap::new(),
            writer: WriterDoor::open(Writer::new(parts, &context), self.execution),
            context: Arc::new(context),
            recorder,
            uncommitted: 0,
            clock: self.clock.clone(),
            run: Totals::default(),
            round,
            gate,
            has_more: true,
            again: Again::begin(self.watch.is_some(), self.unlinked, round),
            quota: Quota::new(self.sitemaps.max_per_host),
            problem: None,
            watch: Watch::begin(self.clock.elapsed(), self.execution == Execution::Inline),
            expect: self.items.expect,
        };
        engine.run(self.stop.subscribe(), started, round).await
    }

    fn open_journal(
        &self,
        past: &Past,
        run: &RunRecord,
        desk: Option<&Desk>,
        at: Timestamp,
    ) -> Result<Recorder, CrawlError> {
        let opening = Opening {
            at,
            round: run.round,
            found: past.found(run, at),
            settings: &self.settings,
            scope: &self.scope,
            file_hosts: desk.map_or(&[][..], Desk::hosts),
        };
        Ok(Recorder::start(self.journals.as_ref(), &opening)?)
    }

    fn begin(&mut self, started: Timestamp) -> Result<Beginning, CrawlError> {
        if self.start == Start::Fresh {
            // Before the round begins: it must not find entries of an earlier one, also after a crash in between.
            self.cache.clear();
        }
        let (changes, plan) = (self.changes.as_deref(), std::mem::take(&mut self.plan));
        let beginning = start::begin(&mut *self.store, &mut self.sinks, changes, self.start, plan, started)?;
        if let Some(archive) = &mut self.archive {
            archive.rewind(beginning.past.position(archive.name()))?;
        }
        Ok(beginning)
    }
}
