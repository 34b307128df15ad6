//! Cookies as RFC 6265 has them: which are taken from an answer, and which go with a request.
//!
//! Rules kept here. A cookie goes back to the host that set it, or to the domain that it names, if that domain is the host's own
//! and no public suffix (5.3); addresses and public suffixes have only cookies of their own host. Paths, `Secure` and the end of
//! its time are heeded (5.4). Beyond that RFC 6265bis counts where it is stricter: what came over http sets no `Secure` cookie and
//! does not write over one, and `__Secure-` and `__Host-` mean what they say.
//!
//! A jar is bounded: [`MAX_PER_DOMAIN`] cookies of a domain unless [`JarLimits`] say otherwise, and [`MAX_BYTES`] in all; beyond it
//! those go that were not used for the longest time. A look-up costs as many steps as the host has labels.
//!
//! The jar is our own and not that of a library, because its time is a parameter, its order is that of the RFC after a restart
//! too, and each change is told, so that it can be written in the step of the answer that made it.
//!
//! Pure: no clock, no disk. Values never stand in `Debug` output.

pub mod date;
mod set_cookie;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::host::{parse_host, registrable_domain};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;
use set_cookie::SetCookie;

/// Cookies of one domain; of more, that which was not used for the longest time goes.
pub const MAX_PER_DOMAIN: usize = 50;
/// Bytes of a cookie's name and value together (RFC 6265 6.1; RFC 6265bis 5.6); a longer one is not taken.
pub const MAX_PAIR: usize = 4096;
/// Bytes of all cookies together, with what keeping them costs.
pub const MAX_BYTES: usize = 32 << 20;
/// What keeping a cookie costs beside its text.
const COST: usize = 200;

/// How much of what servers set a jar takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JarLimits {
    /// Cookies of one domain; of more, that which was not used for the longest time goes. Default [`MAX_PER_DOMAIN`].
    pub per_domain: usize,
    /// Bytes of name and value together; a longer cookie is not taken. Default [`MAX_PAIR`].
    pub bytes: usize,
}

impl Default for JarLimits {
    fn default() -> Self {
        Self { per_domain: MAX_PER_DOMAIN, bytes: MAX_PAIR }
    }
}

/// One cookie.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value, often a secret.
    pub value: String,
    /// The host that it goes to.
    pub domain: String,
    /// To whom of that domain.
    pub reach: Reach,
    /// It goes to this path and what lies below.
    pub path: String,
    /// Whether it goes over https only.
    pub secure: bool,
    /// From this moment on it does not hold; `None` if it holds for the session, which is a round of the crawl.
    pub expires: Option<Timestamp>,
    /// Counts up over the jar: older cookies are sent first.
    born: u64,
    /// Not written down: it comes from whoever runs the crawl, with every run.
    #[serde(skip)]
    given: bool,
    #[serde(skip)]
    used: u64,
}

/// To which hosts a cookie goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// To the host itself.
    Host,
    /// To everything below it too.
    Domain,
}

/// Without the value.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({} of {}{})", self.name, self.domain, self.path)
    }
}

impl Cookie {
    /// What no two cookies of a jar share: domain, path and name (RFC 6265 5.3 step 11).
    #[must_use]
    pub fn key(&self) -> String {
        // None of the three can have a NUL in it.
        format!("{}\0{}\0{}", self.domain, self.path, self.name)
    }

    /// Whether it ends with the session.
    #[must_use]
    pub const fn is_for_the_session(&self) -> bool {
        self.expires.is_none()
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.path == other.path
    }

    /// What is to be written down of a cookie that came.
    fn told(&self) -> Option<CookieChange> {
        (!self.given).then(|| CookieChange::Set(self.clone()))
    }

    fn cost(&self) -> usize {
        COST + self.name.len() + self.value.len() + self.path.len() + self.domain.len()
    }

