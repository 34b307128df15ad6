//! The part of the shop that only members see: a form with a token against forged requests, a cookie, and a few pages behind it.
//!
//! The name is `reader` and the password is `paper heron`. Nothing is remembered: a cookie carries a digest that only the shop
//! makes, so that members stay members when the shop is closed and opened again. `/members/logout` is linked from every members'
//! page and ends the membership, as on real sites.
//!
//! Pure: no clock, no I/O.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{Method, Response, StatusCode};

use super::pages::Press;
use super::rules::{Asked, Resource, bare, plain, with};
use crate::url::Fingerprint;

/// Everything below is for members.
pub(super) const MEMBERS: &str = "/members/";
/// Where the form is, and where it is sent to.
const LOGIN: &str = "/members/login";
const LOGOUT: &str = "/members/logout";
const NAME: &str = "reader";
const PASSWORD: &str = "paper heron";
/// Pages behind the form, beside their index.
const LETTERS: usize = 6;
/// Stand for what differs from visit to visit.
const TOKEN: &str = "@token@";
const ERROR: &str = "<!--error-->";

/// The members' pages, ready to be sent.
pub(super) struct Members {
    pages: HashMap<String, Resource>,
    form: String,
}

impl Members {
    pub(super) fn open(press: &Press<'_>) -> Self {
        let mut pages: HashMap<_, _> = (1..=LETTERS).map(|number| letter(press, number)).collect();
        let links: String = (1..=LETTERS)
            .map(|number| {
                format!(
                    "<li><a class=\"letter-link\" href=\"letter-{number}.html\">Letter {number}</a></li>\n"
                )
            })
            .collect();
        let main = format!("<h1>Letters to our readers</h1>\n<ul>\n{links}</ul>\n{}", way_out());
        let (path, page) = Resource::page(press.page(MEMBERS, "Members", &main));
        pages.insert(path, page);
        let main = format!(
            "<h1>Members</h1>\n{ERROR}<form id=\"login\" method=\"post\" action=\"{LOGIN}\">\n\
             <input type=\"hidden\" name=\"token\" value=\"{TOKEN}\">\n<input name=\"username\">\n\
             <input type=\"password\" name=\"password\">\n<button name=\"go\" value=\"in\">Log in</button>\n</form>\n"
        );
        Self { pages, form: press.page(LOGIN, "Log in", &main).html }
    }

    /// Answers a request for something below [`MEMBERS`]. `visits` counts those who came without a cookie.
    pub(super) fn answer(&self, visits: &mut u64, asked: &Asked<'_>) -> Response<Bytes> {
        match (asked.path, asked.method) {
            (LOGIN, &Method::POST) => self.let_in(asked),
            (LOGIN, _) => self.offer(visits, asked),
            (LOGOUT, _) => with(moved(LOGIN), SET_COOKIE, "member=; Path=/members/; Max-Age=0"),
            _ if !is_signed(asked, "member") => moved(LOGIN),
            _ => match self.pages.get(asked.path) {
                Some(page) => page.reply(asked),
                None => plain(StatusCode::NOT_FOUND, Bytes::new()),
            },
        }
    }

    /// The form, with a token that is good for this visit.
    fn offer(&self, visits: &mut u64, asked: &Asked<'_>) -> Response<Bytes> {
        if let Some(visit) = cookie(asked, "visit") {
            return self.form(visit, "");
        }
        *visits += 1;
        let visit = signed("visit", &visits.to_string());
        let set = format!("visit={visit}; Path=/members/; HttpOnly");
        with(self.form(&visit, ""), SET_COOKIE, &set)
    }

    fn let_in(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let sent: HashMap<_, _> = url::form_urlencoded::parse(asked.body).collect();
        let field = |name: &str| sent.get(name).map(AsRef::as_ref).unwrap_or_default();
        let visit = cookie(asked, "visit").unwrap_or_default();
        if !is_signed(asked, "visit") || field("token") != token(visit) {
            return plain(StatusCode::FORBIDDEN, Bytes::new());
        }
        if (field("username"), field("password")) != (NAME, PASSWORD) {
            return self.form(visit, "<p class=\"error\">Name or password are wrong.</p>\n");
        }
        let set = format!("member={}; Path=/members/; HttpOnly", signed("member", NAME));
        with(moved(MEMBERS), SET_COOKIE, &set)
    }

