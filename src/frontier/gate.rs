//! robots.txt as the gate of one origin: no page before it has a verdict (RFC 9309 2.3.1).
//!
//! The gate asks for robots.txt, follows its redirects hop by hop (each hop is a request of its own, paced by the host it
//! goes to), and keeps it shut while robots.txt cannot be had. It opens and shuts; it never sleeps.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::politeness::Policy;
use crate::response::FailureKind;
use crate::robots::{self, Access, ProductToken, RobotsAnswer, RobotsCopy, RobotsRecord, RobotsRules};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Origin};

/// A robots.txt that has been asked in vain for this long is left for a later run, after two tries at least.
const GIVE_UP_AFTER: Duration = Duration::from_secs(40);

/// What stands between an origin's queue and the wire.
#[derive(Debug)]
pub(super) enum Gate {
    /// robots.txt is to be asked, not before `at`.
    Ask { ask: Box<Ask>, at: Timestamp },
    /// It is being asked.
    Asking,
    /// It has a verdict, until this moment.
    Open { rules: RobotsRules, until: Timestamp, copy: Option<Box<Copy>> },
    /// It could not be had in this run.
    Unreachable { reason: String },
    /// The site wants a longer delay than we are configured to keep: it is not visited rather than visited faster.
    TooSlow { wish: Duration },
}

/// Where an attempt to get robots.txt stands.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// robots.txt itself.
    home: CanonicalUrl,
    /// What to ask next: `home` or where it was redirected to.
    pub(super) url: CanonicalUrl,
    /// Redirects followed.
    hops: u32,
    /// Attempts that failed.
    tries: u32,
    /// When the first attempt that failed began.
    since: Option<Timestamp>,
    /// What is at hand, for a 304.
    copy: Option<Box<Copy>>,
    /// A 304 came that nobody had asked for.
    misled: bool,
}

/// A robots.txt that is at hand.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    text: Bytes,
    /// Where it was, which is where its validators mean something.
    source: CanonicalUrl,
    validators: Vec<(String, String)>,
}

/// What came back for robots.txt.
#[derive(Debug, Clone)]
pub enum RobotsReply {
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its body, cut at the size limit.
        body: Bytes,
        /// Its Location field.
        location: Option<String>,
        /// Its Cache-Control field.
        cache_control: Option<String>,
        /// Its ETag and Last-Modified as conditional request fields.
        validators: Vec<(String, String)>,
    },
    /// No answer, or a body that broke off.
    None(FailureKind),
}

impl RobotsReply {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            Self::None(_) => None,
        }
    }

    /// Its Location field.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        match self {
            Self::Answer { location, .. } => location.as_deref(),
            Self::None(_) => None,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Answer { status, .. } => format!("robots.txt answered {status}"),
            Self::None(kind) => format!("robots.txt: {kind}"),
        }
    }
}

/// When and how an attempt was answered.
pub(super) struct Heard<'a> {
    pub(super) reply: &'a RobotsReply,
    pub(super) began: Timestamp,
    pub(super) now: Timestamp,
    /// The earliest time of the next request to the host.
    pub(super) not_before: Timestamp,
    /// The wait that the answer asks for; no wait of our own is added to it.
    pub(super) told: Option<Duration>,
    pub(super) policy: &'a Policy,
    /// The longest time that the host may be left to rest before the next request; see [`Gate::open`].
    pub(super) rest: Duration,
    pub(super) agent: &'a ProductToken,
    /// Jitter draw in `0.0..=1.0`.
    pub(super) roll: f64,
}

impl Gate {
    /// Shut until robots.txt was asked.
    pub(super) fn new(origin: &Origin) -> Self {
        Self::Ask { ask: Box::new(Ask::first(origin)), at: Timestamp::ZERO }
    }