    /// Whether it goes with a request to this path of its own host or of one below.
    fn fits(&self, target: &Target<'_>, now: Timestamp) -> bool {
        let host = self.reach == Reach::Domain || self.domain == target.host;
        let way = !self.secure || target.is_secure;
        host && way && !self.is_over(now) && is_below(target.path, &self.path)
    }
}

/// What has changed in a jar and is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieChange {
    /// This cookie is in it, in the place of one of the same key.
    Set(Cookie),
    /// The cookie of this key is not in it any more.
    Gone(String),
}

/// Why a cookie cannot be given to a jar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The place is no host.
    #[error(
        "`{0}` is no host: write \"a.example\", \"*.a.example\" for everything below too, or \"https://a.example\" for https only"
    )]
    Host(String),
    /// The domain belongs to many.
    #[error("`{0}` is a public suffix or an address: a cookie for everything below it would go to strangers")]
    TooWide(String),
    /// The text is not made of pairs.
    #[error("expected cookies such as \"name=value; other=value\", each of 4 KiB at most and in one line")]
    Pairs,
}

/// The part of a URL that cookies are chosen by.
struct Target<'u> {
    host: &'u str,
    path: &'u str,
    is_secure: bool,
}

impl<'u> Target<'u> {
    fn of(url: &'u CanonicalUrl) -> Self {
        let url = url.as_url();
        Self {
            host: url.host_str().unwrap_or_default(),
            path: url.path(),
            is_secure: url.scheme() == "https",
        }
    }

    /// Where a cookie without a path belongs (RFC 6265 5.1.4).
    fn default_path(&self) -> &'u str {
        match self.path.rfind('/') {
            Some(0) | None => "/",
            Some(end) => &self.path[..end],
        }
    }
}

/// A jar of cookies.
#[derive(Default)]
pub struct Jar {
    limits: JarLimits,
    shelves: HashMap<String, Vec<Cookie>>,
    bytes: usize,
    /// Counts cookies that came.
    born: u64,
    /// Counts requests that cookies went with.
    uses: u64,
}

/// Without the values.
impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cookies()).finish()
    }
}

impl Jar {
    /// All cookies, in no order.
    pub fn cookies(&self) -> impl Iterator<Item = &Cookie> {
        self.shelves.values().flatten()
    }

