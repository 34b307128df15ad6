//! The page of one book: its facts for people, the same facts as schema.org data for machines, and where to read on.

use serde_json::json;

use super::{Frame, Page, Press, breadcrumb, cards, escape, rating};
use crate::demo::catalogue::Book;

/// How many books of the same shelf a page recommends.
const RELATED: usize = 4;

impl Press<'_> {
    pub(super) fn book(&self, number: usize) -> Page {
        let book = &self.books[number];
        let path = book.path();
        let head = format!("<script type=\"application/ld+json\">{}</script>\n", self.structured(book));
        let main =
            format!("{}{}{}", breadcrumb(book.category(), Some(book)), article(book), self.related(number));
        let frame =
            Frame { title: &book.title, summary: &book.description, path: &path, head: &head, main: &main };
        self.framed(&frame, book.updated)
    }

    /// The next books on the shelf and, last, one from another shelf.
    fn related(&self, number: usize) -> String {
        let category = self.books[number].category;
        let shelf: Vec<usize> =
            (0..self.books.len()).filter(|n| self.books[*n].category == category).collect();
        let first = number - shelf[0];
        let mut list: Vec<&Book> =
            (1..=RELATED).map(|i| &self.books[shelf[(first + i) % shelf.len()]]).collect();
        list.push(&self.books[(number + self.books.len() / 2) % self.books.len()]);
        let href = |b: &Book| {
            if b.category == category {
                b.file.clone()
            } else {
                format!("../{}/{}", b.category().slug, b.file)
            }
        };
        format!("<section class=\"related\">\n<h2>Related books</h2>\n{}</section>\n", cards(&list, href))
    }

    /// The book as schema.org data. A `<` is written as an escape of JSON, so that no text can end the script element.
    fn structured(&self, book: &Book) -> String {
        let facts = json!({
            "@context": "https://schema.org",
            "@type": "Book",
            "name": book.title,
            "url": format!("{}{}", self.base, book.path()),
            "author": { "@type": "Person", "name": book.author().name },
            "genre": book.category().name,
            "inLanguage": "en",
            "datePublished": book.published.to_string(),
            "description": book.description,
            "aggregateRating": { "@type": "AggregateRating", "ratingValue": book.rating, "bestRating": 5, "ratingCount": 1 + book.pence % 90 },
            "offers": {
                "@type": "Offer",
                "price": book.amount(),
                "priceCurrency": "GBP",
                "availability": "https://schema.org/InStock",
            },
        });
        facts.to_string().replace('<', "\\u003c")
    }
}

/// The cover of a book: its title on cloth of a colour of its own.
pub(in crate::demo) fn cover(book: &Book) -> String {
    let hue = (book.pence * 37 + book.published) % 360;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"120\" height=\"160\" viewBox=\"0 0 120 160\">\n\
         <rect width=\"120\" height=\"160\" fill=\"hsl({hue},45%,40%)\"/>\n\
         <text x=\"60\" y=\"80\" font-size=\"9\" text-anchor=\"middle\" fill=\"#fff\">{}</text>\n</svg>\n",
        escape(&book.title)
    )
}

fn article(book: &Book) -> String {
    format!(
        "<article class=\"book\">\n<h1 class=\"title\">{title}</h1>\n\
         <img class=\"cover\" src=\"{cover}\" alt=\"\" width=\"120\" height=\"160\">\n\
         <p class=\"byline\">by <a class=\"author\" href=\"/authors/{slug}.html\">{author}</a></p>\n{rating}\
         <p class=\"price\">{price}</p>\n<p class=\"stock\">In stock ({stock} available)</p>\n\
         <p><a class=\"buy\" href=\"/basket/add/{upc}\" rel=\"nofollow\">Add to basket</a></p>\n\
         <h2>Description</h2>\n<p class=\"description\">{description}</p>\n\
         <table class=\"facts\">\n<tbody>\n<tr><th scope=\"row\">UPC</th><td class=\"upc\">{upc}</td></tr>\n\
         <tr><th scope=\"row\">Published</th><td class=\"published\">{published}</td></tr>\n\
         <tr><th scope=\"row\">Category</th><td class=\"category\">{category}</td></tr>\n</tbody>\n</table>\n</article>\n",
        title = escape(&book.title),
        cover = book.cover_path(),
        slug = book.author().slug,
        author = escape(book.author().name),
        rating = rating(book),
        price = book.price(),
        stock = book.stock,
        upc = book.upc,
        description = escape(&book.description),
        published = book.published,
        category = escape(book.category().name),
    )
}
