//! A hundred quotes on ten pages and who said them, in the markup of quotes.toscrape.com.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, escape};

const QUOTES: usize = 100;
const LISTED: usize = 10;
const LISTS: usize = QUOTES / LISTED;
/// Name, slug, birth as it is written, birth as a date, place.
const AUTHORS: [(&str, &str, &str, &str, &str); 5] = [
    ("Albert Einstein", "Albert-Einstein", "March 14, 1879", "1879-03-14", "Ulm, Germany"),
    (
        "J.K. Rowling",
        "J-K-Rowling",
        "July 31, 1965",
        "1965-07-31",
        "Yate, South Gloucestershire, England, The United Kingdom",
    ),
    ("André Gide", "Andre-Gide", "November 22, 1869", "1869-11-22", "Paris, France"),
    ("Alexandre Dumas fils", "Alexandre-Dumas-fils", "July 27, 1824", "1824-07-27", "Paris, France"),
    ("Dr. Seuss", "Dr-Seuss", "March 02, 1904", "1904-03-02", "in the \"Pioneer\" Valley <Springfield>"),
];
const TAGS: [&str; 6] = ["change", "deep-thoughts", "world", "Señor & Son", "abilities", "yeats"];

fn text(number: usize) -> String {
    match number % 4 {
        0 => format!("“The world is \"a process\" of our thinking, {number} times & more.”"),
        1 => format!("“=1+{number}; a day without sunshine, you know…”"),
        2 => format!("“It is our choices, Harry, <em> number {number}.”"),
        _ => format!("“Ça, {number}, c'est 夜”"),
    }
}

/// None to three.
fn tags(number: usize) -> Vec<&'static str> {
    TAGS.iter().copied().cycle().skip(number % 6).take(number % 4).collect()
}

fn quote(number: usize) -> String {
    let (name, slug, ..) = AUTHORS[number % AUTHORS.len()];
    let links: String = tags(number)
        .iter()
        .map(|tag| format!("            <a class=\"tag\" href=\"/tag/{0}/page/1/\">{0}</a>\n", escape(tag)))
        .collect();
    format!(
        "    <div class=\"quote\" itemscope itemtype=\"http://schema.org/CreativeWork\">\n        <span class=\"text\" itemprop=\"text\">{}</span>\n\
         <span>by <small class=\"author\" itemprop=\"author\">{}</small>\n        <a href=\"/author/{slug}\">(about)</a>\n        </span>\n\
         <div class=\"tags\">\n            Tags:\n            <meta class=\"keywords\" itemprop=\"keywords\" content=\"{}\" / >\n{links}        </div>\n    </div>\n",
        escape(&text(number)),
        escape(name),
        escape(&tags(number).join(",")),
    )
}

fn list(number: usize) -> String {
    let quotes: String = ((number - 1) * LISTED..number * LISTED).map(quote).collect();
    let previous = if number > 1 {
        format!("<li class=\"previous\"><a href=\"/page/{}/\">Previous</a></li>", number - 1)
    } else {
        String::new()
    };
    let next = if number < LISTS {
        format!("<li class=\"next\"><a href=\"/page/{}/\">Next <span>&rarr;</span></a></li>", number + 1)
    } else {
        String::new()
    };
    framed(&format!(
        "<div class=\"row\"><div class=\"col-md-8\">\n{quotes}<nav><ul class=\"pager\">{previous}\n{next}</ul></nav></div>\n\
         <div class=\"col-md-4 tags-box\"><h2>Top Ten tags</h2><span class=\"tag-item\"><a class=\"tag\" href=\"/tag/love/\">love</a></span></div></div>\n"
    ))
}

fn about(author: usize) -> String {
    let (name, _, born, _, place) = AUTHORS[author];
    framed(&format!(
        "<div class=\"author-details\">\n    <h3 class=\"author-title\">{}\n    </h3>\n    <p><strong>Born:</strong> <span class=\"author-born-date\">{born}</span> \
         <span class=\"author-born-location\">in {}</span></p>\n    <p><strong>Description:</strong></p>\n    <div class=\"author-description\">\n        {}\n    </div>\n</div>\n",
        escape(name),
        escape(place),
        escape(&life(author)),
    ))
}

fn life(author: usize) -> String {
    let (name, _, _, year, _) = AUTHORS[author];
    format!("In {}, \"{name}\" was born & wrote.", &year[..4])
}

fn framed(main: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\t<meta charset=\"UTF-8\">\n\t<title>Quotes to Scrape</title>\n</head>\n<body>\n\
         <div class=\"container\">\n<div class=\"row header-box\"><h1><a href=\"/\" style=\"text-decoration: none\">Quotes to Scrape</a></h1>\
         <p><a href=\"/login\">Login</a></p></div>\n{main}</div>\n</body>\n</html>\n"
    )
}

/// All pages by their path. Who is asked without a slash at the end is sent on, as there.
pub fn pages() -> BTreeMap<String, Answer> {
    let mut pages = BTreeMap::from([("/".to_owned(), Answer::Page(list(1)))]);
    pages.extend((1..=LISTS).map(|number| (format!("/page/{number}/"), Answer::Page(list(number)))));
    for (number, (_, slug, ..)) in AUTHORS.iter().enumerate() {
        pages.insert(format!("/author/{slug}"), Answer::Moved(format!("/author/{slug}/")));
        pages.insert(format!("/author/{slug}/"), Answer::Page(about(number)));
    }
    pages
}

/// What `crawlers/quotes.toml` must find.
pub fn items(origin: &str) -> Vec<Value> {
    let quotes = (0..QUOTES).map(|number| {
        let (name, slug, ..) = AUTHORS[number % AUTHORS.len()];
        let about = format!("{origin}/author/{slug}");
        json!({ "kind": "quote", "text": text(number), "author": name, "about": about, "tags": tags(number), "url": list_url(origin, number / LISTED + 1) })
    });
    let authors = AUTHORS.iter().enumerate().map(|(number, (name, slug, _, born, place))| {
        json!({ "kind": "author", "name": name, "born": born, "place": place, "biography": life(number), "url": format!("{origin}/author/{slug}/") })
    });
    quotes.chain(authors).collect()
}

fn list_url(origin: &str, number: usize) -> String {
    if number == 1 { format!("{origin}/") } else { format!("{origin}/page/{number}/") }
}
