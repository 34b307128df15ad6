//! Reading what came: which thread does it, and what becomes of a page whose reader fails.
//!
//! What the crate brings itself and what is known to be quick is read where the page arrives; everything else on threads of its own,
//! for a limited time (see [`super::calls`]).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::calls::{Callback, Lost, Misdeed};
use super::glance::{Glance, cut_off, impression};
use super::recall::with_harvest;
use super::sieve::staged;
use super::sitemap::{Reader, is_worth_keeping};
use super::stages::Mark;
use super::worker::{Context, Execution, Yield, panic_text};
use crate::fetch::Fetcher;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::{Kind, Request};
use crate::response::{Failure, Response};
use crate::spider::Spider;
use crate::spider::declarative::Declarative;
use crate::store::cache::CacheEntry;
use crate::trap::Impression;

/// Pages up to this size are parsed where they arrive if their spider is quick: even with a tree that is done in a millisecond.
const IN_PASSING: usize = 64 << 10;

/// What is known of an answer before it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) glance: Glance,
    /// Of its body.
    pub(super) digest: u64,
    pub(super) went_with_cookies: bool,
}

/// The spider that the crate brings itself, if it is that one: it ends, whatever a page holds.
fn ours(spider: &dyn Spider) -> Option<&Declarative> {
    let spider: &dyn Any = spider;
    spider.downcast_ref()
}

impl<F: Fetcher> Context<F> {
    pub(super) async fn parse(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        entry: Option<CacheEntry>,
        around: Around,
    ) -> (Yield, Option<CacheEntry>) {
        let response = match request.kind {
            Kind::Page | Kind::NextPage | Kind::Login | Kind::Download => response,
            Kind::Sitemap { .. } => Reader::unpacked(response, self.limits).await,
        };
        let is_quick = ours(&**self.spider_of(&request)).is_some_and(Declarative::is_quick);
        let in_passing = response.body.len() <= IN_PASSING && is_quick && self.stages.is_empty();
        let (context, known) = (Arc::clone(self), request.clone());
        let is_read = Arc::new(AtomicBool::new(false));
        let read = Arc::clone(&is_read);
        let work = move || {
            let began = context.stopwatch.begin();
            let gained = match request.kind {
                Kind::Login => {
                    let login = context.logs_in(request, response, around.went_with_cookies);
                    (Yield { login: Some(login), ..Yield::default() }, None)
                }
                _ => context.harvest(request, response, entry, (around, &read)),
            };
            context.stopwatch.end(Mark::Reading, began);
            gained
        };
        if self.execution == Execution::Inline || in_passing {
            return work();
        }
        self.calls.aside(work).await.unwrap_or_else(|lost| {
            let callback = match known.kind {
                _ if is_read.load(Ordering::Relaxed) => Callback::Stage,
                Kind::Sitemap { .. } => Callback::Sitemap,
                _ => Callback::Parse,
            };
            (Yield::failed(self.lost(callback, &known, lost)), None)
        })
    }

    pub(super) fn spider_of(&self, request: &Request) -> &Arc<dyn Spider> {
        &self.spiders[usize::from(request.spider)]
    }

    /// Takes down that a call brought nothing; why, in words.
    pub(super) fn lost(&self, callback: Callback, request: &Request, lost: Lost) -> String {
        let spider = self.spider_of(request).name();
        let (misdeed, words) = match lost {
            Lost::Died => (Misdeed::Panic, format!("`{}` of `{spider}` was cut off", callback.as_str())),
            Lost::Stuck(time) => {
                let name = callback.as_str();
                let words = format!("`{name}` of `{spider}` has not returned after {} s", time.as_secs_f64());
                (Misdeed::Stuck, words)
            }
        };
        tracing::error!(url = %request.url, spider, callback = callback.as_str(), "{words}: its page is given up");
        self.calls.note((callback, spider), misdeed, &request.url, &words);
        words
    }

    /// Takes down an error or a panic of a spider in code. What a crawler file's rules do not find is no fault of anybody's code.
    fn misdeed(&self, callback: Callback, misdeed: Misdeed, request: &Request, words: &str) {
        let spider = self.spider_of(request);
        if misdeed != Misdeed::Error || ours(&**spider).is_none() {
            self.calls.note((callback, spider.name()), misdeed, &request.url, words);
        }
    }

