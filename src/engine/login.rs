//! Logging in: which form is sent, with what, and whether the answer says that we are in.
//!
//! Rules kept here. What is secret is in memory only: the request that waits has its place left open, and it is filled in when the
//! request leaves, if it goes to the origin that the configuration names. It is filled into fields by their names and never by
//! what a page has written into them. A form that would write it into a URL, or send it to another origin, is not sent.
//!
//! Nothing here asks for anything: the login page and the form go through the frontier like any page.

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::Serialize;

use super::worker::Context;
use crate::fetch::{Fetcher, SecretBody};
use crate::page::Page;
use crate::page::css::Css;
use crate::page::form::{Form, Submission};
use crate::politeness::{Class, Outcome};
use crate::request::{Kind, Request};
use crate::response::Response;
use crate::url::{CanonicalUrl, Fingerprint};

/// How a crawl logs in before it asks for anything else.
///
/// ```
/// use crawl::engine::Login;
/// use crawl::page::css::Css;
/// use crawl::url::CanonicalUrl;
///
/// let login = Login::new(CanonicalUrl::parse("https://shop.example/login").unwrap())
///     .field("username", "reader")
///     .field("password", std::env::var("SHOP_PASSWORD").unwrap_or_default())
///     .check(Css::parse("a.logout").unwrap());
/// assert!(!format!("{login:?}").contains("reader"));
/// ```
#[derive(Clone)]
pub struct Login {
    url: CanonicalUrl,
    form: Option<Css>,
    fields: Vec<(String, String)>,
    check: Option<Css>,
    fail: Option<Css>,
}

/// Without what is filled in.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.iter().map(|(name, _)| name).collect();
        f.debug_struct("Login").field("url", &self.url).field("fields", &names).finish_non_exhaustive()
    }
}

impl Login {
    /// With the form of the page at `url`: the first that asks for a password. What is filled in goes to the origin of this URL
    /// and to no other.
    #[must_use]
    pub fn new(url: CanonicalUrl) -> Self {
        Self { url, form: None, fields: Vec::new(), check: None, fail: None }
    }

    /// With the form that this selector finds.
    #[must_use]
    pub fn form(mut self, css: Css) -> Self {
        self.form = Some(css);
        self
    }

    /// Fills `value` into the field of this name, which the form must have.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The answer must have this. Without it, and without [`Login::fail`], it must not ask for a password again.
    #[must_use]
    pub fn check(mut self, css: Css) -> Self {
        self.check = Some(css);
        self
    }

    /// The answer must not have this.
    #[must_use]
    pub fn fail(mut self, css: Css) -> Self {
        self.fail = Some(css);
        self
    }

    /// The page that has the form.
    #[must_use]
    pub fn url(&self) -> &CanonicalUrl {
        &self.url
    }

    /// The request for the page that has the form.
    pub(super) fn page(&self) -> Request {
        Request::get(self.url.clone()).for_login()
    }

    /// Changes with where and how it is done, not with what is filled in: that is written nowhere, not even as a digest.
    pub(super) fn rules(&self) -> u64 {
        let mut digest = Fingerprint::hasher();
        let css = self.form.as_ref().map_or("", Css::as_str);
        for part in
            [self.url.as_str(), css].into_iter().chain(self.fields.iter().map(|(name, _)| name.as_str()))
        {
            digest.update(part.as_bytes());
            digest.update(&[0]);
        }
        Fingerprint::from_hasher(&digest).get()
    }

    /// What is to be done after `page`, which a request of the login has brought.
    pub(super) fn next(&self, page: &Page, went_with_cookies: bool) -> Result<LoginStep, LoginFailure> {
        if has_sent(page.request()) {
            return self.judge(page).map(|()| LoginStep::Done);
        }
        if self.check.is_some() && self.judge(page).is_ok() {
            // Cookies of an earlier round are still good.
            return Ok(LoginStep::Done);
        }
        match self.form_of(page) {
            Some(form) => self.request(&form).map(|request| LoginStep::Ask(Box::new(request))),
            // Who is known is often led away from a login page.
            None if self.check.is_none() && went_with_cookies && page.request().hops > 0 => {
                self.judge(page).map(|()| LoginStep::Done)
            }
            None => Err(LoginFailure::NoForm),
        }
    }

    fn form_of(&self, page: &Page) -> Option<Form> {
        match &self.form {
            Some(css) => page.form(css).ok().flatten(),
            None => page.forms().into_iter().find(Form::has_password),
        }
    }

    fn request(&self, form: &Form) -> Result<Request, LoginFailure> {
        let names: Vec<_> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        let has = |name: &&str| form.fields().iter().any(|field| field.name == **name);
        if !names.iter().all(has) {
            return Err(LoginFailure::NoField);
        }
        let (request, open) = form.request_without(&names).map_err(|_| LoginFailure::Form)?;
        if request.method != Method::POST {
            return Err(LoginFailure::Query);
        }
        if request.origin() != self.url.origin() {
            return Err(LoginFailure::OtherOrigin);
        }
        request.for_login().with_data(&open).map_err(|_| LoginFailure::Form)
    }