    /// As the last run left it.
    pub(super) fn restore(
        origin: &Origin,
        record: &RobotsRecord,
        policy: &Policy,
        agent: &ProductToken,
        now: Timestamp,
    ) -> Self {
        if let RobotsAnswer::Unreachable { retry_at, .. } = record.answer {
            return Self::Ask { ask: Box::new(Ask::again(origin, Copy::of(record))), at: retry_at };
        }
        let until = record.expires_at;
        if until > now {
            let copy = Copy::of(record);
            return Self::ruled(record.answer.rules(agent), until, copy, policy);
        }
        Self::Ask { ask: Box::new(Ask::again(origin, Copy::of(record))), at: Timestamp::ZERO }
    }

    /// Open by the rules of an answer, or shut because they ask for more patience than is configured.
    fn ruled(rules: RobotsRules, until: Timestamp, copy: Option<Box<Copy>>, policy: &Policy) -> Self {
        match rules.min_delay() {
            Some(wish) if wish > policy.max_crawl_delay => Self::TooSlow { wish },
            _ => Self::Open { rules, until, copy },
        }
    }

    /// Whether pages may be asked now.
    pub(super) fn rules(&self, now: Timestamp) -> Option<&RobotsRules> {
        match self {
            Self::Open { rules, until, .. } if *until > now => Some(rules),
            _ => None,
        }
    }

    /// Why nothing may be asked in this run, in words.
    pub(super) fn shut(&self) -> Option<String> {
        match self {
            Self::Unreachable { reason } => Some(reason.clone()),
            Self::TooSlow { wish } => Some(too_slow(*wish)),
            Self::Ask { .. } | Self::Asking | Self::Open { .. } => None,
        }
    }

    /// Whether nothing is under way and nothing is known that a record does not hold.
    pub(super) fn may_sleep(&self) -> bool {
        match self {
            Self::Asking => false,
            Self::Ask { ask, .. } => ask.hops == 0 && ask.url == ask.home,
            Self::Open { .. } | Self::Unreachable { .. } | Self::TooSlow { .. } => true,
        }
    }

