//! A polite web crawler: a [`Spider`](spider::Spider) trait for programmers, a TOML file for everyone else.
//!
//! A crawl starts at some URLs, fetches pages, takes *items* (records) and *links* from them, and goes on until nothing is left.
//! What is hard about it is not fetching but behaving: reading robots.txt and keeping to it, one request at a time with a pause
//! between, waiting when a server says so, and still losing no page and doubling no item when the machine goes down in the
//! middle. That is this crate's part. What a page means is yours.
//!
//! # The first spider
//!
//! It runs as it stands here: [`DemoSite`](demo::DemoSite) is a bookshop that the crate serves itself, on this machine.
//!
//! ```
//! use crawl::demo::DemoSite;
//! use crawl::prelude::*;
//! use crawl::sink::memory::Collect;
//!
//! struct Authors { start: CanonicalUrl }
//!
//! impl Spider for Authors {
//!     fn name(&self) -> &str {
//!         "authors"
//!     }
//!     fn seeds(&self) -> Vec<Request> {
//!         vec![Request::get(self.start.clone())]
//!     }
//!     fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
//!         if page.request().label.as_deref() == Some("author") {
//!             harvest.item(&serde_json::json!({ "name": page.text_of("h1")?, "about": page.text_of(".biography")? }))?;
//!         }
//!         for href in page.select("a.author-link")?.attrs("href") {
//!             harvest.follow(page.follow(href)?.label("author"));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let site = DemoSite::start().await?;
//!     let start = CanonicalUrl::parse(&format!("{}authors/", site.url()))?;
//!     let policy = Policy::fixed(std::time::Duration::from_millis(50)); // our own machine
//!     let authors = Collect::default();
//!     let crawl = Crawl::builder().spider(Authors { start }).policy(policy).sink(authors.clone()).build()?;
//!     let report = crawl.run().await?;
//!     assert_eq!((report.exit_code(), report.totals.pages, authors.items().len()), (0, 11, 10));
//!     Ok(())
//! }
//! ```
//!
//! From here on:
//!
//! - [`Request`](request::Request) carries a label (which kind of page the answer is), typed data that survives a restart, a
//!   priority, a method and a body.
//! - [`Page`](page::Page) answers in few words: [`text_of`](page::Page::text_of), [`select`](page::Page::select),
//!   [`links`](page::Page::links), [`json`](page::Page::json). Or a struct says where its fields stand, with
//!   [`#[derive(Item)]`](extract::typed), and a [`Router`](spider::router::Router) what is taken from which pages: Scrapy's
//!   tutorial in thirty lines, `examples/quotes.rs`. An [`Extractor`](extract::Extractor) is a piece of `parse` that
//!   several spiders share.
//! - Where CSS is not enough, [`extract`] has [`XPath`](extract::xpath::XPath), [`JsonPath`](extract::json::JsonPath), the JSON in
//!   [scripts](extract::json::script_value), [structured data](extract::structured), [feeds](extract::feed::feed) and the
//!   [main text](extract::article::article) of a page.
//! - [`Builder`](engine::Builder) has everything that can be set: identity, scope, pace, state directory, sinks.
//!   `.identity("mybot", "https://example.com/mybot")` is required as soon as a seed is not on this machine.
//! - `examples/` has a spider, an extractor, a sink and a fetcher of one's own, a crawl inside of another program, and a
//!   command-line program of one's own. Each is a page long and runs against the demo site.
//!
//! # A crawler file
//!
//! The same without Rust, for the command `crawl run authors.toml`. [`config`] reads it; every key has a default, an unknown
//! key is an error that says what may have been meant.
//!
//! ```
//! let file = r#"
//!     seeds = ["demo:/authors/"]         # or "https://…", and then [identity] contact = "…" too
//!
//!     [[follow]]                         # which links are walked, and what the pages behind them are
//!     css = ".author-list"
//!     label = "author"
//!
//!     [[extract]]                        # what is taken from which pages
//!     label = "author"
//!     fields = { name = { css = "h1", required = true }, about = ".biography" }
//!
//!     [sink.jsonl]                       # where it goes
//!     path = "authors.jsonl"
//! "#;
//! let plan = crawl::config::Loader::new().text("authors.toml", file).load().unwrap();
//! assert_eq!(plan.policy(&crawl::url::HostKey::of("example.com")).delay.as_secs(), 1);
//! ```
//!
//! # What is promised to the servers
//!
//! Whatever a spider, a fetcher or a crawler file says, these hold, because only [`frontier`] hands out requests:
//!
//! - **robots.txt first.** No page of an origin before its robots.txt has a verdict. 4xx: no rules. 5xx, a timeout or a broken
//!   connection: nothing is fetched. 429: wait, then ask again. (RFC 9309 2.3.1)
//! - **One at a time, with rest between.** One connection to a host, one second from the *end* of an answer to the next request,
//!   up to half of that again at random. A longer `Crawl-delay` or `Request-rate` wins. (With `max-concurrency` above 1 the delay
//!   counts from request to request, and a `Crawl-delay` or a push-back puts the host back to one at a time.) Two at a time over all
//!   names that lead to one address.
//! - **No faster than the server bears.** The delay is a floor; above it each host's pace is learned. A limit that is announced
//!   (`RateLimit`, `X-RateLimit`) is heeded before it refuses; a refusal or slow answers make the pace slower. (`docs/pace.md`)
//! - **A pause is a pause of the host.** After 429 or 503 nothing goes out to the host: no other page, no robots.txt, no hop of
//!   a redirect. A `Retry-After` is waited out in full, also over a restart; afterwards one request probes. From the fourth
//!   refusal in a row on, pauses last a minute at least, doubling to an hour.
//! - **Who shuts us out is left alone.** A host that refuses through all pauses gets a probe an hour, after a day one a day for a
//!   week, then none, and the run says so (exit code 5). (`docs/blocks.md`)
//! - **Nothing evades.** One User-Agent with name, version and contact. No rotation of addresses, no imitation of browsers, no
//!   challenge solved.
//! - **It can be checked.** With a state directory every request is in a journal before it leaves, and [`audit`] judges it again.
//!   (`docs/audit.md`)
//!
//! # Architecture: rooms and floors
//!
//! Each module is a room on a floor and uses rooms of lower floors only; `tests/architecture.rs` reads the sources and holds it
//! so. Floors 0 to 3 are pure: no runtime, no disk, no log, and time comes in as a parameter. So the rules of politeness are
//! functions that a test can call.
//!
//! | floor | rooms | what for |
//! |---|---|---|
//! | 0 | [`time`] [`url`] [`request`] [`response`] [`item`] | plain data: moments, normal forms, what goes out, what came back, what was found |
//! | 1 | [`headers`] [`robots`] [`scope`] [`address`] [`host`] [`redirect`] [`cookies`] | rules of the web as pure functions |
//! | 1 | [`stage`] | what happens to an item on its way to the sinks: checked, cleaned, dropped, counted |
//! | 1 | [`history`] | what earlier rounds saw of a page, and what the sight of this one makes of it: new, changed, unchanged, gone, unknown |
//! | 1 | [`revisit`] | how often a page changes, and when it is worth asking again |
//! | 1 | [`trap`] | which URLs of a host lead to nothing but more of the same, from what its pages brought |
//! | 2 | [`politeness`] | the machine of one host: an outcome goes in, the earliest next time comes out |
//! | | `politeness::pace` | in it: how fast, from what is announced, refused, slow, and remembered |
//! | | [`politeness::block`] | in it: how we stand with the host, and the evidence for it |
//! | 2 | [`audit`] | the form of the journal, and the judge of it; knows nothing of `politeness` and `frontier` |
//! | 3 | [`frontier`] | all hosts, the groups that they share, their queues: which request goes out next |
//! | 4 | [`fetch`] [`page`] [`extract`] [`spider`] [`sink`] [`store`] [`clock`] [`demo`] | the doors: network, markup, your code, output, disk, time |
//! | 5 | [`engine`] [`testing`] | the one loop that ties them together; a simulated web with a referee |
//! | 6 | [`config`] | crawler files |
//! | 7 | [`cli`] | the command |
//!
//! ## The life of a URL
//!
//! One straight line; each arrow is one call:
//!
//! ```text
//! seed / link -> CanonicalUrl -> Scope::judge -> Store::commit (seen before?) -> Frontier::admit
//!   -> Frontier::next -> Step::Fetch(Lease)                 robots.txt, pace, groups and limits are decided here
//!   -> journal                                              written by the loop before the request leaves
//!   -> worker: validators -> Fetcher::fetch -> Outcome::of -> Page::new -> Spider::parse -> Harvest
//!   -> Frontier::settle(lease, outcome) -> Settlement       what becomes of the URL, and when the host is next
//!   -> history::judge(what is known, what was seen)         new, changed, gone ...? decides which sinks get the items
//!   -> Warc::write (if there is an archive)                 what was asked and answered
//!   -> Sink::write -> Store::commit(Batch) -> Frontier::admit(what is new)
//! ```
//!
//! The only way back is `admit`. A redirect is a *link* that the outcome found, and enters by the front door: scope, robots.txt
//! and pace of its new host. A retry is a *verdict* of `settle`; its URL never left its queue on disk. There is no middleware:
//! whatever could skip politeness does not exist. To observe, listen to [`Event`](engine::Event)s; to change requests, wrap a
//! [`Fetcher`](fetch::Fetcher); to change or drop items, add a [`Stage`](stage::Stage).
//!
//! Parsing, storage and sinks are sync. Pages are parsed off the async threads, one page a thread; an error, a panic or a call that does
//! not return fails one page.
//! Store and sinks belong to one writer thread behind a bounded channel; the full channel is the back-pressure. One task owns the
//! frontier, so there are no locks around it.
//!
//! ## Invariants
//!
//! 1. Every request that leaves goes through one lease of one host: pages, sitemaps, robots.txt, hops of redirects, probes,
//!    controls. If a journal is kept, it is in it before it leaves.
//! 2. No request before the host's `not_before`; a `Retry-After` is never shortened, also not by a restart.
//! 3. No page before its origin's robots.txt has a verdict; a robots.txt that cannot be had closes the origin.
//! 4. One lease, one request on the wire: the HTTP client's own redirects and retries are off.
//! 5. The batch of a settled page is atomic: items (through their sinks' positions), links, host state, and the page itself. What
//!    is not in it did not happen. So a crash may fetch a page again; it never loses a URL, never doubles an item, never shortens
//!    a wait.
//! 6. Memory is bounded by configuration, never by the site.
//! 7. A run that lost pages does not exit with 0.
//! 8. A page is gone only if it was there and its server has answered 404 or 410 twice in a row. Nothing else makes it so: no
//!    failure, refusal, block, robots.txt or limit, and no link that is missing. It is told once, in the batch that forgets it.
//!
//! ## What differs from the first design, and why
//!
//! - **Host and origin are two units.** A *host* (its name, over all schemes and ports) is the unit of pace: a wait must cover the
//!   whole machine. An *origin* (scheme, host, port) is the unit of robots.txt and of the queue, because RFC 9309 gives each
//!   authority its own file. So a host has lanes, each behind a gate, and the host machine has no phase "robots.txt": the gate
//!   stands beside the phase.
//! - **A host has a standing beside its phase.** `Suspected` and `Blocked` were planned as phases. But a phase says what the last
//!   answers mean for the next request and is over with one success; a standing rests on evidence of hours and takes two successes
//!   on different pages to end. So [`HostState`](politeness::HostState) stores a [`Watch`](politeness::Watch)'s state beside the
//!   [`Phase`](politeness::Phase), and the later of their waits holds.
//! - **Refusals in a row stretch all waits**, told ones too: from the fourth on a minute, doubling to an hour. Refusals after short
//!   waits are no evidence, so without this a host with short `Retry-After`s could never be told from one that blocks.
//! - **A control request is an errand of its own**, `Step::Control`, with a lease of its own like robots.txt. HEAD goes first, for
//!   it costs the server least; GET confirms a refusal, for some servers refuse every HEAD.
//! - **The learned pace is another rule than the first one.** To go back to the last stable step is often too fast; it goes back to
//!   what was borne from one refusal to the next. `docs/pace.md` has the rule, its figures, and how it compares with AIMD.
//! - **Groups stand between hosts and the timetable.** Hosts of one domain or address may share a pace or a ceiling. When a group is
//!   not ready its hosts stand in its line, and the timetable holds the group. So an address must be known before the first lease:
//!   `Step::Resolve` asks for it, and connections go there first.
//! - **The journal is written by the loop**, not by the writer thread: one plain write before the task of a request is started. The
//!   writer commits answers; what was asked must be known even if no answer ever comes.
//! - **robots.txt is settled by a method of its own**, [`Frontier::settle_robots`](frontier::Frontier::settle_robots), with a lease
//!   type of its own. A page's lease cannot be settled as robots.txt by mistake, nor the other way round.
//! - **Files have an identity of their own.** A request for a file and one for a page of the same URL are two
//!   ([`Request::download`](request::Request::download)): a crawl that follows every link meets a PDF as a page first, and its
//!   item would never get it. Their hosts are judged by a rule of their own, for images lie elsewhere. (`docs/downloads.md`)
//! - **The log of fingerprints is written before the database batch**, and the batch records how long the log is. On opening, the
//!   log is cut back to that length. So seen-set and queues agree exactly after kill -9. In the opposite order a URL could be in
//!   a queue without being in the seen-set, and would be fetched twice.
//! - **The seen-set is a log, and everything else about it is derived**: a table in memory while it fits, sorted runs with filters
//!   beyond. So damage costs time and no URL, a run that a crash left ahead of the database is dropped, and what is kept for speed
//!   may be changed without changing the state. Workers ask a [`SeenView`](store::seen::SeenView), which never waits for the disk.
//! - **A known link ends in the worker.** Whoever commits must ask the seen-set anyway, but most links of a page lead where others have led:
//!   they need not travel to the loop and to the writer to be dropped there. What the worker does not know for certain the commit judges.
//! - **Rules that are quick read where the page arrives**: those of a crawler file that only follows links. To wake another thread costs
//!   more than to read a small page in passing. With a single core the whole crawl runs on one async thread. Code that is not ours
//!   never runs there: it could stay for ever. It has threads of its own, which are replaced when a call does not return
//!   ([`CallLimits`](engine::CallLimits)).
//! - **The loop hands over to the writer what it has settled in one go**, and lets a parcel grow while the writer waits for the disk: a
//!   commit of twenty pages costs little more than that of one, and a slow disk delays no request.
//! - **Who decides how long the crawl takes goes first.** Where connections are scarce, hosts that are due are taken from two bands: those
//!   with long work ahead, and one lease in eight for the others. In the order of their moments alone the long ones ended last.
//!   (`docs/order.md`)
//! - **Hosts sleep.** A full entry of a host takes a kilobyte or two, so only some thousands
//!   ([`Settings::awake`](frontier::Settings::awake)) have one. Of all others the frontier has the name and when it is due, in about 120
//!   bytes, and the store the rest. What is stored with each answer is what a restart needs, and a restart is cautious: it forgets how long
//!   a rate was borne. So who goes to sleep also writes down a [`Nap`](frontier::Nap), his whole machine, and goes on from it exactly;
//!   it holds for the run that wrote it. Store and loop answer in order, which is why a question to the store (`Step::Wake`) needs no lock.
//! - **[`Store`](store::Store) has three more methods**: `begin_round` (a new round keeps hosts and robots.txt and forgets pages),
//!   `failed` (what was given up), and `sync` (a batch survives kill -9 at once, and a power cut from the next sync on, about a
//!   second later).
//! - **Events live in the engine**, not on the ground floor: they speak of outcomes, which are two floors up.
//! - **[`Sink`](sink::Sink) has more methods, all with a default**: `begin` (a round may be refused before it begins), `tick` (parts by
//!   time), `notes` (more numbers than one position, in the same batch: a position for each kind's file) and `finish`. A round is complete
//!   only when its outputs are in their final form.
//! - **Entries of the validator cache hold links and items**, so that a 304 is as complete as a 200: its links are walked and
//!   its items written again.
//! - **The history of pages is in the state, not in the validator cache.** The cache may be lost, thinned out or behind by a crash,
//!   and then costs full fetches; the report of changes must come to the same. So the writer judges a page against the store and
//!   commits the judgement with it.
//! - **The cache's entries lie in a log, and sled says where.** sled is good at values of a few bytes and dear for those of a page with
//!   its links; a 304 now writes a new head and nothing else. What a killed run may have left behind the state is known, and does not
//!   stand for its page without a question.
//! - **XPath and the cookie jar are our own.** The crates for them would need a second tree without a bound on steps, and the machine's
//!   clock inside of a pure rule. Both follow their standards (XPath 1.0, RFC 6265) and are tested against another implementation
//!   and the IETF's cases.
//! - **What a crawl needs of a page that no rule looks into is read in passing**, without a tree (`page/scan.rs`), wherever that is sure
//!   to find what the tree would hold: a tree costs many times as much as the fetch.
//! - **Text is read where the body lies.** A page is UTF-8 nearly always, so its text is the body's own bytes and no copy
//!   (`page/in_place.rs`), and large bodies come one after the other as far as they say how long they are (`fetch/room.rs`): what a crawl holds
//!   in memory is decided by a handful of pages.
//! - **Where a plain reference leads is looked up** (`page/leads.rs`). Nearly all links of a site lead where others have led, and to parse a
//!   URL costs more than all else about a link; what is known is compared byte by byte, so a guess is never wrong.
//! - **There is no switch that turns the checks of certificates off.** Who crawls an intranet names an authority or a pin for its hosts
//!   ([`Trust`](fetch::trust::Trust)), which counts for no other host.
//! - **A login passes the store by.** Its requests enter the frontier from memory, so that neither form nor token is written down; seeds
//!   and queues are held back until it is done. Cookies are part of the state: they change in the batch of the page that set them.
//! - **What is gone is asked twice**, ten seconds apart: a deployment or a broken backend answers 404 for moments. The second request
//!   costs little, for only pages that were there get it; a false "gone" would cost whoever relies on the report much more.
//! - **Pages that no link leads to any more are asked at the end of a round** ([`Unlinked`](engine::Unlinked)). That nobody links to
//!   a page does not say that it is gone, and a page that is never asked again could never be told gone.

