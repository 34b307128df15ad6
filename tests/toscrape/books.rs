//! A thousand books on fifty lists, in the markup of books.toscrape.com.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, escape};

/// How many books there are, twenty to a list.
pub const BOOKS: usize = 1_000;
const LISTED: usize = 20;
const LISTS: usize = BOOKS / LISTED;
const STARS: [&str; 5] = ["One", "Two", "Three", "Four", "Five"];
const CATEGORIES: [&str; 7] =
    ["Poetry", "Sequential Art", "Add a comment", "Women's Fiction", "Food & Drink", "Café", "Default"];

/// A number that looks drawn and follows from `number` alone.
fn draw(number: usize, salt: usize, below: usize) -> usize {
    number.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503)) % 1_000_003 % below
}

struct Book {
    number: usize,
    /// Prices and stock change from edition to edition.
    edition: usize,
    title: String,
}

impl Book {
    /// Every few titles have what breaks careless outputs: formulas, quotes, markup, letters beyond ASCII, line ends.
    fn of(number: usize, edition: usize) -> Self {
        let title = match number % 9 {
            0 => format!("=SUM(A1:A{number}) & \"Other\" <Tales>"),
            1 => format!("Ça ira, “déjà vu”; volume {number}"),
            2 => format!("It's Only the Himalayas #{number}"),
            3 => format!("{number} 夜 и 📚"),
            4 => format!("-{number}"),
            _ => format!("A Light in the Attic, {number}"),
        };
        Self { number, edition, title }
    }

    fn path(&self) -> String {
        format!("/catalogue/a-light-in-the-attic_{}/index.html", self.number)
    }

    fn pence(&self) -> usize {
        1_000 + draw(self.number, 1 + self.edition * 7, 5_000)
    }

    fn stock(&self) -> usize {
        draw(self.number, 2 + self.edition * 7, 23)
    }

    fn stars(&self) -> usize {
        draw(self.number, 3, 5)
    }