    /// The value of the `Cookie` field for a request to `url` (RFC 6265 5.4); `None` if no cookie goes with it. Longer paths come
    /// first, then older cookies.
    #[must_use]
    pub fn header(&mut self, url: &CanonicalUrl, now: Timestamp) -> Option<String> {
        if self.shelves.is_empty() {
            return None;
        }
        let target = Target::of(url);
        self.uses += 1;
        let mut found = Vec::new();
        for domain in domains(target.host) {
            for cookie in self.shelves.get_mut(domain).into_iter().flatten() {
                if cookie.fits(&target, now) {
                    cookie.used = self.uses;
                    let pair = format!("{}={}", cookie.name, cookie.value);
                    found.push((Reverse(cookie.path.len()), cookie.born, pair));
                }
            }
        }
        found.sort_unstable();
        let pairs: Vec<_> = found.into_iter().map(|(_, _, pair)| pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Takes what an answer of `url` sets in its `Set-Cookie` field (RFC 6265 5.3), and tells what that has changed: nothing, if
    /// the cookie may not be set or is there as it is.
    pub fn receive(&mut self, url: &CanonicalUrl, field: &str, now: Timestamp) -> Vec<CookieChange> {
        let said = SetCookie::parse(field, now, self.limits.bytes);
        match said.and_then(|said| self.accepted(&Target::of(url), said)) {
            Some(cookie) if cookie.is_over(now) => self.remove(&cookie).into_iter().collect(),
            Some(cookie) => self.put(cookie, now),
            None => Vec::new(),
        }
    }

    /// Puts cookies in that whoever runs the crawl has: `place` is a host, `*.` and a host for everything below it too, or
    /// `https://` and one of these for https only; `pairs` are as in a `Cookie` field. They are not written down.
    ///
    /// # Errors
    /// [`CookieError`] if the place is none for cookies, or the pairs cannot be read.
    pub fn give(&mut self, place: &str, pairs: &str, now: Timestamp) -> Result<(), CookieError> {
        let (secure, rest) = match place.strip_prefix("https://") {
            Some(rest) => (true, rest.trim_end_matches('/')),
            None => (false, place),
        };
        let (reach, name) = match rest.strip_prefix("*.") {
            Some(name) => (Reach::Domain, name),
            None => (Reach::Host, rest),
        };
        let host = parse_host(name).ok_or_else(|| CookieError::Host(place.to_owned()))?.to_string();
        if reach == Reach::Domain && registrable_domain(&host).is_none() {
            return Err(CookieError::TooWide(place.to_owned()));
        }
        let cookies: Option<Vec<_>> = pairs.split(';').map(|pair| SetCookie::pair(pair, MAX_PAIR)).collect();
        let is_line = !pairs.chars().any(char::is_control);
        for SetCookie { name, value, .. } in cookies.filter(|_| is_line).ok_or(CookieError::Pairs)? {
            let (name, value, path) = (name.to_owned(), value.to_owned(), "/".to_owned());
            let (domain, expires, born) = (host.clone(), None, self.next_born());
            let given =
                Cookie { name, value, domain, reach, path, secure, expires, born, given: true, used: 0 };
            self.put(given, now);
        }
        Ok(())
    }

    /// Puts cookies back that an earlier run has written down.
    pub fn restore(&mut self, cookies: Vec<Cookie>, now: Timestamp) {
        for cookie in cookies {
            self.born = self.born.max(cookie.born + 1);
            self.put(cookie, now);
        }
    }

    /// What is said as a cookie of the jar, if its sender may set it.
    fn accepted(&mut self, target: &Target<'_>, said: SetCookie<'_>) -> Option<Cookie> {
        let (domain, reach) = match said.domain {
            None => (target.host.to_owned(), Reach::Host),
            Some(domain) if registrable_domain(&domain).is_none() => {
                // A public suffix, or an address: these have only cookies of their own.
                (domain == target.host).then_some((domain, Reach::Host))?
            }
            Some(domain) => {
                domains(target.host).any(|part| part == domain).then_some((domain, Reach::Domain))?
            }
        };
        let path = said.path.unwrap_or_else(|| target.default_path()).to_owned();
        let prefix = |prefix: &str| {
            said.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let locked = prefix("__Host-") && !(said.secure && reach == Reach::Host && path == "/");
        if locked || prefix("__Secure-") && !said.secure || said.secure && !target.is_secure {
            return None;
        }
        let (name, value, born) = (said.name.to_owned(), said.value.to_owned(), self.next_born());
        let (secure, expires) = (said.secure, said.expires);
        let cookie =
            Cookie { name, value, domain, reach, path, secure, expires, born, given: false, used: 0 };
        let shelf = self.shelves.get(&cookie.domain);
        let covered = shelf.into_iter().flatten().any(|old| old.secure && old.name == cookie.name);
        (target.is_secure || !covered).then_some(cookie)
    }

    fn next_born(&mut self) -> u64 {
        self.born += 1;
        self.born - 1
    }

    /// Puts a cookie in the place of the one with the same key, whose age it takes over.
    fn put(&mut self, mut cookie: Cookie, now: Timestamp) -> Vec<CookieChange> {
        let shelf = self.shelves.entry(cookie.domain.clone()).or_default();
        cookie.used = self.uses;
        if let Some(old) = shelf.iter_mut().find(|old| old.is_same(&cookie)) {
            let replaced = Cookie { born: old.born, used: old.used, given: old.given, ..cookie.clone() };
            if *old == replaced {
                return Vec::new();
            }
            self.bytes = (self.bytes + cookie.cost()).saturating_sub(old.cost());
            *old = Cookie { given: cookie.given, used: self.uses, ..replaced };
            return old.told().into_iter().collect();
        }
        let told = cookie.told();
        self.bytes += cookie.cost();
        shelf.push(cookie);
        let domain = shelf[0].domain.clone();
        let mut changes = self.tidy(&domain, now);
        changes.extend(told);
        changes.extend(self.shrink());
        changes
    }

    fn remove(&mut self, cookie: &Cookie) -> Option<CookieChange> {
        let shelf = self.shelves.get_mut(&cookie.domain)?;
        let old = shelf.swap_remove(shelf.iter().position(|old| old.is_same(cookie))?);
        if shelf.is_empty() {
            self.shelves.remove(&cookie.domain);
        }
        self.bytes = self.bytes.saturating_sub(old.cost());
        Some(CookieChange::Gone(old.key()))
    }

    /// Takes out of a domain that has too many those that are over, and then that which was not used for the longest time.
    fn tidy(&mut self, domain: &str, now: Timestamp) -> Vec<CookieChange> {
        let shelf = self.shelves.get(domain).map(Vec::as_slice).unwrap_or_default();
        if shelf.len() <= self.limits.per_domain {
            return Vec::new();
        }
        let mut out: Vec<_> = shelf.iter().filter(|cookie| cookie.is_over(now)).cloned().collect();
        if out.is_empty() {
            // The new one stands at the end, and may stay.
            let old = shelf[..shelf.len() - 1].iter();
            out.extend(old.min_by_key(|cookie| (cookie.used, cookie.born)).cloned());
        }
        out.iter().filter_map(|cookie| self.remove(cookie)).collect()
    }

    /// Makes room by a tenth once the jar is full: in each cookie's turn, one look at all of them would be too much.
    fn shrink(&mut self) -> Vec<CookieChange> {
        if self.bytes <= MAX_BYTES {
            return Vec::new();
        }
        let mut all: Vec<_> = self.cookies().cloned().collect();
        all.sort_unstable_by_key(|cookie| (cookie.used, cookie.born));
        let mut changes = Vec::new();
        for cookie in all {
            if self.bytes <= MAX_BYTES / 10 * 9 {
                break;
            }
            changes.extend(self.remove(&cookie));
        }
        changes
    }
}

/// A jar that a crawl and whoever looks on share: clones are the same jar.
///
/// ```
/// use crawl::cookies::CookieJar;
/// use crawl::time::Timestamp;
/// use crawl::url::CanonicalUrl;
///
/// let (jar, now) = (CookieJar::default(), Timestamp::from_secs(1));
/// let url = CanonicalUrl::parse("https://shop.example/basket/show").unwrap();
/// jar.open().receive(&url, "session=42; Path=/; Secure", now);
/// assert_eq!(jar.open().header(&url, now).as_deref(), Some("session=42"));
/// let other = CanonicalUrl::parse("http://shop.example/").unwrap();
/// assert_eq!(jar.open().header(&other, now), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct CookieJar(Arc<Mutex<Jar>>);

impl CookieJar {
    /// An empty jar that takes so much.
    #[must_use]
    pub fn with_limits(limits: JarLimits) -> Self {
        Self(Arc::new(Mutex::new(Jar { limits, ..Jar::default() })))
    }

    /// The jar, as long as what is returned lives. Nobody else has it meanwhile, the crawl neither.
    pub fn open(&self) -> MutexGuard<'_, Jar> {
        // Every change to it is whole or has not begun.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host and all domains that it lies in (RFC 6265 5.1.3). An address lies in none.
fn domains(host: &str) -> impl Iterator<Item = &str> {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    let mut rest = Some(host);
    std::iter::from_fn(move || {
        let name = rest?;
        rest = name.split_once('.').map(|(_, above)| above).filter(|_| !is_address);
        Some(name)
    })
}

/// Whether a path is the cookie's or lies below it (RFC 6265 5.1.4).
fn is_below(path: &str, cookie: &str) -> bool {
    match path.strip_prefix(cookie) {
        Some(rest) => rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests;
