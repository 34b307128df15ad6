//! The HTML of the demo bookshop: one small template function for each kind of page.
//!
//! Class names are stable, because examples and tests select by them. In lists: `.book-card` with `.book-link`, `.author`,
//! `.price`, `.rating`. On the page of a book, inside `article.book`: `.title`, `.author`, `.price`, `.stock`, `.rating`, `.upc`,
//! `.description`; outside of it `.breadcrumb` and `.related`. Between index pages: `a[rel=next]`. Links are relative, rooted
//! and absolute by turns, as on real sites.
//!
//! Pure: no clock, no I/O. Knows nothing of requests and status codes.

mod book;

pub(super) use book::cover;

use super::catalogue::{AUTHORS, Author, Book, CATEGORIES, Category, OPENED, PAGE_LENGTH};
use super::conditional::plain_date;

/// How many pages of weeks the section of new arrivals has, besides its front page.
pub(super) const WEEKS: usize = 14;

const BOOKS_A_WEEK: usize = 5;

/// Old numbers of books that still lead to the book: each is `/books/<number>` on the list of classic links.
pub(super) const CLASSICS: [usize; 3] = [1007, 1042, 1133];

/// A page that is there for every reader.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) html: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

/// What the templates write from: the books and the shop's own absolute address, without a slash at its end.
pub(super) struct Press<'a> {
    pub(super) books: &'a [Book],
    pub(super) base: &'a str,
}

/// What differs between the frames of two pages.
struct Frame<'a> {
    title: &'a str,
    summary: &'a str,
    path: &'a str,
    /// More lines for the head.
    head: &'a str,
    main: &'a str,
}