    fn category(&self) -> &'static str {
        CATEGORIES[draw(self.number, 4, CATEGORIES.len())]
    }

    fn upc(&self) -> String {
        format!("{:016x}", (self.number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Some books have none, as on the real site.
    fn description(&self) -> Option<String> {
        (self.number % 50 != 7)
            .then(|| format!("It's hard to imagine \"a world\" without number {}. ...more", self.number))
    }

    fn price(&self) -> String {
        format!("£{}.{:02}", self.pence() / 100, self.pence() % 100)
    }

    fn card(&self, up: &str) -> String {
        let Self { number, title, .. } = self;
        let short: String = title.chars().take(15).collect();
        format!(
            "<li class=\"col-xs-6 col-sm-4 col-md-3 col-lg-3\">\n<article class=\"product_pod\">\n<div class=\"image_container\">\
             <a href=\"{up}a-light-in-the-attic_{number}/index.html\"><img src=\"../media/cache/{number}.jpg\" alt=\"{title}\" class=\"thumbnail\"></a></div>\n\
             <p class=\"star-rating {stars}\"><i class=\"icon-star\"></i></p>\n\
             <h3><a href=\"{up}a-light-in-the-attic_{number}/index.html\" title=\"{title}\">{short} ...</a></h3>\n\
             <div class=\"product_price\"><p class=\"price_color\">{price}</p>\n<p class=\"instock availability\"><i class=\"icon-ok\"></i>\n    In stock\n</p></div>\n\
             </article>\n</li>\n",
            title = escape(title),
            short = escape(&short),
            stars = STARS[self.stars()],
            price = self.price(),
        )
    }

    fn page(&self) -> String {
        let title = escape(&self.title);
        let description = self.description().map_or_else(String::new, |text| {
            format!("<div id=\"product_description\" class=\"sub-header\"><h2>Product Description</h2></div>\n<p>{}</p>\n", escape(&text))
        });
        let row = |name: &str, value: &str| format!("<tr><th>{name}</th><td>{value}</td></tr>\n");
        let stock = format!("In stock ({} available)", self.stock());
        let facts = [
            row("UPC", &self.upc()),
            row("Product Type", "Books"),
            row("Price (excl. tax)", &self.price()),
            row("Price (incl. tax)", &self.price()),
            row("Tax", "£0.00"),
            row("Availability", &stock),
            row("Number of reviews", "0"),
        ];
        let main = format!(
            "<ul class=\"breadcrumb\">\n<li><a href=\"../../index.html\">Home</a></li>\n<li><a href=\"../category/books_1/index.html\">Books</a></li>\n\
             <li><a href=\"../category/books/c_2/index.html\">{category}</a></li>\n<li class=\"active\">{title}</li>\n</ul>\n\
             <div id=\"content_inner\">\n<article class=\"product_page\">\n<div class=\"row\">\n<div class=\"col-sm-6\">\n\
             <div id=\"product_gallery\" class=\"carousel\"><div class=\"thumbnail\"><div class=\"carousel-inner\"><div class=\"item active\">\n\
             <img src=\"../../media/cache/{number}.jpg\" alt=\"{title}\" />\n</div></div></div></div>\n</div>\n\
             <div class=\"col-sm-6 product_main\">\n<h1>{title}</h1>\n<p class=\"price_color\">{price}</p>\n\
             <p class=\"instock availability\">\n    <i class=\"icon-ok\"></i>\n    \n        {stock}\n    \n</p>\n\
             <p class=\"star-rating {stars}\">\n<i class=\"icon-star\"></i>\n</p>\n<hr/>\n<div class=\"alert alert-warning\" role=\"alert\"><strong>Warning!</strong> \
             This is a demo website.</div>\n</div>\n</div>\n{description}<div class=\"sub-header\"><h2>Product Information</h2></div>\n\
             <table class=\"table table-striped\">\n{facts}</table>\n<section>\n<div id=\"reviews\" class=\"sub-header\"></div>\n</section>\n\
             </article>\n</div>\n",
            category = escape(self.category()),
            number = self.number,
            price = self.price(),
            stars = STARS[self.stars()],
            facts = facts.concat(),
        );
        framed(&title, &main)
    }

    /// What `crawlers/books.toml` must find.
    fn item(&self, origin: &str) -> Value {
        json!({
            "kind": "book",
            "title": self.title,
            "price": self.pence() as f64 / 100.0,
            "stock": self.stock(),
            "rating": self.stars() + 1,
            "upc": self.upc(),
            "category": self.category(),
            "description": self.description(),
            "image": format!("{origin}/media/cache/{}.jpg", self.number),
            "url": format!("{origin}{}", self.path()),
        })
    }
}

fn framed(title: &str, main: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en-us\" class=\"no-js\">\n<head>\n<title>\n    {title} | Books to Scrape - Sandbox\n</title>\n\
         <meta http-equiv=\"content-type\" content=\"text/html; charset=UTF-8\" />\n<meta name=\"robots\" content=\"NOARCHIVE,NOCACHE\" />\n\
         </head>\n<body id=\"default\" class=\"default\">\n<div class=\"container-fluid page\">\n<div class=\"page_inner\">\n{main}</div>\n</div>\n</body>\n</html>\n"
    )
}

fn list(number: usize, edition: usize) -> String {
    // The home page lies one folder above the other lists.
    let (up, next) = if number == 1 {
        ("catalogue/", "catalogue/page-2.html".to_owned())
    } else {
        ("", format!("page-{}.html", number + 1))
    };
    let cards: String =
        ((number - 1) * LISTED..number * LISTED).map(|book| Book::of(book, edition).card(up)).collect();
    let next = if number < LISTS {
        format!("<li class=\"next\"><a href=\"{next}\">next</a></li>\n")
    } else {
        String::new()
    };
    let shelves = "<ul class=\"nav nav-list\"><li><a href=\"category/books/travel_2/index.html\">Travel</a></li></ul>\n";
    framed(
        "All products",
        &format!(
            "{shelves}<section><ol class=\"row\">\n{cards}</ol>\n<ul class=\"pager\">\n<li class=\"current\">Page {number} of {LISTS}</li>\n{next}</ul></section>\n"
        ),
    )
}

/// All pages of an edition by their path.
pub fn pages(edition: usize) -> BTreeMap<String, Answer> {
    let lists = (2..=LISTS).map(|number| (format!("/catalogue/page-{number}.html"), list(number, edition)));
    let books = (0..BOOKS).map(|number| Book::of(number, edition)).map(|book| (book.path(), book.page()));
    let home = [("/".to_owned(), list(1, edition))];
    home.into_iter().chain(lists).chain(books).map(|(path, html)| (path, Answer::Page(html))).collect()
}

/// What a crawl of the first books of an edition must find, the site being at `origin`.
pub fn items(origin: &str, edition: usize, books: usize) -> Vec<Value> {
    (0..books).map(|number| Book::of(number, edition).item(origin)).collect()
}
