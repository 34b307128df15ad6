//! The stock of the demo bookshop: categories, authors and books, all invented.
//!
//! Everything follows from [`SEED`], so that every start of the shop sells the same books at the same prices and a test may
//! name them. The draw is written here and not taken from a crate, because another version of a crate could draw otherwise.
//!
//! Pure: no clock, no I/O. Knows nothing of HTML or HTTP.

use std::collections::HashSet;

/// From which all titles, prices and dates are drawn.
const SEED: u64 = 0x0B00_C5E1_1E55;

/// How many books one index page of a category lists.
pub(crate) const PAGE_LENGTH: usize = 10;

/// The day the shop opened, in seconds since 1970: 2023-01-02. No page is older.
pub(crate) const OPENED: u64 = 19_359 * DAY;

const DAY: u64 = 86_400;

/// A shelf of the shop.
pub(crate) struct Category {
    pub(crate) name: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) size: usize,
    pub(crate) topic: &'static str,
}

impl Category {
    const fn new(name: &'static str, slug: &'static str, size: usize, topic: &'static str) -> Self {
        Self { name, slug, size, topic }
    }

    /// How many index pages the shelf fills.
    pub(crate) const fn index_pages(&self) -> usize {
        self.size.div_ceil(PAGE_LENGTH)
    }
}

/// All shelves, in the order of the catalogue.
pub(crate) const CATEGORIES: [Category; 10] = [
    Category::new("Fiction", "fiction", 31, "a life that takes another turn"),
    Category::new("Mystery", "mystery", 27, "a locked room and a missing key"),
    Category::new("History", "history", 26, "people who never made the front page"),
    Category::new("Children’s Books", "childrens-books", 25, "a small hero with large boots"),
    Category::new("Science", "science", 24, "questions that are older than their answers"),
    Category::new("Travel", "travel", 24, "slow trains and long ferries"),
    Category::new("Food & Drink", "food-and-drink", 23, "kitchens and those who gather in them"),
    Category::new("Poetry", "poetry", 22, "weather, bread and the names of things"),
    Category::new("Arts & Crafts", "arts-and-crafts", 20, "what hands know and tongues forget"),
    Category::new("Café Philosophy", "cafe-philosophy", 18, "doubts that come with the second cup"),
];

/// Someone who writes the books.
pub(crate) struct Author {
    pub(crate) name: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) home: &'static str,
}

impl Author {
    const fn new(name: &'static str, slug: &'static str, home: &'static str) -> Self {
        Self { name, slug, home }
    }
}

/// All authors, in the order of their page.
pub(crate) const AUTHORS: [Author; 10] = [
    Author::new("Ottilie Varnham", "ottilie-varnham", "a lighthouse near Kirkenmoor"),
    Author::new("Bramwell Teasdale-Oyo", "bramwell-teasdale-oyo", "Nether Quill"),
    Author::new("Inés Quillarosa", "ines-quillarosa", "São Marrow"),
    Author::new("Søren Håkonsby", "soren-hakonsby", "the islands off Östervale"),
    Author::new("Tamsin O’Hallow", "tamsin-ohallow", "Tír Fadaun"),
    Author::new("Zdeňka Brázdalová", "zdenka-brazdalova", "Łąkowin"),
    Author::new("Ikenna Obidoro", "ikenna-obidoro", "a houseboat, mostly"),
    Author::new("Yuki Tanemorita", "yuki-tanemorita", "the hills above Châteaurime"),
    Author::new("Léonie Charbon-Vire", "leonie-charbon-vire", "Châteaurime"),
    Author::new("Mirela Dragunsku", "mirela-dragunsku", "a village that two maps disagree about"),
];

const QUALITIES: [&str; 24] = [
    "Brass",
    "Unhurried",
    "Salted",
    "Borrowed",
    "Left-Handed",
    "Paper",
    "Reluctant",
    "Amber",
    "Tidal",
    "Crooked",
    "Velvet",
    "Second-Best",
    "Moth-Eaten",
    "Luminous",
    "Provisional",
    "Stubborn",
    "Hollow",
    "Cobalt",
    "Underwater",
    "Polite",
    "Forgetful",
    "Seventh",
    "Whispering",
    "Naïve",
];