    fn judge(&self, page: &Page) -> Result<(), LoginFailure> {
        let has = |css: &Css| page.matches(css).next().is_some();
        match (&self.check, &self.fail) {
            (_, Some(fail)) if has(fail) => Err(LoginFailure::FailFound),
            (Some(check), _) if !has(check) => Err(LoginFailure::CheckMissing),
            (None, None) if page.forms().iter().any(Form::has_password) => Err(LoginFailure::AsksAgain),
            _ => Ok(()),
        }
    }

    /// The body of a request as it leaves; none if nothing of it is secret.
    pub(super) fn body(&self, request: &Request) -> Option<SecretBody> {
        if request.kind != Kind::Login || request.body.is_none() || request.origin() != self.url.origin() {
            return None;
        }
        let open = request.data::<Submission>().ok()?;
        let value = |name: &str| {
            let field = self.fields.iter().find(|(field, _)| field == name);
            field.map(|(_, value)| value.clone())
        };
        Some(SecretBody::new(open.filled(value).body()))
    }

    /// What follows a redirect of a request of the login.
    pub(super) fn redirected(&self, next: Request) -> Result<LoginStep, LoginFailure> {
        if next.body.is_some() && next.origin() != self.url.origin() {
            return Err(LoginFailure::OtherOrigin);
        }
        Ok(LoginStep::Ask(Box::new(next)))
    }
}

/// Whether the form was sent on the way to this request.
fn has_sent(request: &Request) -> bool {
    request.data::<Submission>().is_ok()
}

/// Whether a request of the login may be made a second time: a form is sent once, unless the server has said that it did not look
/// at it.
pub(super) fn may_be_repeated(request: &Request, outcome: &Outcome) -> bool {
    request.method != Method::POST || outcome.class == Class::Throttled
}

/// What is to be done next to log in.
#[derive(Debug)]
pub(super) enum LoginStep {
    /// Ask this.
    Ask(Box<Request>),
    /// Nothing: we are in.
    Done,
}

/// Why a crawl could not log in. Nothing else was asked then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoginFailure {
    /// robots.txt forbids it.
    #[error("robots.txt forbids the login page: ask the owner of the site")]
    Disallowed,
    /// An answer of another status than a success.
    #[error("the server answered {0}: are name and password right, and is this the login page?")]
    Status(u16),
    /// No answer, or a broken one.
    #[error("the server gave no whole answer: run it again later")]
    NoAnswer,
    /// A redirect without an end.
    #[error("the login is redirected to nowhere: see where the login page leads in a browser")]
    DeadEnd,
    /// A redirect out of the crawl's scope.
    #[error("the login is redirected out of the scope of the crawl: let [scope] hold where it leads")]
    OutOfScope,
    /// The page has no such form.
    #[error(
        "the login page has no form with a password, or none that `form` finds: check its URL, or name the form"
    )]
    NoForm,
    /// The form has no field of a name that is to be filled in.
    #[error(
        "the login form lacks a field that is to be filled in: use the names of its inputs, as the page has them"
    )]
    NoField,
    /// The form cannot be sent.
    #[error("the login form cannot be sent: its action leads nowhere")]
    Form,
    /// The form would be sent with GET.
    #[error("the login form would write the password into a URL (method=get), so it is not sent")]
    Query,
    /// The form or a redirect would take the password elsewhere.
    #[error(
        "the login form leads to another origin than the login page that is configured, so it is not sent: give the URL of the page at that origin"
    )]
    OtherOrigin,
    /// The answer asks for a password.
    #[error(
        "the answer asks for a password again: are name and password right? (If every page asks, say with `check` what only members see)"
    )]
    AsksAgain,
    /// The answer lacks what it should have.
    #[error("the answer has nothing that `check` finds: are name and password right?")]
    CheckMissing,
    /// The answer has what it should not.
    #[error("the answer has what `fail` finds: are name and password right?")]
    FailFound,
    /// The page could not be read.
    #[error("the login page could not be read: this is a defect, please report it")]
    Unreadable,
}

impl LoginFailure {
    /// What an outcome is that is no page and no redirect.
    pub(super) fn of(outcome: &Outcome) -> Self {
        outcome.status.filter(|status| !(200..300).contains(status)).map_or(Self::NoAnswer, Self::Status)
    }
}