    fn form(&self, visit: &str, error: &str) -> Response<Bytes> {
        let html = self.form.replace(TOKEN, &token(visit)).replace(ERROR, error);
        let reply = with(bare(StatusCode::OK, html.into()), CONTENT_TYPE, super::rules::HTML);
        with(reply, http::header::CACHE_CONTROL, "no-store")
    }
}

fn letter(press: &Press<'_>, number: usize) -> (String, Resource) {
    let main = format!(
        "<h1 class=\"letter\">Letter {number}</h1>\n<p>Dear reader, this one is for you alone.</p>\n{}",
        way_out()
    );
    Resource::page(press.page(&format!("{MEMBERS}letter-{number}.html"), &format!("Letter {number}"), &main))
}

fn way_out() -> String {
    format!("<p><a class=\"logout\" href=\"{LOGOUT}\">Log out</a></p>\n")
}

fn moved(to: &str) -> Response<Bytes> {
    with(plain(StatusCode::SEE_OTHER, Bytes::new()), LOCATION, to)
}

/// A text with a digest that nobody else is meant to make: good enough for a shop of invented books.
fn signed(what: &str, text: &str) -> String {
    format!("{text}.{:016x}", Fingerprint::of(format!("heron {what} {text}").as_bytes()).get())
}

fn token(visit: &str) -> String {
    format!("{:016x}", Fingerprint::of(format!("token {visit}").as_bytes()).get())
}

fn is_signed(asked: &Asked<'_>, name: &str) -> bool {
    cookie(asked, name)
        .and_then(|value| Some((value.split_once('.')?.0, value)))
        .is_some_and(|(text, value)| signed(name, text) == value)
}

fn cookie<'a>(asked: &Asked<'a>, name: &str) -> Option<&'a str> {
    let pairs = asked.cookie?.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::catalogue;

    fn members() -> Members {
        let books = catalogue::stock();
        Members::open(&Press { books: &books, base: "http://127.0.0.1:8000" })
    }

    fn ask(method: &Method, path: &str, cookie: Option<&str>, body: &str) -> Response<Bytes> {
        let body = body.as_bytes();
        let asked = Asked { method, path, if_none_match: None, if_modified_since: None, cookie, body };
        members().answer(&mut 0, &asked)
    }

    fn set(reply: &Response<Bytes>) -> String {
        let field = reply.headers()[SET_COOKIE].to_str().unwrap();
        field.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn who_has_name_password_and_token_is_let_in() {
        let form = ask(&Method::GET, LOGIN, None, "");
        let visit = set(&form);
        let html = String::from_utf8(form.body().to_vec()).unwrap();
        let token = html.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = |password: &str| format!("token={token}&username=reader&password={password}");
        let wrong = ask(&Method::POST, LOGIN, Some(&visit), &body("heron"));
        assert!(wrong.status() == 200 && String::from_utf8_lossy(wrong.body()).contains("class=\"error\""));
        assert_eq!(ask(&Method::POST, LOGIN, None, &body("paper+heron")).status(), 403);
        let right = ask(&Method::POST, LOGIN, Some(&visit), &body("paper+heron"));
        assert_eq!(right.status(), StatusCode::SEE_OTHER);
        assert_eq!(right.headers()[LOCATION], MEMBERS);
        assert_eq!(ask(&Method::GET, MEMBERS, Some(&set(&right)), "").status(), 200);
    }

    #[test]
    fn who_has_no_cookie_or_a_forged_one_sees_the_form() {
        for cookie in [None, Some("member=reader.0"), Some("visit=1; member=")] {
            let reply = ask(&Method::GET, "/members/letter-1.html", cookie, "");
            assert_eq!(reply.headers()[LOCATION], LOGIN, "{cookie:?}");
        }
    }
}
