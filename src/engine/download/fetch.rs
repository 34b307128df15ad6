//! One file: from its lease to what is to be committed of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::StatusCode;

use super::{FileDone, FileLine, NO_FOLDER, NotWanted};
use crate::engine::calls::{Callback, Misdeed};
use crate::engine::recall::{Memo, Recalled, untold};
use crate::engine::worker::{Context, Execution, PageDone, Yield, panic_text};
use crate::engine::writer::Change;
use crate::fetch::{Fetcher, Landing, Purpose};
use crate::item::Harvest;
use crate::politeness::{Class, Outcome};
use crate::request::Request;
use crate::response::{Response, Truncation};
use crate::store::cache::{CacheEntry, Packed};
use crate::store::files::{Arrived, Downloaded, FileError, Files, Landed, Saved};
use crate::time::Timestamp;
use crate::url::Fingerprint;

impl<F: Fetcher> Context<F> {
    /// Fetches a file.
    pub(in crate::engine) async fn file(self: &Arc<Self>, request: Request) -> PageDone {
        let began = self.clock.now();
        let Some(desk) = &self.files else {
            return PageDone::without_file(FileDone::Unwanted(NO_FOLDER.to_owned()), began);
        };
        let recalled = self.recall(&request);
        let kept = recalled.entry.as_ref().and_then(saved_in);
        let (files, key, url) = (desk.files(), request.fingerprint(), request.url.clone());
        let intake = self.aside(move || files.intake(key, &url, kept)).await;
        let landing = match intake {
            Some(Ok(intake)) => Landing::new(intake),
            Some(Err(error)) => return PageDone::without_file(FileDone::Failed(error), began),
            None => return PageDone::lost(began, self.clock.now_up()),
        };
        let mut outgoing = self.outgoing(request.clone(), recalled.cookie.as_deref());
        outgoing.headers.extend(landing.conditions());
        (outgoing.purpose, outgoing.landing) = (Purpose::File, Some(landing.clone()));
        match self.ask(outgoing).await {
            Ok(response) => self.file_answered(request, response, recalled, landing).await,
            Err(error) => PageDone {
                detail: Some(error.to_string()),
                ..PageDone::of(Outcome::failed(error.kind, began, self.clock.now_up()))
            },
        }
    }

    async fn file_answered(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
        landing: Landing,
    ) -> PageDone {
        let outcome = Outcome::of(&response);
        let cookies = self.set_cookies(&response);
        let mut done = PageDone { bytes: response.wire_bytes, cookies, ..PageDone::of(outcome) };
        match outcome.class {
            Class::Fetched | Class::Truncated(_) => {
                self.file_came(request, response, recalled, landing, &mut done).await;
            }
            Class::NotModified => self.file_stayed(request, &response, recalled, &landing, &mut done).await,
            Class::Redirected => {
                self.redirected(&request, &response, &mut done);
                if done.harvest.links.is_empty() && done.dead_end.is_none() {
                    let to = done.location.as_deref().unwrap_or_default();
                    done.file =
                        Some(FileDone::Unwanted(format!("it redirects to {to}: {}", NotWanted::Host)));
                }
            }
            // Nothing lies behind what is there, so that it is of another file.
            Class::Gone if response.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                landing.forget();
                done.begin_again("status 416 for the rest of a part");
            }
            Class::Gone => {
                done.cache = recalled.forget();
                done.refusal = Some(response.headers);
            }
            _ => {
                if landing.has_begun() {
                    landing.forget();
                }
                done.refusal = Some(response.headers);
            }
        }
        done
    }

    async fn file_came(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
        landing: Landing,
        done: &mut PageDone,
    ) {
        let response = Arc::new(response);
        let landed = {
            let response = Arc::clone(&response);
            self.aside(move || {
                if !landing.has_begun() {
                    landing.take(&response);
                }
                landing.land(response.truncated)
            })
            .await
        };
        match landed {
            Some(Ok(Landed::Whole(arrived))) => {
                done.cache = self.file_memo(&request, &response, &recalled, &arrived.saved);
                done.outcome.class = Class::Fetched;
                self.file_is_here(request, arrived, done).await;
            }
            Some(Ok(Landed::Unwanted(why))) => {
                done.outcome.class = Class::Fetched;
                done.cache = recalled.forget();
                done.file = Some(FileDone::Unwanted(why));
            }
            Some(Ok(Landed::Cut)) => {
                if done.outcome.class == Class::Fetched {
                    done.outcome.class =
                        Class::Truncated(response.truncated.unwrap_or(Truncation::Disconnect));
                    done.detail = Some("the answer is not the file, or not all of it".to_owned());
                }
            }
            Some(Err(error)) => done.file = Some(FileDone::Failed(error)),
            None => done.outcome.class = Class::Truncated(Truncation::Disconnect),
        }
    }

    async fn file_stayed(
        self: &Arc<Self>,
        request: Request,
        response: &Response,
        recalled: Recalled,
        landing: &Landing,
        done: &mut PageDone,
    ) {
        let Some(arrived) = landing.unchanged(response) else {
            if let Some(memo) = recalled.forget() {
                memo.write(&*self.cache);
            }
            landing.forget();
            done.begin_again("status 304 for a file that is not there");
            return;
        };
        let is_of_it = recalled
            .entry
            .as_ref()
            .and_then(saved_in)
            .is_some_and(|saved| saved.sha256 == arrived.saved.sha256);
        done.cache = if is_of_it { self.renewed(&request, response, recalled) } else { recalled.forget() };
        self.file_is_here(request, Box::new(arrived), done).await;
    }

    /// What the cache is told of a file: a part that was continued is as good as a whole.
    fn file_memo(
        &self,
        request: &Request,
        response: &Response,
        recalled: &Recalled,
        saved: &Saved,
    ) -> Option<Memo> {
        let whole = Response { status: StatusCode::OK, truncated: None, ..response.clone() };
        let digest = Fingerprint::of(saved.sha256.as_bytes()).get();
        let kept = self.keepable(request, &whole, recalled, digest).and_then(|(place, mut entry)| {
            entry.harvest = Packed::of(&[], &[(None, serde_json::to_string(saved).ok()?)])?;
            Some(Memo::Keep(place, Box::new(entry)))
        });
        kept.or_else(|| recalled.forget())
    }

    /// Tells the spider.
    async fn file_is_here(self: &Arc<Self>, request: Request, arrived: Box<Arrived>, done: &mut PageDone) {
        let context = Arc::clone(self);
        let told = arrived.clone();
        let known = request.clone();
        let tell = move || context.tell_of_file(&request, &told);
        done.harvest = match self.execution {
            Execution::Inline => tell(),
            Execution::Threads => self.calls.aside(tell).await.unwrap_or_else(|lost| {
                let problem = self.lost(Callback::Downloaded, &known, lost);
                Yield { problems: vec![problem], ..Yield::default() }
            }),
        };
        done.file = Some(FileDone::Arrived(arrived));
    }

    fn tell_of_file(&self, request: &Request, arrived: &Arrived) -> Yield {
        let (Some(desk), spider) = (&self.files, &self.spiders[usize::from(request.spider)]) else {
            return Yield::default();
        };
        let file = seen_by_spider(request, arrived, &desk.files);
        let mut harvest = Harvest::new();
        match catch_unwind(AssertUnwindSafe(|| spider.downloaded(request, &file, &mut harvest))) {
            Ok(()) => self.judged(request, harvest),
            Err(panic) => {
                let words = panic_text(panic.as_ref());
                let by = (Callback::Downloaded, spider.name());
                self.calls.note(by, Misdeed::Panic, &request.url, words);
                let problem = format!("the spider panicked in `downloaded`: {words}");
                Yield { problems: vec![problem], ..Yield::default() }
            }
        }
    }

    /// Works off the async threads; `None` after a panic.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.execution {
            Execution::Inline => Some(work()),
            Execution::Threads => tokio::task::spawn_blocking(work).await.ok(),
        }
    }
}

