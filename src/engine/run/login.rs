//! The gate before the crawl: until it has logged in, only the login is asked for.
//!
//! Its requests are in memory alone. They enter the frontier past the store, so that no form and no token is written down, and
//! a run that was killed in between begins with the login page again. What earlier runs have left in the queues is held back with
//! the seeds.

use super::{Loop, Wait};
use crate::engine::login::{Login, LoginFailure, LoginStep, may_be_repeated};
use crate::engine::report::End;
use crate::engine::start::Past;
use crate::engine::worker::PageDone;
use crate::engine::writer::Change;
use crate::fetch::Fetcher;
use crate::frontier::{Drop, Settlement};
use crate::politeness::{Class, Verdict};
use crate::request::{Kind, Pending, QueueKey, Request};
use crate::response::FailureClass;
use crate::store::{LoginRecord, Store, StoreError};
use crate::url::Origin;

/// Whether the crawl may begin.
#[derive(Debug)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// Not before it has logged in. Holds the queues that wait in the store, and counts the requests of the login.
    Closed { queues: Vec<(Origin, u64)>, asked: u64 },
    /// It may not.
    Shut(LoginFailure),
}

impl Gate {
    /// Closed if a login is configured and earlier runs of the round have not done it.
    pub(super) fn of(
        login: Option<&Login>,
        past: &mut Past,
        store: &dyn Store,
        round: u32,
    ) -> Result<Self, StoreError> {
        Ok(match login {
            Some(login) if !past.is_logged_in(round, login.rules()) => {
                Self::Closed { queues: past.take_queues(store)?, asked: 0 }
            }
            _ => Self::Open,
        })
    }
}

impl<F: Fetcher> Loop<F> {
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.gate, Gate::Open)
    }

    /// Begins with the login if there is one to be done, or else with the seeds.
    pub(super) async fn begin(&mut self) {
        match (&self.gate, &self.context.login) {
            (Gate::Closed { .. }, Some(login)) => {
                tracing::info!(url = %login.url(), "logging in before anything else is asked");
                let page = login.page();
                self.ask_for_login(page);
            }
            _ => self.plant_seeds().await,
        }
    }

    /// How the run ends if it could not log in; nothing if it goes on.
    pub(super) fn end_at_the_gate(&self) -> Option<Wait> {
        let Gate::Shut(why) = self.gate else {
            return None;
        };
        let rests = self.out.is_empty() && self.uncommitted == 0;
        Some(if rests { Wait::End(End::LoginFailed(why)) } else { Wait::Answer })
    }

    /// Nothing can be asked any more, and we are not in.
    pub(super) fn ends_before_the_gate(&mut self) -> bool {
        let waits = self.frontier.hosts().any(|host| host.waiting > 0);
        let lost = matches!(self.gate, Gate::Closed { .. }) && !waits;
        if lost {
            self.shut(LoginFailure::NoAnswer);
        }
        lost
    }

    fn ask_for_login(&mut self, request: Request) {
        if let Gate::Closed { asked, .. } = &mut self.gate {
            let key = QueueKey::new(i8::MAX, *asked);
            *asked += 1;
            self.frontier.admit(self.clock.now(), Pending::new(key, request));
        }
    }

    /// Takes what a request of the login came to.
    pub(super) async fn settle_login(&mut self, settled: Settlement, page: PageDone, mut change: Change) {
        let request = &settled.pending.request;
        let step = match settled.verdict {
            Verdict::RetryAt(_) if may_be_repeated(request, &page.outcome) => {
                change.totals.retries += 1;
                None
            }
            Verdict::Done => Some(self.step(page)),
            _ => Some(Err(LoginFailure::of(&page.outcome))),
        };
        self.take_drops(&mut change, settled.released);
        match step {
            None => self.commit(change).await,
            Some(Ok(LoginStep::Ask(next))) => {
                self.commit(change).await;
                self.ask_for_login(*next);
            }
            Some(Ok(LoginStep::Done)) => {
                change.login = self.login_record();
                self.commit(change).await;
                self.open_the_gate().await;
            }
            Some(Err(why)) => {
                self.commit(change).await;
                self.shut(why);
            }
        }
    }

    fn step(&self, page: PageDone) -> Result<LoginStep, LoginFailure> {
        let login = self.context.login.as_ref().ok_or(LoginFailure::Unreadable)?;
        match page.outcome.class {
            Class::Fetched => page.harvest.login.unwrap_or(Err(LoginFailure::Unreadable)),
            Class::Redirected if page.dead_end.is_some() => Err(LoginFailure::DeadEnd),
            Class::Redirected => match page.harvest.links.into_iter().next() {
                Some(next) => login.redirected(next),
                None => Err(LoginFailure::OutOfScope),
            },
            _ => Err(LoginFailure::of(&page.outcome)),
        }
    }

    fn login_record(&self) -> Option<LoginRecord> {
        let rules = self.context.login.as_ref()?.rules();
        Some(LoginRecord { round: self.round, at: self.clock.now(), rules })
    }

    /// We are in: everything that was held back may be asked for.
    async fn open_the_gate(&mut self) {
        tracing::info!("logged in");
        if let Gate::Closed { queues, .. } = std::mem::replace(&mut self.gate, Gate::Open) {
            for (origin, count) in queues {
                self.frontier.restore_held_queue(self.clock.now(), &origin, count);
            }
        }
        self.plant_seeds().await;
    }

    fn shut(&mut self, why: LoginFailure) {
        tracing::error!(reason = %why, "could not log in: nothing else is asked");
        self.gate = Gate::Shut(why);
    }

    /// Gives requests up that were dropped without being asked, or after they were held back.
    pub(super) fn take_drops(&mut self, change: &mut Change, drops: Vec<Drop>) {
        for drop in drops {
            if drop.pending.request.kind == Kind::Login {
                self.shut(match (drop.failure.class, drop.failure.status) {
                    (FailureClass::Robots, _) => LoginFailure::Disallowed,
                    (_, Some(status)) => LoginFailure::Status(status),
                    _ => LoginFailure::NoAnswer,
                });
            } else {
                self.give_up(change, drop);
            }
        }
    }
}
