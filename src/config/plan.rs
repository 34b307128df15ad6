//! A crawler file after all checks, in the types of the rooms that use it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::overrides::Overrides;
use super::tables::session::jar_of;
use crate::address::AddressPolicy;
use crate::cookies::{CookieJar, JarLimits};
use crate::engine::{CallLimits, Downloads, Expectations, Freshness, Login, Sitemaps, Unlinked};
use crate::fetch::Limits;
use crate::fetch::http::HttpOptions;
use crate::frontier::{Settings, Sharing};
use crate::headers::user_agent::user_agent;
use crate::host::is_loopback;
use crate::page::css::Css;
use crate::politeness::{Policy, Rate};
use crate::request::Request;
use crate::revisit::Revisit;
use crate::scope::{HostPattern, Scope};
use crate::sink::Target;
use crate::sink::warc::WarcOptions;
use crate::spider::declarative::{Recipe, RequestRule, SeedFile, carrying};
use crate::stage::rule::StageRule;
use crate::store::cache::CacheOptions;
use crate::store::disk::DiskOptions;
use crate::trap::TrapPolicy;
use crate::url::{Canon, CanonicalUrl, HostKey};

/// Everything that is needed to run a crawl. Made by [`Loader::load`](super::Loader::load).
#[derive(Clone)]
pub struct Plan {
    /// The crawl's name: the crawler file's without its ending, or the first seed's host.
    pub name: String,
    /// Who the crawler says it is.
    pub identity: Identity,
    /// Where it starts, in the order of the file. Empty only if there is a file of seeds or a spider in code brings its own.
    pub seeds: Vec<Seed>,
    /// A file with more of them.
    pub seed_file: Option<SeedFile>,
    /// Who reads the pages.
    pub reader: Reader,
    /// What belongs to the crawl.
    pub scope: Scope,
    /// Which sitemaps are read.
    pub sitemaps: Sitemaps,
    /// How much of it is taken.
    pub budget: Budget,
    /// Requests in flight at once over all hosts.
    pub max_in_flight: u32,
    /// Requests of the whole crawl; `None`: as many as the hosts allow.
    pub max_rate: Option<Rate>,
    /// What holds for hosts that belong together.
    pub sharing: Sharing,
    /// When pages are asked again.
    pub revisit: Revisit,
    /// What becomes of known pages to which no link leads any more.
    pub unlinked: Unlinked,
    /// Bounds of one exchange.
    pub limits: Limits,
    /// What the fetcher is built with: User-Agent, headers of every request, proxy, addresses.
    pub http: HttpOptions,
    /// What is done about calls into code that do not return.
    pub calls: CallLimits,
    /// Cookies to begin with, by host; `None` if no cookie is kept at all. They may be secrets.
    pub cookies: Option<Vec<(String, String)>>,
    /// How much of what servers set as cookies is kept.
    pub jar: JarLimits,
    /// How the crawl logs in, if it does.
    pub login: Option<LoginPlan>,
    /// By which steps two spellings of a URL become one.
    pub canon: Canon,
    /// What happens to items before they are written, in order.
    pub stages: Vec<StageRule>,
    /// What the crawl must come to.
    pub expect: Expectations,
    /// Where the list of pages that were given up is written; `None`: nowhere.
    pub failed: Option<PathBuf>,
    /// Where items go; empty only if there is an archive and nothing else.
    pub sinks: Vec<Target>,
    /// Where everything that is asked and answered goes, if it is archived.
    pub archive: Option<WarcOptions>,
    /// Which files are downloaded, and where they go; `None` if none are.
    pub downloads: Option<Downloads>,
    /// Where the crawl's state is kept.
    pub state_dir: PathBuf,
    /// How much the store of the state may use.
    pub disk: DiskOptions,
    /// Most bytes of recorded answers that are kept beside the state; `None` if none are.
    pub max_bodies: Option<u64>,
    /// Rounds whose journals are kept beside the state; `None` if none is written.
    pub journal_rounds: Option<u32>,
    /// How much the validator cache may use; `None` if there is none.
    pub cache: Option<CacheOptions>,
    /// When a page that is kept is not asked for.
    pub freshness: Freshness,
    pub(super) policy: Policy,
    pub(super) overrides: Overrides,
    pub(super) allow: Vec<IpNet>,
    /// Whether the hosts of the scope are those of the seeds.
    pub(super) hosts_follow_seeds: bool,
    pub(super) effective: Vec<Effective>,
}

/// Who the crawler says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The product token that robots.txt files name (RFC 9309 2.2.1).
    pub token: String,
    /// The version behind it.
    pub version: String,
    /// A web or mail address where the owner of a site reaches the operator.
    pub contact: Option<String>,
    /// The User-Agent of every request: `token/version (+contact)`.
    pub user_agent: String,
}

