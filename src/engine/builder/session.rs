//! What sites know the crawl by: cookies and a login.

use super::Builder;
use crate::cookies::CookieJar;
use crate::engine::Login;
use crate::fetch::Fetcher;

impl<F: Fetcher> Builder<F> {
    /// Keeps cookies in this jar, which may have some already, and which can be looked into while the crawl runs. Default: in one
    /// of its own. With a state directory what servers set is written down there, and is put into the jar when the crawl goes on.
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// Keeps no cookies.
    pub fn without_cookies(mut self) -> Self {
        self.cookies = None;
        self
    }

    /// Logs in before anything else is asked. If that fails, nothing else is: the run ends with
    /// [`End::LoginFailed`](crate::engine::End::LoginFailed). It is done once in a round; a run that goes on with the round is still in.
    pub fn login(mut self, login: Login) -> Self {
        self.login = Some(login);
        self
    }
}