const THINGS: [&str; 28] = [
    "Meridian",
    "Teapot",
    "Orchard",
    "Lantern",
    "Cartographer",
    "Umbrella",
    "Almanac",
    "Heron",
    "Staircase",
    "Bicycle",
    "Café",
    "Weathervane",
    "Tuba",
    "Ferryman",
    "Apiary",
    "Compass",
    "Marmalade",
    "Chandelier",
    "Postmaster",
    "Thimble",
    "Glacier",
    "Bookbinder",
    "Carousel",
    "Soufflé",
    "Barometer",
    "Gardener",
    "Quarry",
    "Accordion",
];

const PLACES: [&str; 8] = [
    "Östervale",
    "São Marrow",
    "Kirkenmoor",
    "Łąkowin",
    "Châteaurime",
    "Nether Quill",
    "Tír Fadaun",
    "Port Gramble",
];

/// One book: its facts and where its page is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Book {
    pub(crate) title: String,
    /// Index into [`AUTHORS`].
    pub(crate) author: usize,
    /// Index into [`CATEGORIES`].
    pub(crate) category: usize,
    pub(crate) pence: u64,
    pub(crate) stock: u64,
    /// Stars, from one to five.
    pub(crate) rating: u64,
    pub(crate) upc: String,
    pub(crate) published: u64,
    pub(crate) description: String,
    /// When its page was last changed, in seconds since 1970.
    pub(crate) updated: u64,
    /// The last segment of its path, such as `the-brass-teapot-17.html`.
    pub(crate) file: String,
}

impl Book {
    /// The path of the book's page.
    pub(crate) fn path(&self) -> String {
        format!("/catalogue/{}/{}", self.category().slug, self.file)
    }

    /// The path of its cover, a small picture.
    pub(crate) fn cover_path(&self) -> String {
        format!("/covers/{}.svg", self.file.trim_end_matches(".html"))
    }

    /// The price as it is printed, such as `£12.34`.
    pub(crate) fn price(&self) -> String {
        format!("£{}", self.amount())
    }

    /// The price as a number in text, such as `12.34`.
    pub(crate) fn amount(&self) -> String {
        format!("{}.{:02}", self.pence / 100, self.pence % 100)
    }

    pub(crate) fn author(&self) -> &'static Author {
        &AUTHORS[self.author]
    }

    pub(crate) fn category(&self) -> &'static Category {
        &CATEGORIES[self.category]
    }
}

/// How many books the shop sells.
pub(crate) const fn book_count() -> usize {
    let mut sum = 0;
    let mut i = 0;
    while i < CATEGORIES.len() {
        sum += CATEGORIES[i].size;
        i += 1;
    }
    sum
}

/// How many index pages all categories fill together.
pub(crate) const fn index_page_count() -> usize {
    let mut sum = 0;
    let mut i = 0;
    while i < CATEGORIES.len() {
        sum += CATEGORIES[i].index_pages();
        i += 1;
    }
    sum
}

/// Draws all books, shelf by shelf.
pub(crate) fn stock() -> Vec<Book> {
    let mut draw = Draw(SEED);
    let mut taken = HashSet::new();
    let mut books = Vec::with_capacity(book_count());
    for (category, shelf) in CATEGORIES.iter().enumerate() {
        for _ in 0..shelf.size {
            let title = fresh_title(&mut draw, &mut taken);
            books.push(book(&mut draw, title, category, books.len() + 1));
        }
    }
    books
}

fn book(draw: &mut Draw, title: String, category: usize, number: usize) -> Book {
    // Seven and ten share no divisor, so every author gets the same number of books on all shelves.
    let author = (number * 7) % AUTHORS.len();
    Book {
        author,
        category,
        pence: 499 + draw.below(3500),
        stock: 1 + draw.below(24),
        rating: 1 + draw.below(5),
        upc: upc(draw, number),
        published: 1974 + draw.below(50),
        description: description(draw, category),
        updated: OPENED + draw.below(700 * DAY),
        file: format!("{}-{number}.html", slug(&title)),
        title,
    }
}

