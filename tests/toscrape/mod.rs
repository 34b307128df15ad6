//! books.toscrape.com and quotes.toscrape.com as they are built, with a stock of our own, on this machine: what tutorials of
//! scraping crawl. What a crawl must find is told from the stock, not read from pages.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

pub mod books;
#[path = "../loopback/mod.rs"]
mod loopback;
pub mod quotes;

/// What a path is answered with.
pub enum Answer {
    Page(String),
    /// 308 to this path.
    Moved(String),
}

type Pages = Arc<BTreeMap<String, Answer>>;

/// A server of one of the sites; what it does not know is answered 404.
pub struct Site {
    origin: String,
    pages: Arc<Mutex<Pages>>,
    answered: Arc<AtomicUsize>,
}

impl Site {
    pub fn start(pages: BTreeMap<String, Answer>) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let pages = Arc::new(Mutex::new(Arc::new(pages)));
        let site = Self { origin, pages: Arc::clone(&pages), answered: Arc::default() };
        let answered = Arc::clone(&site.answered);
        // A crawler that is killed goes away in the middle.
        loopback::serve(listener, move |stream| serve(&stream, &pages, &answered));
        site
    }

    /// The address without a slash at its end.
    pub fn origin(&self) -> String {
        self.origin.clone()
    }

    /// From now on these are the pages.
    pub fn change(&self, pages: BTreeMap<String, Answer>) {
        *self.pages.lock().unwrap() = Arc::new(pages);
    }

    /// How many requests were answered.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Answers one request after the other, until the client goes.
fn serve(mut stream: &TcpStream, pages: &Mutex<Pages>, answered: &AtomicUsize) -> std::io::Result<()> {
    while let Some(request) = loopback::head(stream) {
        let pages = Arc::clone(&pages.lock().unwrap());
        let (status, fields, body) = match pages.get(loopback::path(&request)) {
            Some(Answer::Page(html)) => ("200 OK", String::new(), html.as_str()),
            Some(Answer::Moved(to)) => ("308 Permanent Redirect", format!("Location: {to}\r\n"), "moved"),
            None => ("404 Not Found", String::new(), "not found"),
        };
        // Neither site says its charset in the header.
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{fields}Content-Length: {}\r\n\r\n",
            body.len()
        );
        answered.fetch_add(1, Ordering::SeqCst);
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
    Ok(())
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Items in an order of their own: two crawls may find them in different orders.
pub fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.iter_mut().for_each(Value::sort_all_objects);
    items.sort_by_cached_key(Value::to_string);
    items
}
