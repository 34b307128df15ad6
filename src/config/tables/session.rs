//! `[cookies]` and `[login]`: what a site knows us by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ordered::ordered;
use super::seeds::start_of;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::{LoginPlan, Start};
use crate::config::units::Size;
use crate::cookies::{CookieJar, Jar, JarLimits};
use crate::page::css::Css;
use crate::time::Timestamp;
use crate::url::Canon;

/// Cookies to begin with, by host.
type Given = Vec<(String, String)>;

/// Cookies (RFC 6265). They are kept with the crawl's state: those of the session for a round, the others until their time is up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Cookies")]
pub(in crate::config) struct CookiesTable {
    /// Whether cookies that servers set are kept and sent back. Default true.
    keep: Option<bool>,
    /// Most cookies of one domain; of more, that which was not used for the longest time goes. Default 50.
    #[schemars(range(min = 1, max = 1_000))]
    max_per_domain: Option<usize>,
    /// Most bytes of a cookie's name and value together; a longer one is not taken. Default "4KiB", and "64KiB" at most.
    max_bytes: Option<Size>,
    /// Cookies to begin with, by host: `"a.example" = "name=value; other=value"`; `"*.a.example"` for everything below it too,
    /// `"https://a.example"` for https only. Values that are secret come from the environment: `"session=${SESSION}"`.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    set: Vec<(String, String)>,
}

/// How the crawl logs in, before it asks for anything else. If that fails, nothing else is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Login")]
pub(in crate::config) struct LoginTable {
    /// The page that has the login form. It must belong to the scope. What is filled in goes to the origin of this URL only.
    url: Option<String>,
    /// The form, as a CSS selector. Default: the first form with a password field.
    form: Option<String>,
    /// What is filled in, by the names of the form's fields. Secrets come from the environment: `password = "${SITE_PASSWORD}"`.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    fields: Vec<(String, String)>,
    /// A CSS selector for what the answer must have. Default, if there is no `fail` either: no form that asks for a password.
    check: Option<String>,
    /// A CSS selector for what the answer must not have.
    fail: Option<String>,
}

/// A domain is gone through cookie by cookie.
const MOST_PER_DOMAIN: usize = 1_000;
/// More than the head of a request may have.
const MOST_BYTES: u64 = 64 << 10;

impl CookiesTable {
    pub(in crate::config) fn limits(&self, check: &mut Check<'_>) -> JarLimits {
        let top = Path::of(&["cookies"]);
        let usual = JarLimits::default();
        let per_domain = self.max_per_domain.unwrap_or(usual.per_domain);
        check.must(
            (1..=MOST_PER_DOMAIN).contains(&per_domain),
            &top.key("max-per-domain"),
            "expected 1 to 1000; with keep = false no cookie is kept",
        );
        let bytes = self.max_bytes.map_or(usual.bytes as u64, |size| size.0);
        check.must(
            (1..=MOST_BYTES).contains(&bytes),
            &top.key("max-bytes"),
            "expected a size from 1 byte to \"64KiB\"; with keep = false no cookie is kept",
        );
        JarLimits { per_domain, bytes: usize::try_from(bytes).unwrap_or(usual.bytes) }
    }

    /// What is in the jar to begin with; none if there is none.
    fn build(self, check: &mut Check<'_>) -> Option<Given> {
        let top = Path::of(&["cookies"]);
        let mut jar = Jar::default();
        for (place, pairs) in &self.set {
            check.taken(&top.key("set").key(place), jar.give(place, pairs, Timestamp::ZERO));
        }
        let keep = self.keep.unwrap_or_default();
        check.must(
            keep || self.set.is_empty(),
            &top.key("keep"),
            "with keep = false no cookie is sent: leave out `set`, or put a Cookie under [hosts.\"name\".headers]",
        );
        keep.then_some(self.set)
    }
}

impl LoginTable {
    fn build(self, canon: &Canon, check: &mut Check<'_>) -> Option<(Path, LoginPlan)> {
        let top = Path::of(&["login"]);
        let given = ["form", "fields", "check", "fail"].map(|key| top.key(key));
        let Some(url) = &self.url else {
            if let Some(first) = given.iter().find(|place| check.is_there(place)) {
                check.missing_for(
                    &top.key("url"),
                    first,
                    "a login needs the `url` of the page with its form",
                );
            }
            return None;
        };
        let place = top.key("url");
        let start = start_of(url, &place, canon, check)?;
        let mut css = |key: &str, text: Option<&String>| {
            text.and_then(|text| check.taken(&top.key(key), Css::parse(text)))
        };
        let form = css("form", self.form.as_ref());
        let (must, must_not) = (css("check", self.check.as_ref()), css("fail", self.fail.as_ref()));
        if !check.has_entries(&top.key("fields")) {
            let example = "a login fills something in: write fields = { username = \"${SITE_USER}\", password = \"${SITE_PASSWORD}\" } \
                           with the names that the form's inputs have";
            check.missing_for(&top.key("fields"), &place, example);
        }
        for (name, value) in &self.fields {
            let place = top.key("fields").key(name);
            check.must(!name.is_empty(), &place, "expected the name of an input of the form");
            check.must(
                !value.is_empty(),
                &place,
                "nothing would be filled in: is the environment variable empty?",
            );
        }
        let plan = LoginPlan { start, form, fields: self.fields, check: must, fail: must_not };
        Some((place, plan))
    }
}

/// Cookies to begin with, and the login with its place. A login is of no use without cookies.
pub(in crate::config) fn build(
    cookies: CookiesTable,
    login: LoginTable,
    canon: &Canon,
    check: &mut Check<'_>,
) -> (Option<Given>, Option<(Path, LoginPlan)>) {
    let (cookies, login) = (cookies.build(check), login.build(canon, check));
    check.must(
        login.is_none() || cookies.is_some(),
        &Path::of(&["cookies", "keep"]),
        "a crawl that logs in keeps cookies: remove this, or [login]",
    );
    (cookies, login)
}

/// A jar with these cookies in it, which takes so much.
pub(in crate::config) fn jar_of(given: &[(String, String)], limits: JarLimits) -> CookieJar {
    let jar = CookieJar::with_limits(limits);
    for (place, pairs) in given {
        jar.open().give(place, pairs, Timestamp::ZERO).expect("they were tried when the file was read");
    }
    jar
}

impl LoginPlan {
    /// The URL of the page with the form, unless it is one of the demo site that is not placed yet.
    pub(in crate::config) fn url(&self) -> Option<&crate::url::CanonicalUrl> {
        match &self.start {
            Start::Url(url) => Some(url),
            Start::Demo(_) => None,
        }
    }
}