    /// What the spider makes of a request that was given up; why nothing, if it failed at that.
    pub(super) fn of_failure(
        self: &Arc<Self>,
        request: &Request,
        failure: &Failure,
    ) -> Result<Harvest, String> {
        let (spider, request) = (Arc::clone(self.spider_of(request)), request.clone());
        let is_ours = ours(&*spider).is_some();
        let (known, failure) = (request.clone(), failure.clone());
        let tell = move || {
            let mut harvest = Harvest::new();
            let told = AssertUnwindSafe(|| spider.failed(&request, &failure, &mut harvest));
            catch_unwind(told).map(|()| harvest).map_err(|panic| panic_text(panic.as_ref()).to_owned())
        };
        let told = match self.execution {
            Execution::Threads if !is_ours => self.calls.and_wait(tell),
            _ => Ok(tell()),
        };
        match told {
            Ok(Ok(harvest)) => Ok(harvest),
            Ok(Err(words)) => {
                self.misdeed(Callback::Failed, Misdeed::Panic, &known, &words);
                Err(format!("the spider panicked in `failed`: {words}"))
            }
            Err(lost) => Err(self.lost(Callback::Failed, &known, lost)),
        }
    }

    fn harvest(
        &self,
        request: Request,
        response: Response,
        entry: Option<CacheEntry>,
        (around, is_read): (Around, &AtomicBool),
    ) -> (Yield, Option<CacheEntry>) {
        let spider = Arc::clone(self.spider_of(&request));
        let request = Arc::new(request);
        let (callback, is_sitemap) = match request.kind {
            Kind::Sitemap { .. } => (Callback::Sitemap, true),
            Kind::Page | Kind::NextPage | Kind::Login | Kind::Download => (Callback::Parse, false),
        };
        let read = || match is_sitemap {
            false => self.read(&request, response, &*spider, around),
            true => (self.sitemap(&request, &response, &*spider), None, None),
        };
        let (harvest, error, look) = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            let words = panic_text(panic.as_ref());
            self.misdeed(callback, Misdeed::Panic, &request, words);
            (Harvest::new(), Some(format!("the spider panicked: {words}")), None)
        });
        is_read.store(true, Ordering::Relaxed);
        let mut gained = Yield { look, ..self.judged(&request, harvest) };
        if let Some(error) = error {
            // A page that failed half-way gives nothing: half of its items would look like all of them.
            gained = Yield { problems: gained.problems, ..Yield::failed(error) };
        }
        // Items are kept as the page gave them: what stages make of them is the same each time.
        let entry = entry
            .filter(|_| is_worth_keeping(&request, &gained))
            .and_then(|entry| with_harvest(entry, &gained));
        let was_read = gained.error.is_none();
        let mut gained = staged(&self.stages, &request.url, gained);
        if let Some(error) = gained.error.as_ref().filter(|_| was_read) {
            self.misdeed(Callback::Stage, Misdeed::Panic, &request, error);
        }
        let entry = entry.filter(|_| gained.error.is_none());
        self.drop_known(&mut gained);
        (gained, entry)
    }

    /// Nearly all links of a page lead where others have led. What the seen-set has for certain goes no further, but for sitemaps: each that is
    /// listed counts against the limit of its host.
    fn drop_known(&self, gained: &mut Yield) {
        let Some(seen) = &self.seen else { return };
        seen.leave_out(&mut gained.links, |link| link.enters_once().then(|| link.fingerprint()));
    }

    /// What the spider takes from a page, and its error if it failed.
    fn read(
        &self,
        request: &Arc<Request>,
        response: Response,
        spider: &dyn Spider,
        around: Around,
    ) -> (Harvest, Option<String>, Option<Impression>) {
        let page = Page::new(Arc::clone(request), response)
            .with_canon(self.canon.clone())
            .with_leads(Arc::clone(&self.leads))
            .with_most_links(self.limits.links)
            .with_most_depth(self.limits.depth);
        let page = page.measured_by(self.clock.clone()).read_in_place();
        let mut harvest = Harvest::new();
        let error = spider.parse(&page, &mut harvest).err().map(|error| error.to_string());
        if let Some(problem) = cut_off(page.response(), &self.limits) {
            harvest.problem(problem);
        }
        // Of an answer without a body nothing is to be seen: that it is like another one says nothing.
        let is_seen = around.glance == Glance::Look && error.is_none() && !page.response().body.is_empty();
        let look = is_seen.then(|| impression(&page, around.digest, &harvest));
        self.stopwatch.add(Mark::Parse, page.parsing());
        if let Some(error) = &error {
            self.misdeed(Callback::Parse, Misdeed::Error, request, error);
        }
        (harvest, error, look)
    }

    /// What the spider takes from a sitemap.
    fn sitemap(&self, request: &Request, response: &Response, spider: &dyn Spider) -> Harvest {
        let began = self.stopwatch.begin();
        let harvest = self.sitemaps.read(request, response, &self.canon, spider);
        self.stopwatch.end(Mark::Parse, began);
        harvest
    }
}