impl<F: Fetcher> Context<F> {
    /// What the answer to a request of the login asks for.
    pub(super) fn logs_in(
        &self,
        request: Request,
        response: Response,
        went_with_cookies: bool,
    ) -> Result<LoginStep, LoginFailure> {
        let page = Page::new(Arc::new(request), response).with_canon(self.canon.clone());
        let login = self.login.as_ref().ok_or(LoginFailure::Unreadable)?;
        login.next(&page, went_with_cookies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://a.example/login";

    fn login() -> Login {
        let login = Login::new(CanonicalUrl::parse(URL).unwrap());
        login.field("user", "me").field("pass", "s3cret&=")
    }

    fn page_of(request: Request, body: &str) -> Page {
        let response = Response::of(request.url.clone(), http::StatusCode::OK, body.to_owned());
        Page::new(Arc::new(request), response)
    }

    fn page(body: &str) -> Page {
        page_of(login().page(), body)
    }

    fn form(attributes: &str, more: &str) -> String {
        format!("<form {attributes}><input name=user><input name=pass type=password>{more}</form>")
    }

    fn asked(step: Result<LoginStep, LoginFailure>) -> Request {
        match step {
            Ok(LoginStep::Ask(request)) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_request_that_waits_has_no_secret_and_the_one_that_leaves_has() {
        let token = "<input type=hidden name=token value=t>";
        let request = asked(login().next(&page(&form("method=post action=/in", token)), false));
        let waiting = format!("{request:?} {}", String::from_utf8_lossy(request.body.as_ref().unwrap()));
        assert!(!waiting.contains("s3cret"), "{waiting}");
        let body = login().body(&request).unwrap();
        assert_eq!(body.bytes(), &b"user=me&pass=s3cret%26%3D&token=t"[..]);
        assert!(!format!("{body:?}").contains("s3cret"));
    }

    #[test]
    fn what_a_page_writes_is_never_taken_for_a_secret() {
        let forged = "<input type=hidden name=x value='${PASSWORD}'><input type=hidden name=y value=pass>";
        let request = asked(login().next(&page(&form("method=post", forged)), false));
        let body = login().body(&request).unwrap();
        assert_eq!(body.bytes(), &b"user=me&pass=s3cret%26%3D&x=%24%7BPASSWORD%7D&y=pass"[..]);
    }

    #[test]
    fn a_form_that_would_give_the_secret_away_is_not_sent() {
        for (attributes, meant) in [
            ("", LoginFailure::Query),
            ("method=post action=https://b.example/", LoginFailure::OtherOrigin),
            ("method=post action=http://a.example/", LoginFailure::OtherOrigin),
            ("method=post action=https://a.example:8443/", LoginFailure::OtherOrigin),
            ("method=post action=javascript:x()", LoginFailure::Form),
        ] {
            assert_eq!(login().next(&page(&form(attributes, "")), false).unwrap_err(), meant, "{attributes}");
        }
        let moved = Request::post(CanonicalUrl::parse("https://b.example/").unwrap(), "user=&pass=");
        assert_eq!(login().redirected(moved.clone()).unwrap_err(), LoginFailure::OtherOrigin);
        assert!(login().body(&moved.for_login()).is_none());
    }

    #[test]
    fn a_form_without_the_fields_is_not_the_one() {
        let other = "<form method=post><input name=name><input name=pass type=password></form>";
        assert_eq!(login().next(&page(other), false).unwrap_err(), LoginFailure::NoField);
        assert_eq!(
            login().next(&page("<form><input name=q></form>"), false).unwrap_err(),
            LoginFailure::NoForm
        );
        let named = login().form(Css::parse("#b").unwrap());
        let body = form("method=post id=a action=/a", "") + &form("method=post id=b action=/b", "");
        assert_eq!(asked(named.next(&page(&body), false)).url.as_str(), "https://a.example/b");
    }

    #[test]
    fn the_answer_says_whether_we_are_in() {
        let sent = asked(login().next(&page(&form("method=post", "")), false));
        let answer = |login: &Login, body: &str| login.next(&page_of(sent.clone(), body), true).err();
        let again = form("method=post", "");
        assert_eq!(answer(&login(), "<p>welcome"), None);
        assert_eq!(answer(&login(), &again), Some(LoginFailure::AsksAgain));
        let checks = login().check(Css::parse(".out").unwrap());
        assert_eq!(answer(&checks, &format!("<a class=out>{again}")), None);
        assert_eq!(answer(&checks, "<p>hello"), Some(LoginFailure::CheckMissing));
        let fails = login().fail(Css::parse(".error").unwrap());
        assert_eq!(answer(&fails, "<p class=error>"), Some(LoginFailure::FailFound));
        assert_eq!(answer(&fails, &again), None);
    }

    #[test]
    fn who_is_in_already_needs_no_form() {
        let checks = login().check(Css::parse(".out").unwrap());
        assert!(matches!(checks.next(&page("<a class=out>"), true), Ok(LoginStep::Done)));
        let mut led_away = login().page();
        led_away.hops = 1;
        let away = |cookies: bool| login().next(&page_of(led_away.clone(), "<p>home"), cookies);
        assert!(matches!(away(true), Ok(LoginStep::Done)));
        assert_eq!(away(false).unwrap_err(), LoginFailure::NoForm);
    }

    #[test]
    fn the_rules_of_a_login_say_nothing_of_its_secrets() {
        assert_eq!(login().rules(), Login::new(login().url).field("user", "").field("pass", "").rules());
        assert_ne!(login().rules(), login().field("more", "").rules());
    }
}