    /// Whether it is as the last run left it.
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self, Self::Ask { ask, at } if *at == Timestamp::ZERO && ask.tries == 0 && !ask.misled)
    }

    /// Shuts an open gate whose verdict is too old (RFC 9309 2.4). What is at hand may be confirmed.
    pub(super) fn expire(&mut self, origin: &Origin) {
        if let Self::Open { copy, .. } = self {
            *self = Self::Ask { ask: Box::new(Ask::again(origin, copy.take())), at: Timestamp::ZERO };
        }
    }

    /// Takes the answer to `ask`. Returns what is to be stored, if it is a final word.
    pub(super) fn hear(&mut self, mut ask: Ask, heard: &Heard<'_>) -> Option<RobotsRecord> {
        let forbidden = heard.policy.forbidden_robots;
        match robots::access(heard.reply.status(), forbidden) {
            Access::NotModified => match ask.copy.take_if(|copy| copy.source == ask.url) {
                Some(copy) => Some(self.renew(*copy, heard)),
                None => self.mistrust(ask, heard),
            },
            Access::Parse => {
                let (text, source, validators) = (heard.text(), ask.url, heard.validators());
                Some(self.renew(Copy { text, source, validators }, heard))
            }
            Access::AllowAll => Some(self.open(RobotsAnswer::AllowAll, None, heard)),
            Access::DenyAll => Some(self.open(RobotsAnswer::DenyAll, None, heard)),
            Access::Redirect => self.redirect(ask, heard),
            Access::Wait => {
                *self = Self::Ask { ask: Box::new(ask), at: heard.not_before };
                None
            }
            Access::Unreachable => Some(self.fail(ask, heard)),
        }
    }

    /// A text was read or confirmed. A confirmation may name new validators (RFC 9111 3.2).
    fn renew(&mut self, mut copy: Copy, heard: &Heard<'_>) -> RobotsRecord {
        for (name, value) in heard.validators() {
            copy.validators.retain(|(old, _)| *old != name);
            copy.validators.push((name, value));
        }
        let answer = RobotsAnswer::Text(copy.text.clone());
        self.open(answer, Some(copy).filter(|copy| !copy.validators.is_empty()), heard)
    }

    /// The verdict holds for two rests at least: a shorter life would be over before the first page may follow, and nothing but
    /// robots.txt would ever be asked.
    fn open(&mut self, answer: RobotsAnswer, copy: Option<Copy>, heard: &Heard<'_>) -> RobotsRecord {
        let rules = answer.rules(heard.agent);
        let wish = rules.min_delay().unwrap_or_default().mul_f64(1.0 + heard.policy.jitter);
        let least = heard.rest.max(wish).saturating_mul(2).min(robots::CACHE_LIFETIME);
        let until = heard.now + heard.lifetime().max(least);
        let kept = copy.as_ref().map(|copy| copy.record(None));
        *self = Self::ruled(rules, until, copy.map(Box::new), heard.policy);
        RobotsRecord { fetched_at: heard.now, expires_at: until, answer, copy: kept }
    }

    /// A 304 that we have not asked for, or that we have nothing for: once it is asked without conditions.
    fn mistrust(&mut self, ask: Ask, heard: &Heard<'_>) -> Option<RobotsRecord> {
        if ask.misled {
            return Some(self.fail(ask, heard));
        }
        let ask = Ask { copy: None, misled: true, ..ask.restart() };
        *self = Self::Ask { ask: Box::new(ask), at: Timestamp::ZERO };
        None
    }

    fn redirect(&mut self, mut ask: Ask, heard: &Heard<'_>) -> Option<RobotsRecord> {
        let RobotsReply::Answer { location: Some(location), .. } = heard.reply else {
            return Some(self.open(RobotsAnswer::AllowAll, None, heard));
        };
        let target = crate::url::Canon::default().join(ask.url.as_url(), location);
        match target {
            Ok(url) if robots::access_after_redirects(ask.hops) == Access::Redirect && url != ask.url => {
                (ask.url, ask.hops) = (url, ask.hops + 1);
                *self = Self::Ask { ask: Box::new(ask), at: Timestamp::ZERO };
                None
            }
            // More hops than that, a loop or a place that does not exist: as if there were none (2.3.1.2).
            _ => Some(self.open(RobotsAnswer::AllowAll, None, heard)),
        }
    }

    fn fail(&mut self, ask: Ask, heard: &Heard<'_>) -> RobotsRecord {
        let tries = ask.tries + 1;
        let since = ask.since.unwrap_or(heard.began);
        let wait = heard.policy.backoff.wait(tries, heard.told, heard.roll);
        let retry_at = heard.not_before.max(heard.now + wait);
        let reason = heard.reply.reason();
        let copy = ask.copy.as_ref().map(|copy| copy.record(Some(copy.text.clone())));
        let long = tries > 1 && heard.now.since(since) >= GIVE_UP_AFTER;
        *self = if tries >= heard.policy.robots_tries || long {
            Self::Unreachable { reason: reason.clone() }
        } else {
            let ask = Ask { tries, since: Some(since), ..ask.restart() };
            Self::Ask { ask: Box::new(ask), at: retry_at }
        };
        let answer = RobotsAnswer::Unreachable { tries, retry_at, reason };
        RobotsRecord { fetched_at: heard.now, expires_at: retry_at, answer, copy }
    }
}

/// What must be known of a gate whose host sleeps, beside the record of its robots.txt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum GateNap {
    /// Open as the record says.
    Open,
    /// As [`Gate::TooSlow`].
    TooSlow { wish: Duration },
    /// As [`Gate::Unreachable`].
    Unreachable { reason: String },
    /// As [`Gate::Ask`], for robots.txt itself. What is at hand of it is in the record.
    Ask { at: Timestamp, tries: u32, since: Option<Timestamp>, misled: bool },
}