impl Identity {
    /// Puts the User-Agent together.
    #[must_use]
    pub fn new(token: String, version: String, contact: Option<String>) -> Self {
        Self { user_agent: user_agent(&token, &version, contact.as_deref()), token, version, contact }
    }
}

/// A URL to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Where.
    pub start: Start,
    /// The label of its page.
    pub label: Option<String>,
    /// Higher is asked earlier within a host.
    pub priority: i8,
    /// The method.
    pub method: Method,
    /// Header fields of its request alone; no secrets, for they wait on the disk with it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Bytes>,
    /// What becomes fields of the items of its page.
    pub data: Map<String, Value>,
}

/// Where a crawl starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At this URL.
    Url(CanonicalUrl),
    /// At this path of the built-in demo site, whose address is known when it runs; see [`Plan::place_demo`].
    Demo(String),
}

impl Seed {
    /// The URL, unless it is one of the demo site.
    #[must_use]
    pub fn url(&self) -> Option<&CanonicalUrl> {
        match &self.start {
            Start::Url(url) => Some(url),
            Start::Demo(_) => None,
        }
    }

    pub(in crate::config) fn request(&self) -> Option<Request> {
        let mut request = Request::get(self.url()?.clone()).priority(self.priority);
        request.method = self.method.clone();
        request.headers.clone_from(&self.headers);
        request.body.clone_from(&self.body);
        request.label = self.label.as_deref().map(Into::into);
        Some(carrying(request, self.data.clone()))
    }
}

/// How a crawl logs in.
#[derive(Clone)]
pub struct LoginPlan {
    /// The page with the form.
    pub start: Start,
    pub(super) form: Option<Css>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) check: Option<Css>,
    pub(super) fail: Option<Css>,
}

/// Who reads the pages.
#[derive(Debug, Clone)]
pub enum Reader {
    /// The rules of the crawler file. Its seeds are those of [`Plan::requests`].
    Recipe(Recipe),
    /// The spider that was registered under this name.
    Spider(String),
}

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Pages in all; `None`: no limit.
    pub max_pages: Option<u64>,
    /// Pages of one host, unless its own table says otherwise; `None`: no limit.
    pub max_pages_per_host: Option<u64>,
    /// How much of the same is too much.
    pub traps: TrapPolicy,
}

/// A value in force, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key in full, as in `politeness.delay`.
    pub key: String,
    /// The value as TOML; a reference to the environment as it was written, a credential as `"***"`.
    pub value: String,
    /// `default`, `FILE:LINE`, `--set`, or the name of a flag.
    pub origin: String,
}