// Derived code says `::crawl`, also in the tests of the crate itself.
#[cfg(test)]
extern crate self as crawl;

pub mod address;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod demo;
pub mod engine;
pub mod extract;
pub mod fetch;
pub mod frontier;
pub mod headers;
pub mod history;
pub mod host;
pub mod item;
pub mod page;
pub mod politeness;
pub mod redirect;
pub mod request;
pub mod response;
pub mod revisit;
pub mod robots;
pub mod scope;
pub mod sink;
pub mod spider;
pub mod stage;
pub mod store;
pub mod testing;
pub mod time;
pub mod trap;
pub mod url;

pub use engine::Crawl;

/// What nearly every spider needs: `use crawl::prelude::*;`.
pub mod prelude {
    pub use crate::engine::Crawl;
    pub use crate::extract::typed::{Date, DateTime, FromPage, FromText};
    pub use crate::extract::{ExtractError, Extractor};
    pub use crate::item::{Harvest, Item};
    pub use crate::page::Page;
    pub use crate::page::element::Element;
    pub use crate::politeness::Policy;
    pub use crate::request::Request;
    pub use crate::spider::Spider;
    pub use crate::spider::router::{Follow, Router};
    pub use crate::url::CanonicalUrl;
    pub use ::url::Url;
    pub use crawl_derive::Item;
}

/// The code of the README and of `docs/`, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/embedding.md")]
#[doc = include_str!("../docs/migrating.md")]
#[doc = include_str!("../docs/offline.md")]
#[doc = include_str!("../docs/outputs.md")]
#[doc = include_str!("../docs/spiders.md")]
pub struct Pages;