impl Press<'_> {
    /// Every page that answers 200 and that robots.txt allows.
    pub(super) fn all(&self) -> Vec<Page> {
        let mut pages =
            vec![self.home(), self.about(), self.news(), self.shelves(), self.authors(), self.arrivals()];
        pages.extend((1..=WEEKS).map(|week| self.week(week)));
        pages.extend((0..AUTHORS.len()).map(|author| self.author(author)));
        for (category, shelf) in CATEGORIES.iter().enumerate() {
            pages.extend((1..=shelf.index_pages()).map(|n| self.index(category, n)));
        }
        pages.extend((0..self.books.len()).map(|n| self.book(n)));
        pages
    }

    /// A page that is not part of the shop's offer: the basket, or what goes with a refusal.
    pub(super) fn notice(&self, path: &str, title: &str, text: &str) -> Page {
        let main = format!(
            "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"/\">Back to the shop</a></p>\n",
            escape(title),
            escape(text)
        );
        self.framed(&Frame { title, summary: text, path, head: "", main: &main }, OPENED)
    }

    /// A page with this inside.
    pub(super) fn page(&self, path: &str, title: &str, main: &str) -> Page {
        self.framed(&Frame { title, summary: title, path, head: "", main }, OPENED)
    }

    fn home(&self) -> Page {
        let picks: Vec<&Book> = self.books.iter().step_by(21).collect();
        let cards = cards(&picks, |b| format!("{}{}", self.base, b.path()));
        let main = format!(
            "<h1>Books nobody has read yet</h1>\n<p>Every title here is invented, and so is this shop: the crawler serves it \
             itself, on your own machine. Read <a href=\"news.html\">the news</a> or <a href=\"about.html\">about us</a>.</p>\n\
             <h2>Shelves</h2>\n{}<h2>Picks of the house</h2>\n{cards}",
            shelf_list()
        );
        let frame = Frame {
            title: "Paper Heron Books",
            summary: "A bookshop of invented books, for crawlers to practise on",
            path: "/",
            head: "",
            main: &main,
        };
        self.framed(&frame, newest(&picks))
    }

    fn about(&self) -> Page {
        let classics: String =
            CLASSICS.iter().map(|n| format!("<li><a href=\"/books/{n}\">Book no. {n}</a></li>\n")).collect();
        let main = format!(
            "<h1>About us</h1>\n<p>Paper Heron Books &amp; Friends sells what was never written. Write to \
             <a href=\"mailto:owner@bookshop.invalid\">the owner</a>, or see <a href=\"/sitemap.xml\">the site map</a>.</p>\n\
             <h2 id=\"classics\">Classic links</h2>\n<p>We moved, and our old addresses still work. Most of them.</p>\n\
             <ul class=\"classic-links\">\n{classics}\
             <li><a href=\"{}/index.html\">The old front page</a></li>\n<li><a href=\"/shop/\">The old shop</a></li>\n\
             <li><a href=\"/staff-picks-2019.html\">Staff picks of 2019</a></li>\n</ul>\n\
             <p><a href=\"#classics\">Up</a></p>\n",
            self.base
        );
        let summary = "Who we are, and where our old addresses went";
        self.framed(&Frame { title: "About us", summary, path: "/about.html", head: "", main: &main }, OPENED)
    }

    fn news(&self) -> Page {
        let main = "<h1>News</h1>\n<article class=\"news-item\">\n<h2>The heron is back on its roof</h2>\n\
                    <p>It has nothing to say, and we print it in full.</p>\n</article>\n";
        let summary = "What is new in the shop";
        self.framed(&Frame { title: "News", summary, path: "/news.html", head: "", main }, OPENED)
    }

    fn shelves(&self) -> Page {
        let main = format!(
            "<h1>Catalogue</h1>\n<p>{} books on {} shelves.</p>\n{}",
            self.books.len(),
            CATEGORIES.len(),
            shelf_list()
        );
        let summary = "All shelves of the shop";
        self.framed(
            &Frame { title: "Catalogue", summary, path: "/catalogue/", head: "", main: &main },
            OPENED,
        )
    }

    fn authors(&self) -> Page {
        let links: String = AUTHORS
            .iter()
            .map(|a| {
                format!("<li><a class=\"author-link\" href=\"{}.html\">{}</a></li>\n", a.slug, escape(a.name))
            })
            .collect();
        let main = format!("<h1>Authors</h1>\n<ul class=\"author-list\">\n{links}</ul>\n");
        let summary = "Everyone who writes for the shop";
        self.framed(&Frame { title: "Authors", summary, path: "/authors/", head: "", main: &main }, OPENED)
    }

    fn author(&self, author: usize) -> Page {
        let Author { name, slug, home } = &AUTHORS[author];
        let written: Vec<&Book> = self.books.iter().filter(|b| b.author == author).collect();
        let summary = format!("{name} lives in {home} and has written {} of our books.", written.len());
        let main = format!(
            "<h1 class=\"author-name\">{}</h1>\n<p class=\"biography\">{}</p>\n{}",
            escape(name),
            escape(&summary),
            cards(&written, Book::path)
        );
        let path = format!("/authors/{slug}.html");
        self.framed(
            &Frame { title: name, summary: &summary, path: &path, head: "", main: &main },
            newest(&written),
        )
    }

    fn arrivals(&self) -> Page {
        let weeks: String = (1..=WEEKS)
            .map(|n| format!("<li><a href=\"week-{n}.html\">Arrivals of week {n}</a></li>\n"))
            .collect();
        let main = format!(
            "<h1>New arrivals</h1>\n<p>This part of the shop is small: no rush, please.</p>\n<ul>\n{weeks}</ul>\n"
        );
        let summary = "What came in, week by week";
        self.framed(
            &Frame { title: "New arrivals", summary, path: "/new-arrivals/", head: "", main: &main },
            OPENED,
        )
    }

    fn week(&self, week: usize) -> Page {
        let fresh: Vec<&Book> =
            (0..BOOKS_A_WEEK).map(|i| &self.books[(week * 17 + i * 41) % self.books.len()]).collect();
        let title = format!("Arrivals of week {week}");
        let main = format!("<h1>{title}</h1>\n{}", cards(&fresh, |b| format!("..{}", b.path())));
        let path = format!("/new-arrivals/week-{week}.html");
        let summary = format!("{BOOKS_A_WEEK} books that came in during week {week}");
        self.framed(
            &Frame { title: &title, summary: &summary, path: &path, head: "", main: &main },
            newest(&fresh),
        )
    }

    fn index(&self, category: usize, number: usize) -> Page {
        let shelf = &CATEGORIES[category];
        let all: Vec<&Book> = self.books.iter().filter(|b| b.category == category).collect();
        let here =
            all.chunks(PAGE_LENGTH).nth(number - 1).expect("a shelf has books for each of its index pages");
        let (head, foot) = pagination(shelf, number);
        let main = format!(
            "{}<h1>{}</h1>\n<p class=\"count\">{} books, page {number} of {}</p>\n{}{foot}",
            breadcrumb(shelf, None),
            escape(shelf.name),
            all.len(),
            shelf.index_pages(),
            cards(here, |b| b.file.clone())
        );
        let path = format!(
            "/catalogue/{}/{}",
            shelf.slug,
            if number == 1 { String::new() } else { index_file(number) }
        );
        let title = format!("{}, page {number}", shelf.name);
        let summary = format!("Books about {}", shelf.topic);
        self.framed(
            &Frame { title: &title, summary: &summary, path: &path, head: &head, main: &main },
            newest(here),
        )
    }

    fn framed(&self, frame: &Frame<'_>, modified: u64) -> Page {
        let Frame { title, summary, path, head, main } = frame;
        let (title, summary, base) = (escape(title), escape(summary), self.base);
        let changed = plain_date(modified);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <meta name=\"description\" content=\"{summary}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"canonical\" href=\"{base}{path}\">\n<link rel=\"stylesheet\" href=\"/style.css\">\n{head}</head>\n<body>\n\
             <header class=\"site-header\">\n<a class=\"logo\" href=\"/\">Paper Heron Books</a>\n\
             <nav class=\"main-nav\" aria-label=\"Main\">\n<a href=\"/catalogue/\">Catalogue</a>\n<a href=\"/authors/\">Authors</a>\n\
             <a href=\"/new-arrivals/\">New arrivals</a>\n<a href=\"{base}/about.html\">About us</a>\n\
             <a href=\"/basket/\" rel=\"nofollow\">Basket</a>\n</nav>\n</header>\n<main>\n{main}</main>\n\
             <footer class=\"site-footer\">\n<p>Last changed on <time datetime=\"{changed}\">{changed}</time>. \
             No book was written for this shop.</p>\n</footer>\n</body>\n</html>\n"
        );
        Page { path: (*path).to_owned(), html, modified }
    }
}