/// Prints what is in force, without secrets.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.name)
            .field("effective", &self.effective_values())
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// The rules of pace for `host`.
    #[must_use]
    pub fn policy(&self, host: &HostKey) -> Policy {
        self.overrides.policy(&self.policy, host)
    }

    /// Puts what holds for the crawl as a whole where the engine looks for it.
    pub fn tune(&self, settings: &mut Settings) {
        settings.max_in_flight = self.max_in_flight as usize;
        settings.max_rate = self.max_rate;
        settings.sharing = self.sharing.clone();
        settings.max_pages = self.budget.max_pages;
        settings.traps = self.budget.traps;
        settings.patience = self.policy.backoff.patience;
    }

    /// Header fields of requests to `host`, on top of those of [`Plan::http`]. They may hold credentials: no other host may
    /// see them.
    #[must_use]
    pub fn headers_for(&self, host: &HostKey) -> Vec<(String, String)> {
        self.overrides.headers(host)
    }

    /// The jar that the crawl begins with; `None` if it keeps no cookies.
    #[must_use]
    pub fn cookie_jar(&self) -> Option<CookieJar> {
        self.cookies.as_deref().map(|given| jar_of(given, self.jar))
    }

    /// How the crawl logs in. A page of the demo site is left out until [`Plan::place_demo`].
    #[must_use]
    pub fn login(&self) -> Option<Login> {
        let plan = self.login.as_ref()?;
        let mut login = Login::new(plan.url()?.clone());
        for (name, value) in &plan.fields {
            login = login.field(name, value);
        }
        let LoginPlan { form, check, fail, .. } = plan.clone();
        login = form.into_iter().fold(login, Login::form);
        login = check.into_iter().fold(login, Login::check);
        Some(fail.into_iter().fold(login, Login::fail))
    }

    /// The requests that the crawl starts with, but those of its file of seeds. Seeds at the demo site are left out until [`Plan::place_demo`].
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.seeds.iter().filter_map(Seed::request).collect()
    }

    /// Whether the demo site must run for this crawl.
    #[must_use]
    pub fn needs_demo(&self) -> bool {
        let login = self.login.as_ref().is_some_and(|login| login.url().is_none());
        login
            || self.seeds.iter().any(|seed| seed.url().is_none())
            || self.shapes().iter().any(RequestRule::is_demo)
    }

    /// `[[requests]]`: what the crawl starts with beside [`Plan::requests`].
    #[must_use]
    pub fn shapes(&self) -> &[RequestRule] {
        match &self.reader {
            Reader::Recipe(recipe) => &recipe.requests,
            Reader::Spider(_) => &[],
        }
    }

    /// Turns `demo:` seeds into URLs of the demo site, which answers at `home`. Its host joins the scope, and its address
    /// may be contacted.
    pub fn place_demo(&mut self, home: &CanonicalUrl) {
        let mut placed = false;
        let login = self.login.iter_mut().map(|login| &mut login.start);
        for start in self.seeds.iter_mut().map(|seed| &mut seed.start).chain(login) {
            if let Start::Demo(path) = start
                && let Ok(url) = self.canon.join(home.as_url(), path)
            {
                *start = Start::Url(url);
                placed = true;
            }
        }
        if let Reader::Recipe(recipe) = &mut self.reader {
            for rule in &mut recipe.requests {
                placed |= rule.place_demo(home);
            }
        }
        if placed {
            self.allow([home]);
            self.let_in(home, ScopeChange::Always);
            self.share_seeds();
        }
    }

    /// Takes the seeds of a spider in code, for a file that has none: their hosts are the scope if the file names none, and
    /// addresses in them may be contacted. Says what is missing for them, if something is.
    ///
    /// # Errors
    /// If no contact is configured and a seed leads beyond this machine.
    pub fn adopt(&mut self, requests: &[Request]) -> Result<(), MissingContact> {
        if self.identity.contact.is_none()
            && let Some(away) = requests.iter().find(|request| !is_local(&request.url))
        {
            return Err(MissingContact { host: away.url.host().to_owned() });
        }
        for request in requests {
            self.allow([&request.url]);
            self.let_in(&request.url, ScopeChange::IfItFollowsSeeds);
        }
        Ok(())
    }

    /// All values in force, with their origins, in the order of the tables.
    #[must_use]
    pub fn explain(&self) -> &[Effective] {
        &self.effective
    }

    /// Lets every host in unless `[scope] hosts` names some: for a page of which nothing but redirects is followed.
    pub fn let_redirects_in(&mut self) {
        if self.hosts_follow_seeds {
            self.scope.hosts.clear();
        }
    }

    /// All values in force, key to value, without secrets: what a run writes into its record.
    #[must_use]
    pub fn effective_values(&self) -> BTreeMap<String, String> {
        self.effective.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    }

    /// A user who writes an address, or `localhost`, means it.
    pub(super) fn allow<'u>(&mut self, urls: impl IntoIterator<Item = &'u CanonicalUrl>) {
        self.allow.extend(urls.into_iter().flat_map(addresses).map(IpNet::from));
        self.allow.sort_unstable();
        self.allow.dedup();
        self.http.addresses = AddressPolicy::new(self.allow.clone());
    }

    /// Copies the seeds into the recipe, which is a spider of its own.
    pub(super) fn share_seeds(&mut self) {
        let requests = self.requests();
        if let Reader::Recipe(recipe) = &mut self.reader {
            recipe.seeds = requests;
            recipe.seed_file.clone_from(&self.seed_file);
        }
    }

    fn let_in(&mut self, url: &CanonicalUrl, change: ScopeChange) {
        // A scope without hosts holds every host: to name one would shut out the others.
        let open = self.scope.hosts.is_empty() && !self.hosts_follow_seeds;
        let wanted = self.hosts_follow_seeds || change == ScopeChange::Always;
        if let Ok(host) = HostPattern::parse(url.host())
            && wanted
            && !open
        {
            self.scope.hosts.push(host);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScopeChange {
    Always,
    IfItFollowsSeeds,
}

/// A crawl that leaves this machine says whose it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no contact for the crawl of {host}: write contact = \"https://…\" or contact = \"you@example.com\" under [identity], so that the owner of a site can reach you"
)]
pub struct MissingContact {
    /// A host that would be visited.
    pub host: String,
}

/// Addresses that the URL names itself.
fn addresses(url: &CanonicalUrl) -> Vec<IpAddr> {
    match url.as_url().host() {
        Some(url::Host::Ipv4(address)) => vec![address.into()],
        Some(url::Host::Ipv6(address)) => vec![address.into()],
        Some(url::Host::Domain(_)) if is_local(url) => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        _ => Vec::new(),
    }
}

fn is_local(url: &CanonicalUrl) -> bool {
    is_loopback(url.host())
}