impl GateNap {
    pub(super) fn of(gate: &Gate) -> Self {
        match gate {
            Gate::Open { .. } => Self::Open,
            Gate::TooSlow { wish } => Self::TooSlow { wish: *wish },
            Gate::Unreachable { reason } => Self::Unreachable { reason: reason.clone() },
            Gate::Ask { ask, at } => {
                Self::Ask { at: *at, tries: ask.tries, since: ask.since, misled: ask.misled }
            }
            Gate::Asking => Self::Ask { at: Timestamp::ZERO, tries: 0, since: None, misled: false },
        }
    }

    /// The gate as it was.
    pub(super) fn wake(
        self,
        origin: &Origin,
        record: Option<&RobotsRecord>,
        policy: &Policy,
        agent: &ProductToken,
    ) -> Gate {
        match (self, record) {
            (Self::Open, Some(record)) => {
                Gate::ruled(record.answer.rules(agent), record.expires_at, Copy::of(record), policy)
            }
            (Self::Open, None) => Gate::new(origin),
            (Self::TooSlow { wish }, _) => Gate::TooSlow { wish },
            (Self::Unreachable { reason }, _) => Gate::Unreachable { reason },
            (Self::Ask { at, tries, since, misled }, record) => {
                let copy = record.filter(|_| !misled).and_then(Copy::of);
                let ask = Ask { tries, since, misled, ..Ask::again(origin, copy) };
                Gate::Ask { ask: Box::new(ask), at }
            }
        }
    }

    /// Why nothing may be asked in this run, in words.
    pub(super) fn shut(&self) -> Option<String> {
        match self {
            Self::Unreachable { reason } => Some(reason.clone()),
            Self::TooSlow { wish } => Some(too_slow(*wish)),
            Self::Open | Self::Ask { .. } => None,
        }
    }
}

fn too_slow(wish: Duration) -> String {
    format!("asks for {} s between requests, more than max-crawl-delay", wish.as_secs())
}

impl Heard<'_> {
    fn text(&self) -> Bytes {
        match self.reply {
            RobotsReply::Answer { body, .. } => body.clone(),
            RobotsReply::None(_) => Bytes::new(),
        }
    }

    fn validators(&self) -> Vec<(String, String)> {
        match self.reply {
            RobotsReply::Answer { validators, .. } => validators.clone(),
            RobotsReply::None(_) => Vec::new(),
        }
    }

    fn lifetime(&self) -> Duration {
        match self.reply {
            RobotsReply::Answer { cache_control, .. } => robots::lifetime(cache_control.as_deref()),
            RobotsReply::None(_) => robots::MIN_LIFETIME,
        }
    }
}

impl Ask {
    fn first(origin: &Origin) -> Self {
        let home = origin.robots_url();
        Self { url: home.clone(), home, hops: 0, tries: 0, since: None, copy: None, misled: false }
    }

    fn again(origin: &Origin, copy: Option<Box<Copy>>) -> Self {
        Self { copy, ..Self::first(origin) }
    }

    /// The conditional request fields for what is to be asked next: a validator is only sent to the URL that gave it.
    pub(super) fn conditions(&self) -> &[(String, String)] {
        self.copy.as_ref().filter(|copy| copy.source == self.url).map_or(&[], |copy| &copy.validators)
    }

    /// robots.txt itself.
    pub(super) const fn home(&self) -> &CanonicalUrl {
        &self.home
    }

    /// From robots.txt itself again, after an attempt that failed on the way.
    fn restart(self) -> Self {
        Self { url: self.home.clone(), hops: 0, ..self }
    }
}

impl Copy {
    /// What is at hand of an earlier answer.
    fn of(record: &RobotsRecord) -> Option<Box<Self>> {
        let RobotsCopy { source, validators, text } = record.copy.clone()?;
        let text = match (&record.answer, text) {
            (RobotsAnswer::Text(text), _) => text.clone(),
            (_, text) => text?,
        };
        Some(Box::new(Self { text, source, validators }))
    }

    /// How it is stored; with its text unless that stands beside it.
    fn record(&self, text: Option<Bytes>) -> RobotsCopy {
        RobotsCopy { source: self.source.clone(), validators: self.validators.clone(), text }
    }
}
