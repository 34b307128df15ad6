//! The machine of one host: when the next request may go out.
//!
//! Pure and clock-free: `now` comes in, times go out. `not_before` is the one authority on time; everything that makes the
//! host wait raises it and nothing lowers it. The configured delay counts from the end of an answer, the learned pace from the
//! start of a request; the later of both holds. Which request goes out is the frontier's business, not this room's.

use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::block::{Standing, Watch};
use super::late::Late;
use super::latency::Load;
use super::pace::{self, Before, Pace, Sign};
use super::permits::{Bearing, Permits, Used};
use super::{Class, HostState, Outcome, PaceRule, Phase, Policy, Wait};
use crate::time::Timestamp;

/// Failures in a row that accuse the host before it is left alone for a while.
const FAILURES_BEFORE_BACKOFF: u32 = 3;
/// Intervals of slack after a wait of our own, and after the probe that ended a wait: a limit that was just reached has nothing
/// left for two requests in a row.
const SLACK_AFTER_WAIT: u32 = 3;
const SLACK_AFTER_PROBE: u32 = 2;
/// The latter where the server has named the wait: at its end it has what it thinks is enough.
const SLACK_AFTER_TOLD: u32 = 1;
/// The longest slack.
const MOST_SLACK: Duration = Duration::from_secs(60);

/// One host's pace. Stored as a whole only while its host sleeps: a restart begins with [`Host::resume`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    pub(super) state: HostState,
    pub(super) watch: Watch,
    in_flight: u32,
    wish: Duration,
    last_strike: Timestamp,
    /// The end of the last answer; the start of the run for a host that an earlier run may have asked.
    last_end: Timestamp,
    /// The end of the last answer of this run, and of the one before the request that left last.
    answered: Option<Timestamp>,
    pub(super) end_before: Option<Timestamp>,
    /// Until when it waits for its pace alone.
    paced: Timestamp,
    pace: Pace,
    permits: Permits,
    bearing: Bearing,
    /// The last wait of our own, to be remembered if it was long enough.
    own_wait: Option<Duration>,
    /// Intervals of slack after the probe that ends the wait.
    slack_after_probe: u32,
    late: Late,
    /// Counts everything that happens to it, so that a turn is only taken back if nothing has happened since.
    moves: u64,
}

/// What a host was before a request was about to leave, to be given back if it never leaves; see [`Host::take_back`].
#[derive(Debug)]
pub struct Begun {
    moves: u64,
    not_before: Timestamp,
    waits_for: Wait,
    paced: Timestamp,
    end_before: Option<Timestamp>,
    pace: Before,
}

/// What an outcome did to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing but the usual delay.
    None,
    /// It is left alone until this moment. `first` tells a new strike from a late answer of the same burst.
    Waits {
        /// The end of the wait.
        until: Timestamp,
        /// Whether the server named it.
        told: bool,
        /// Whether this answer was the first of its burst.
        first: bool,
    },
    /// It answered well after having pushed back.
    Recovered,
    /// It refuses a page or a section alone: a page that it gave before it gives again.
    SectionRefuses,
    /// We stand worse with it: suspected, blocked or down. [`HostState`] has the evidence.
    Stands(Standing),
    /// It was suspected, blocked or down, and is well again.
    Cleared,
}

impl Host {
    /// A host as an earlier run left it. When that run asked it last is not known, so the delay counts from now: a restart
    /// cannot undercut it.
    #[must_use]
    pub fn resume(mut state: HostState, now: Timestamp, policy: &Policy) -> Self {
        let paced = now + policy.delay;
        state.not_before = state.not_before.max(paced);
        let watch = Watch::resume(state.watch.clone());
        let pace = Pace::resume(&state.learned, now);
        let permits = Permits::remembered(state.learned.permits);
        Self { state, watch, last_end: now, paced, pace, permits, ..Self::default() }
    }

    /// What is to be stored.
    #[must_use]
    pub fn state(&self) -> &HostState {
        &self.state
    }