impl PageDone {
    /// No request has left.
    fn without_file(file: FileDone, now: Timestamp) -> Self {
        Self { file: Some(file), ..Self::of(untold(now)) }
    }

    /// What cannot be written ends the run; the request stays in its queue.
    pub(in crate::engine) fn refuse_broken_disk(&mut self) -> Result<(), FileError> {
        match self.file.take() {
            Some(FileDone::Failed(error)) => Err(error),
            file => {
                self.file = file;
                Ok(())
            }
        }
    }

    /// The answer says nothing, and the request is asked again without conditions.
    fn begin_again(&mut self, why: &str) {
        self.outcome.class = Class::Transient;
        self.detail = Some(why.to_owned());
    }
}

impl Change {
    /// Takes a file over, or where it lies.
    pub(in crate::engine) fn note_file(
        &mut self,
        request: &Request,
        file: Option<FileDone>,
        outcome: &Outcome,
        next: &[Request],
    ) {
        match (file, next.first()) {
            (Some(FileDone::Arrived(arrived)), _) => {
                self.totals.downloads += 1;
                self.totals.download_bytes += arrived.saved.size;
                self.files.push(FileLine::Arrived(request.clone(), arrived));
            }
            (None, Some(next)) if outcome.class == Class::Redirected => self.files.push(FileLine::Moved {
                request: request.clone(),
                to: next.url.clone(),
                status: outcome.status,
                at: outcome.ended,
            }),
            _ => {}
        }
    }
}

fn seen_by_spider(request: &Request, arrived: &Arrived, files: &Files) -> Downloaded {
    let wanted = request.wanted();
    let saved = &arrived.saved;
    Downloaded {
        url: wanted.as_ref().map_or_else(|| request.url.clone(), |wanted| wanted.url.clone()),
        page: wanted.and_then(|wanted| wanted.page),
        file: saved.file.clone(),
        sha256: saved.sha256.clone(),
        size: saved.size,
        content_type: saved.content_type.clone(),
        unchanged: arrived.status == StatusCode::NOT_MODIFIED.as_u16(),
        place: files.place_of(arrived),
    }
}

/// What an entry of the cache says of a file.
fn saved_in(entry: &CacheEntry) -> Option<Saved> {
    let (_, items) = entry.harvest.unpack()?;
    serde_json::from_str(&items.first()?.1).ok()
}