fn fresh_title(draw: &mut Draw, taken: &mut HashSet<String>) -> String {
    loop {
        let title = title(draw);
        if taken.insert(title.clone()) {
            return title;
        }
    }
}

fn title(draw: &mut Draw) -> String {
    let (quality, thing) = (draw.pick(&QUALITIES), draw.pick(&THINGS));
    let (other, place) = (draw.pick(&THINGS), draw.pick(&PLACES));
    match draw.below(7) {
        0 | 1 => format!("The {quality} {thing}"),
        2 if thing != other => format!("{thing} & {other}"),
        3 => format!("The {thing} of {place}"),
        4 => format!("{place}: The {quality} {thing}"),
        5 => format!("\"{quality}!\" Said the {thing}"),
        _ => format!("The {thing}’s {quality} {other}"),
    }
}

fn description(draw: &mut Draw, category: usize) -> String {
    let (quality, thing) = (draw.pick(&QUALITIES).to_lowercase(), draw.pick(&THINGS).to_lowercase());
    let (place, topic) = (draw.pick(&PLACES), CATEGORIES[category].topic);
    let opening = match draw.below(4) {
        0 => format!("It begins in {place}, with one {quality} {thing} and no witness."),
        1 => format!("Nobody in {place} remembers who brought the {thing}."),
        2 => format!("What do you owe a {thing} that has kept your secret?"),
        _ => format!("One winter, the road to {place} was closed & the {thing} stayed."),
    };
    let close = match draw.below(3) {
        0 => "Readers under the age of ninety have laughed at it.",
        1 => "With a map, two recipes and an apology.",
        _ => "The second edition corrects the first; the third takes it back.",
    };
    format!("{opening} A book about {topic}. {close}")
}

/// Twelve digits with the check digit of a UPC-A; a leading 2 is for numbers that a shop gives out itself, so no real product
/// has one of these.
fn upc(draw: &mut Draw, number: usize) -> String {
    let body = format!("2{:07}{number:03}", draw.below(10_000_000));
    let weighted: u32 =
        body.bytes().enumerate().map(|(i, b)| u32::from(b - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    format!("{body}{}", (10 - weighted % 10) % 10)
}

/// The title in lower-case ASCII, with single hyphens between the words.
fn slug(title: &str) -> String {
    let plain: String = title.to_lowercase().chars().filter(|c| *c != '’').map(without_accent).collect();
    let words: Vec<&str> =
        plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.join("-")
}

const fn without_accent(letter: char) -> char {
    match letter {
        'à'..='å' | 'ą' => 'a',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ò'..='ö' | 'ø' => 'o',
        'ł' => 'l',
        other => other,
    }
}

/// A SplitMix64 sequence: tiny, and the same on every machine.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero up to, and without, `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[(self.next() % words.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_sells_the_same_books() {
        assert_eq!(stock(), stock());
        assert_eq!(stock().len(), book_count());
    }

    #[test]
    fn no_two_books_share_a_title_a_path_or_a_number() {
        let books = stock();
        let of = |field: fn(&Book) -> String| books.iter().map(field).collect::<HashSet<_>>().len();
        assert_eq!(of(|b| b.title.clone()), books.len());
        assert_eq!(of(Book::path), books.len());
        assert_eq!(of(|b| b.upc.clone()), books.len());
    }

    #[test]
    fn every_author_has_books_and_some_titles_need_escapes_or_unicode() {
        let books = stock();
        for author in 0..AUTHORS.len() {
            assert!(books.iter().any(|b| b.author == author));
        }
        for odd in ['&', '"', '’', 'Ö'] {
            assert!(books.iter().any(|b| b.title.contains(odd)), "no title with {odd}");
        }
    }

    #[test]
    fn a_path_is_plain_ascii() {
        assert_eq!(slug("São Marrow: The Naïve Soufflé"), "sao-marrow-the-naive-souffle");
        assert_eq!(slug("\"Salted!\" Said the Heron’s Łąkowin"), "salted-said-the-herons-lakowin");
        assert!(stock().iter().all(|b| b.path().is_ascii()));
    }
}