/// Text as it may stand in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn newest(books: &[&Book]) -> u64 {
    books.iter().map(|b| b.updated).max().unwrap_or(OPENED)
}

fn shelf_list() -> String {
    let shelves: String = CATEGORIES
        .iter()
        .map(|c| {
            format!(
                "<li><a class=\"category-link\" href=\"/catalogue/{}/\">{}</a></li>\n",
                c.slug,
                escape(c.name)
            )
        })
        .collect();
    format!("<ul class=\"category-list\">\n{shelves}</ul>\n")
}

fn cards(books: &[&Book], href: impl Fn(&Book) -> String) -> String {
    let cards: String = books
        .iter()
        .map(|b| {
            format!(
                "<li class=\"book-card\">\n<a class=\"book-link\" href=\"{}\">{}</a>\n<span class=\"author\">{}</span>\n\
                 <span class=\"price\">{}</span>\n{}</li>\n",
                href(b),
                escape(&b.title),
                escape(b.author().name),
                b.price(),
                rating(b)
            )
        })
        .collect();
    format!("<ul class=\"book-list\">\n{cards}</ul>\n")
}

fn rating(book: &Book) -> String {
    let stars: String = (1..=5).map(|star| if star <= book.rating { '★' } else { '☆' }).collect();
    format!("<p class=\"rating rating-{0}\" title=\"{0} of 5 stars\">{stars}</p>\n", book.rating)
}

/// The way from the home page down to a shelf or to one of its books.
fn breadcrumb(shelf: &Category, book: Option<&Book>) -> String {
    let name = escape(shelf.name);
    let end = match book {
        Some(book) => format!(
            "<li><a href=\"./\">{name}</a></li>\n<li aria-current=\"page\">{}</li>\n",
            escape(&book.title)
        ),
        None => format!("<li aria-current=\"page\">{name}</li>\n"),
    };
    format!(
        "<nav class=\"breadcrumb\" aria-label=\"Breadcrumb\">\n<ol>\n<li><a href=\"/\">Home</a></li>\n\
         <li><a href=\"../\">Catalogue</a></li>\n{end}</ol>\n</nav>\n"
    )
}

/// The links to the neighbours of an index page: for the head, and for the end of the page.
fn pagination(shelf: &Category, number: usize) -> (String, String) {
    let (mut head, mut foot) = (String::new(), String::new());
    let mut neighbour = |rel: &str, label: &str, file: &str| {
        head.push_str(&format!("<link rel=\"{rel}\" href=\"{file}\">\n"));
        foot.push_str(&format!("<a class=\"{rel}\" rel=\"{rel}\" href=\"{file}\">{label}</a>\n"));
    };
    if number > 1 {
        neighbour("prev", "Previous page", &index_file(number - 1));
    }
    if number < shelf.index_pages() {
        neighbour("next", "Next page", &index_file(number + 1));
    }
    (head, format!("<nav class=\"pagination\" aria-label=\"Pages\">\n{foot}</nav>\n"))
}

fn index_file(number: usize) -> String {
    if number == 1 { "./".to_owned() } else { format!("page-{number}.html") }
}