    /// Whether nothing has happened to it yet in this run.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.moves == 0
    }

    /// Counts a page of this round.
    pub fn count_page(&mut self, round: u32) {
        self.state.count_page(round);
    }

    /// Requests in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether it has cost more time in vain than its good answers have made up for: what is late then is not tried again.
    #[must_use]
    pub const fn owes_time(&self) -> bool {
        self.late.is_owed()
    }

    /// The site's own wish for a delay (Crawl-delay, Request-rate); it only raises ours. It holds from the answer on that
    /// told it.
    pub fn wish(&mut self, delay: Duration) {
        self.wish = self.wish.max(delay);
        self.pace_to(self.last_end + self.wish, Wait::CrawlDelay);
    }

    /// Whether it waits for its pace alone. A run sits through that, however long it is: it is no refusal.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.state.not_before <= self.paced
    }

    /// No request before this moment.
    pub(super) fn hold_until(&mut self, until: Timestamp) {
        self.wait(until, Wait::Standing);
    }

    /// Until when it waits for its pace, refusals aside.
    #[must_use]
    pub const fn paced_until(&self) -> Timestamp {
        self.paced
    }

    fn pace_to(&mut self, next: Timestamp, why: Wait) {
        self.paced = self.paced.max(next);
        self.wait(next, why);
    }

    fn wait(&mut self, until: Timestamp, why: Wait) {
        self.moves += 1;
        if until > self.state.not_before {
            (self.state.not_before, self.state.waits_for) = (until, why);
        }
    }

    /// When the next request may go out; `None` if an answer must come first.
    #[must_use]
    pub fn eligible_at(&self, policy: &Policy) -> Option<Timestamp> {
        (self.in_flight < self.permits(policy)).then_some(self.state.not_before)
    }

    /// Requests a second at which it is asked, waits after refusals aside.
    #[must_use]
    pub fn rate(&self, policy: &Policy) -> f64 {
        let ceiling = self.ceiling(policy);
        match policy.pace_rule() {
            PaceRule::Adaptive => self.pace.rate(ceiling),
            PaceRule::Fixed => ceiling,
        }
    }

    /// Requests that may be in flight to it. One while the site asks for a delay or has pushed back.
    #[must_use]
    pub fn permits(&self, policy: &Policy) -> u32 {
        match policy.pace_rule() {
            _ if self.one_at_a_time(policy) => 1,
            PaceRule::Adaptive => self.permits.within(policy.max_concurrency),
            PaceRule::Fixed => self.bearing.within(policy.max_concurrency),
        }
    }

    fn one_at_a_time(&self, policy: &Policy) -> bool {
        policy.max_concurrency <= 1
            || !self.wish.is_zero()
            || self.state.phase != Phase::Open
            || self.standing() != Standing::Ok
    }

    fn ceiling(&self, policy: &Policy) -> f64 {
        pace::ceiling(policy.delay.max(self.wish))
    }

    fn interval(&self, policy: &Policy) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate(policy)).unwrap_or(Duration::MAX)
    }

    fn floor(&self) -> Wait {
        if self.wish.is_zero() { Wait::Delay } else { Wait::CrawlDelay }
    }

    fn pace_reason(&self) -> Wait {
        if self.pace.is_announced() { Wait::AnnouncedLimit } else { Wait::LearnedPace }
    }

    /// A request goes out. What it gives is only of use if the request stays here after all.
    pub fn begin(&mut self, now: Timestamp, policy: &Policy, rng: &mut Rng) -> Begun {
        let mut begun = Begun {
            moves: 0,
            not_before: self.state.not_before,
            waits_for: self.state.waits_for,
            paced: self.paced,
            end_before: self.end_before,
            pace: self.pace.begin(now, now.since(self.state.not_before.max(self.last_end))),
        };
        self.in_flight += 1;
        self.end_before = self.answered;
        self.state.requests += 1;
        let next = now + self.spacing(policy, rng);
        self.pace_to(next, self.floor());
        if policy.pace_rule() == PaceRule::Adaptive {
            self.pace_to(now + self.interval(policy), self.pace_reason());
        }
        self.moves += 1;
        begun.moves = self.moves;
        begun
    }

    /// The request that was begun has not left: nothing was asked, nothing is counted, and the host may be asked as if there had
    /// been no such request. If something has happened to the host since, the time that was given to the request stays spent:
    /// this never brings a request nearer to another one.
    pub fn take_back(&mut self, begun: Begun) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.state.requests = self.state.requests.saturating_sub(1);
        if self.moves == begun.moves {
            (self.state.not_before, self.state.waits_for) = (begun.not_before, begun.waits_for);
            (self.paced, self.end_before) = (begun.paced, begun.end_before);
            self.pace.take_back(begun.pace);
        }
        self.moves += 1;
    }

    /// Its answer is here.
    pub fn finish(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) -> Reaction {
        self.moves += 1;
        let used = self.used(outcome, policy);
        let late = outcome.began < self.last_strike;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.late.hear(outcome);
        self.state.last_status = outcome.status.or(self.state.last_status);
        self.last_end = self.last_end.max(outcome.ended);
        self.answered = self.answered.max(Some(outcome.ended));
        if self.one_at_a_time(policy) {
            // One at a time counts the delay from the end of the answer: a slow server gets rest in proportion.
            let next = outcome.ended + self.spacing(policy, rng);
            self.pace_to(next, self.floor());
        }
        let reaction = self.react(outcome, policy, rng);
        if !late {
            self.learn(outcome, reaction, used, policy);
        }
        self.follow_announced(outcome, policy);
        self.slacken(outcome, reaction, policy);
        self.honour(outcome);
        reaction
    }

    /// Whether the window of permits is what held the next request up when this answer came.
    fn used(&self, outcome: &Outcome, policy: &Policy) -> Used {
        let held_up = self.in_flight >= self.permits(policy) && self.state.not_before <= outcome.ended;
        if held_up { Used::Fully } else { Used::InPart }
    }

    /// Takes what an answer says of the pace that the server bears.
    fn learn(&mut self, outcome: &Outcome, reaction: Reaction, used: Used, policy: &Policy) {
        let sign = self.sign(outcome, reaction);
        if policy.pace_rule() == PaceRule::Fixed {
            return self.bearing.hear(sign, used, policy.max_concurrency);
        }
        let load = self.pace.hear(outcome, sign, policy.latency_guard, self.ceiling(policy));
        match (sign, load) {
            (Sign::Refused, _) | (_, Load::Doubled) => self.permits.halve(),
            (Sign::Borne, _) => self.permits.succeed(used, policy.max_concurrency),
            (Sign::None, _) => {}
        }
        self.pace.note(&mut self.state.learned);
        self.state.learned.permits = self.permits.within(policy.max_concurrency);
    }

    fn sign(&self, outcome: &Outcome, reaction: Reaction) -> Sign {
        match (outcome.class, reaction, self.state.phase) {
            (Class::Throttled, Reaction::Waits { first: true, .. }, Phase::Backoff { strikes: 1, .. }) => {
                Sign::Refused
            }
            (class, ..) if class.is_health() => Sign::Borne,
            _ => Sign::None,
        }
    }

    /// Heeds the limit that an answer announces. A fixed pace goes on until nothing is left.
    fn follow_announced(&mut self, outcome: &Outcome, policy: &Policy) {
        let wait = self.pace.announced(outcome, self.in_flight, self.ceiling(policy));
        let adaptive = policy.pace_rule() == PaceRule::Adaptive;
        if let Some(wait) = wait.filter(|_| adaptive || outcome.announced.remaining == Some(0)) {
            self.wait(outcome.ended + wait, Wait::AnnouncedLimit);
        }
        if adaptive && self.pace.is_announced() {
            self.pace_to(outcome.began + self.interval(policy), Wait::AnnouncedLimit);
        }
    }

    /// Leaves a server that has just refused a little more time than it must have.
    fn slacken(&mut self, outcome: &Outcome, reaction: Reaction, policy: &Policy) {
        if policy.pace_rule() == PaceRule::Fixed {
            return;
        }
        let interval = self.interval(policy);
        match (outcome.class, reaction) {
            (Class::Throttled, Reaction::Waits { until, told: false, first: true }) => {
                let slack = interval.saturating_mul(SLACK_AFTER_WAIT).min(MOST_SLACK);
                self.wait(until + slack, Wait::OwnBackoff);
            }
            (_, Reaction::Recovered) => {
                let slack = interval.saturating_mul(self.slack_after_probe).min(interval.max(MOST_SLACK));
                self.pace_to(outcome.began + slack, Wait::LearnedPace);
            }
            _ => {}
        }
    }

    /// A wait that the server asked for holds on any kind of answer.
    fn honour(&mut self, outcome: &Outcome) {
        if let Some(told) = outcome.told {
            self.wait(outcome.ended + told, Wait::RetryAfter);
        }
    }

    fn react(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) -> Reaction {
        match outcome.class {
            Class::Throttled => {
                self.state.throttled += 1;
                self.strike(outcome, policy, rng)
            }
            Class::Unreachable(kind) if kind.accuses_host() => self.fail(outcome, policy, rng),
            Class::Forbidden
            | Class::Challenge
            | Class::Transient
            | Class::ServerError
            | Class::Unreachable(_) => self.told(outcome),
            _ => self.succeed(outcome),
        }
    }

    fn succeed(&mut self, outcome: &Outcome) -> Reaction {
        self.state.failures = 0;
        let is_probe = outcome.began >= self.last_strike;
        match self.state.phase {
            Phase::Backoff { .. } if is_probe => {
                self.state.phase = Phase::Open;
                self.state.learned.wait = self.own_wait.take().or(self.state.learned.wait);
                Reaction::Recovered
            }
            // It was sent before the host pushed back and says nothing of what it bears now.
            Phase::Backoff { .. } | Phase::Open => Reaction::None,
        }
    }

    fn told(&self, outcome: &Outcome) -> Reaction {
        outcome.told.map_or(Reaction::None, |told| Reaction::Waits {
            until: outcome.ended + told,
            told: true,
            first: true,
        })
    }

    fn fail(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) -> Reaction {
        self.state.failures += 1;
        if self.state.failures < FAILURES_BEFORE_BACKOFF {
            return Reaction::None;
        }
        self.strike(outcome, policy, rng)
    }

    /// One burst is one strike: an answer to a request from before the last strike may lengthen the wait, no more.
    fn strike(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) -> Reaction {
        let (before, first) = match self.state.phase {
            Phase::Backoff { strikes, .. } => (strikes, outcome.began >= self.last_strike),
            Phase::Open => (0, true),
        };
        let strikes = before + u32::from(first);
        if first {
            self.last_strike = outcome.ended;
        }
        let worked = self.state.learned.wait.unwrap_or_default();
        let wait = policy.backoff.wait_again(strikes, outcome.told, worked, rng.f64());
        let why = match (outcome.told, outcome.class) {
            (Some(_), _) => Wait::RetryAfter,
            (None, Class::Throttled) => Wait::OwnBackoff,
            (None, _) => Wait::Failures,
        };
        self.own_wait = (why == Wait::OwnBackoff).then_some(wait);
        self.slack_after_probe = if outcome.told.is_some() { SLACK_AFTER_TOLD } else { SLACK_AFTER_PROBE };
        let until = self.state.not_before.max(outcome.ended + wait);
        self.state.throttled_ms += until.since(self.state.not_before.max(outcome.ended)).as_millis() as u64;
        self.wait(until, why);
        self.state.phase = Phase::Backoff { until, strikes };
        Reaction::Waits { until, told: outcome.told.is_some(), first }
    }

    fn spacing(&self, policy: &Policy, rng: &mut Rng) -> Duration {
        policy.delay.max(self.wish).mul_f64(1.0 + policy.jitter * rng.f64())
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            state: HostState::default(),
            watch: Watch::default(),
            answered: None,
            end_before: None,
            in_flight: 0,
            wish: Duration::ZERO,
            last_strike: Timestamp::ZERO,
            last_end: Timestamp::ZERO,
            paced: Timestamp::ZERO,
            pace: Pace::default(),
            permits: Permits::default(),
            bearing: Bearing::default(),
            own_wait: None,
            slack_after_probe: SLACK_AFTER_PROBE,
            late: Late::default(),
            moves: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::rate_limit::Announced;
    use crate::response::FailureKind;

    const SECOND: u64 = 1000;

    fn policy() -> Policy {
        Policy { jitter: 0.0, max_concurrency: 4, ..Policy::default() }
    }

    fn polite() -> Policy {
        Policy { max_concurrency: 1, ..policy() }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn outcome(class: Class, began: u64, ended: u64) -> Outcome {
        Outcome {
            class,
            status: None,
            told: None,
            announced: Default::default(),
            began: at(began),
            ended: at(ended),
        }
    }

    fn throttled(told: Option<u64>, began: u64, ended: u64) -> Outcome {
        Outcome { told: told.map(Duration::from_secs), ..outcome(Class::Throttled, began, ended) }
    }

    fn rng() -> Rng {
        Rng::with_seed(7)
    }

    #[test]
    fn the_delay_counts_from_the_end_of_the_answer() {
        let mut host = Host::default();
        host.begin(at(0), &polite(), &mut rng());
        assert_eq!(host.eligible_at(&polite()), None);
        host.finish(&outcome(Class::Fetched, 0, 700), &polite(), &mut rng());
        assert_eq!(host.eligible_at(&polite()), Some(at(1700)));
    }

    #[test]
    fn jitter_only_lengthens() {
        let policy = Policy { jitter: 0.5, ..polite() };
        let mut rng = rng();
        for _ in 0..100 {
            let mut host = Host::default();
            host.begin(at(0), &policy, &mut rng);
            host.finish(&outcome(Class::Fetched, 0, 0), &policy, &mut rng);
            let next = host.eligible_at(&policy).unwrap().as_millis();
            assert!((1000..=1500).contains(&next), "{next}");
        }
    }

    #[test]
    fn the_wish_of_the_site_raises_the_delay_and_never_lowers_it() {
        for (wish, expected) in [(3 * SECOND, 3000), (SECOND / 2, 1000)] {
            let mut host = Host::default();
            host.wish(Duration::from_millis(wish));
            host.begin(at(0), &policy(), &mut rng());
            host.finish(&outcome(Class::Fetched, 0, 0), &policy(), &mut rng());
            assert_eq!(host.eligible_at(&policy()), Some(at(expected)));
        }
    }

    #[test]
    fn the_wish_of_the_site_holds_from_the_answer_that_told_it() {
        let mut host = Host::default();
        host.begin(at(0), &polite(), &mut rng());
        host.finish(&outcome(Class::Fetched, 0, 500), &polite(), &mut rng());
        host.wish(Duration::from_secs(7));
        assert_eq!(host.eligible_at(&polite()), Some(at(7_500)));
    }

    #[test]
    fn after_a_restart_delay_and_wish_count_from_its_moment() {
        let mut host = Host::resume(HostState::default(), at(5_000), &polite());
        assert_eq!(host.eligible_at(&polite()), Some(at(6_000)));
        host.wish(Duration::from_secs(7));
        assert_eq!(host.eligible_at(&polite()), Some(at(12_000)));
    }

    #[test]
    fn a_delay_is_pace_and_a_refusal_is_not() {
        let mut host = Host::default();
        host.begin(at(0), &polite(), &mut rng());
        host.finish(&outcome(Class::Fetched, 0, 0), &polite(), &mut rng());
        assert!(host.is_paced());
        host.begin(at(1_000), &polite(), &mut rng());
        host.finish(&throttled(Some(60), 1_000, 1_000), &polite(), &mut rng());
        assert!(!host.is_paced());
    }

    #[test]
    fn a_retry_after_is_never_shortened() {
        let mut host = Host::default();
        host.begin(at(0), &polite(), &mut rng());
        host.finish(&throttled(Some(3600), 0, 100), &polite(), &mut rng());
        assert_eq!(host.eligible_at(&polite()), Some(at(3_600_100)));
    }

    #[test]
    fn one_burst_is_one_strike() {
        let mut host = Host::default();
        for _ in 0..3 {
            host.begin(at(0), &policy(), &mut rng());
        }
        host.finish(&throttled(None, 0, 100), &policy(), &mut rng());
        host.finish(&throttled(None, 0, 110), &policy(), &mut rng());
        let last = host.finish(&throttled(Some(60), 50, 120), &policy(), &mut rng());
        assert!(matches!(host.state().phase, Phase::Backoff { strikes: 1, .. }));
        assert_eq!(last, Reaction::Waits { until: at(60_120), told: true, first: false });
    }

    #[test]
    fn after_a_wait_one_request_probes_and_its_success_opens_the_host() {
        let mut host = Host::default();
        host.begin(at(0), &policy(), &mut rng());
        host.finish(&throttled(Some(2), 0, 0), &policy(), &mut rng());
        host.begin(at(2000), &policy(), &mut rng());
        assert_eq!(host.eligible_at(&policy()), None, "only the probe may be in flight");
        let reaction = host.finish(&outcome(Class::Fetched, 2000, 2100), &policy(), &mut rng());
        assert_eq!(reaction, Reaction::Recovered);
        assert_eq!(host.state().phase, Phase::Open);
    }

    #[test]
    fn strikes_in_a_row_grow_the_wait() {
        let mut host = Host::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..3 {
            host.begin(at(now), &polite(), &mut rng());
            host.finish(&throttled(None, now, now), &polite(), &mut rng());
            let next = host.eligible_at(&polite()).unwrap().as_millis();
            waits.push(next - now);
            now = next;
        }
        assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
    }

    #[test]
    fn a_host_that_does_not_answer_is_left_alone_after_three_failures() {
        let mut host = Host::default();
        for n in 1..=3 {
            host.begin(at(0), &polite(), &mut rng());
            let failed = outcome(Class::Unreachable(FailureKind::Connect), 0, 0);
            let reaction = host.finish(&failed, &polite(), &mut rng());
            assert_eq!(matches!(reaction, Reaction::Waits { .. }), n == 3);
        }
    }

    #[test]
    fn a_restart_waits_at_least_as_long_as_was_stored() {
        let state = HostState { not_before: at(5000), ..HostState::default() };
        for (now, expected) in [(1_000, 5_000), (9_000, 10_000)] {
            let host = Host::resume(state.clone(), at(now), &policy());
            assert_eq!(host.eligible_at(&policy()), Some(at(expected)));
        }
    }

    #[test]
    fn a_wait_named_on_a_403_or_a_redirect_holds_too() {
        for class in [Class::Forbidden, Class::Redirected, Class::Gone, Class::ServerError] {
            let mut host = Host::default();
            host.begin(at(0), &polite(), &mut rng());
            let told = Outcome { told: Some(Duration::from_secs(9)), ..outcome(class, 0, 0) };
            host.finish(&told, &polite(), &mut rng());
            assert_eq!(host.eligible_at(&polite()), Some(at(9000)), "{class:?}");
        }
    }

    /// Announces this much.
    fn announcing(remaining: u64, reset: u64, ended: u64) -> Outcome {
        let reset = Some(Duration::from_secs(reset));
        let announced = Announced { limit: None, remaining: Some(remaining), reset };
        Outcome { announced, ..outcome(Class::Fetched, ended, ended) }
    }

    fn once(policy: &Policy, outcome: &Outcome) -> Host {
        let mut host = Host::default();
        host.begin(outcome.began, policy, &mut rng());
        host.finish(outcome, policy, &mut rng());
        host
    }

    #[test]
    fn the_learned_pace_counts_from_the_start_of_a_request() {
        let quick = Policy { delay: Duration::from_millis(100), ..polite() };
        let host = once(&quick, &outcome(Class::Fetched, 0, 700));
        assert_eq!(host.eligible_at(&quick), Some(at(1_000)));
        assert_eq!((host.state().waits_for, host.is_paced()), (Wait::LearnedPace, true));
        let slow = once(&quick, &outcome(Class::Fetched, 0, 5_000));
        assert_eq!((slow.eligible_at(&quick), slow.state().waits_for), (Some(at(5_100)), Wait::Delay));
    }

    #[test]
    fn a_fixed_pace_is_the_delay_alone() {
        let fixed = Policy { jitter: 0.0, ..Policy::fixed(Duration::from_millis(100)) };
        let mut host = once(&fixed, &outcome(Class::Fetched, 0, 200));
        assert_eq!(host.eligible_at(&fixed), Some(at(300)));
        host.begin(at(300), &fixed, &mut rng());
        host.finish(&throttled(Some(60), 300, 300), &fixed, &mut rng());
        assert_eq!(host.eligible_at(&fixed), Some(at(60_300)));
        assert!((host.rate(&fixed) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_refused_host_is_asked_more_slowly_afterwards() {
        let mut host = Host::default();
        let before = host.rate(&polite());
        host.begin(at(0), &polite(), &mut rng());
        host.finish(&throttled(Some(1), 0, 0), &polite(), &mut rng());
        assert!(host.rate(&polite()) < before);
        assert_eq!(host.state().learned.rate, Some(host.rate(&polite())));
    }

    #[test]
    fn an_answer_from_before_the_burst_does_not_open_the_host() {
        let mut host = Host::default();
        host.begin(at(0), &policy(), &mut rng());
        host.begin(at(0), &policy(), &mut rng());
        host.finish(&throttled(None, 0, 100), &policy(), &mut rng());
        let late = host.finish(&outcome(Class::Fetched, 0, 200), &policy(), &mut rng());
        assert_eq!(late, Reaction::None);
        assert!(matches!(host.state().phase, Phase::Backoff { strikes: 1, .. }));
    }

    #[test]
    fn a_limit_that_is_used_up_is_waited_for_before_it_refuses() {
        for policy in [polite(), Policy { jitter: 0.0, ..Policy::fixed(Duration::ZERO) }] {
            let host = once(&policy, &announcing(0, 30, 100));
            assert_eq!(host.eligible_at(&policy), Some(at(31_100)), "a second for the server's rounding");
            assert_eq!((host.state().waits_for, host.is_paced()), (Wait::AnnouncedLimit, false));
        }
    }

    #[test]
    fn what_is_left_of_an_announced_limit_is_spread_over_the_time_to_its_end() {
        let host = once(&polite(), &announcing(11, 100, 0));
        assert_eq!(host.eligible_at(&polite()), Some(at(10_000)));
        assert_eq!((host.state().waits_for, host.is_paced()), (Wait::AnnouncedLimit, true));
        let plenty = once(&polite(), &announcing(1_000, 100, 0));
        assert_eq!(plenty.eligible_at(&polite()), Some(at(1_000)), "never faster than the delay");
    }

    #[test]
    fn the_wait_that_worked_begins_the_next_episode() {
        let mut host = Host::default();
        let mut now = 0;
        let mut refuse = |host: &mut Host, class| {
            host.begin(at(now), &polite(), &mut rng());
            host.finish(&outcome(class, now, now), &polite(), &mut rng());
            let before = now;
            now = host.eligible_at(&polite()).unwrap().as_millis();
            now - before
        };
        let first = [refuse(&mut host, Class::Throttled), refuse(&mut host, Class::Throttled)];
        refuse(&mut host, Class::Fetched);
        let remembered = host.state().learned.wait.unwrap();
        let second = refuse(&mut host, Class::Throttled);
        assert!(Duration::from_millis(second) >= remembered && second > first[0], "{first:?} {second}");
    }

    #[test]
    fn concurrency_begins_at_one_and_grows_while_it_is_what_holds_the_pace_up() {
        let quick = Policy { delay: Duration::ZERO, ..policy() };
        let mut host = Host::default();
        assert_eq!(host.permits(&quick), 1);
        for n in 0..3 {
            host.begin(at(n * 5_000), &quick, &mut rng());
            host.finish(&outcome(Class::Fetched, n * 5_000, n * 5_000 + 4_000), &quick, &mut rng());
        }
        assert_eq!(host.permits(&quick), 2);
        assert_eq!(host.state().learned.permits, 2);
        assert_eq!(Host::default().permits(&Policy { pace: PaceRule::Fixed, ..quick }), 4);
    }
}
