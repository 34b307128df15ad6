//! Microdata (HTML standard, section 5): `itemscope`, `itemtype`, `itemid`, `itemprop`, `itemref`.
//!
//! The form is that of the standard's conversion to JSON: `{ "type": […], "id": "…", "properties": { name: [values] } }`.
//! Text is folded, which the standard leaves to the reader.
//!
//! An `itemref` may lead anywhere, also in circles, and the same part of a page may belong to many items. So all work is
//! counted: elements visited ([`MAX_VISITS`]), values given ([`MAX_VALUES`]), bytes of text, items inside of each other. At a limit
//! what was found so far is given.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::page::Page;
use crate::page::element::{Element, fold};
use crate::page::outline::Kind;

/// Elements that are visited for all items of a page.
const MAX_VISITS: usize = 2_000_000;

/// Values of all items of a page.
const MAX_VALUES: usize = 50_000;

/// Bytes of text in all items of a page.
const MAX_TEXT: usize = 16 << 20;

/// Items inside of each other.
const MAX_NESTED: usize = 32;

/// Names that one element may give its value.
const MAX_NAMES: usize = 16;

/// The top-level items of a page, in the order of the document.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::extract::structured::microdata;
/// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
/// # let url = CanonicalUrl::parse("https://shop.example/")?;
/// let body = "<div itemscope itemtype='https://schema.org/Book'><h1 itemprop=name>Sand</h1></div>";
/// # let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// # let page = Page::new(std::sync::Arc::new(Request::get(url)), response);
/// assert_eq!(microdata(&page)[0]["properties"]["name"][0], "Sand");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn microdata(page: &Page) -> Vec<Value> {
    let mut reading = Reading { page, by_id: None, visits: 0, values: 0, text: 0 };
    let outline = page.outline();
    let mut items = Vec::new();
    for node in 0..outline.len() {
        let element = reading.element(node);
        let is_top = element
            .is_some_and(|element| element.attr("itemscope").is_some() && element.attr("itemprop").is_none());
        if let Some(element) = element.filter(|_| is_top && reading.has_room()) {
            items.push(reading.item(node, element, &mut Vec::new()));
        }
    }
    items
}

struct Reading<'p> {
    page: &'p Page,
    /// The first element of each `id`, once one is asked for.
    by_id: Option<HashMap<&'p str, u32>>,
    visits: usize,
    values: usize,
    text: usize,
}

impl<'p> Reading<'p> {
    fn has_room(&self) -> bool {
        self.visits < MAX_VISITS && self.values < MAX_VALUES && self.text < MAX_TEXT
    }

    /// The element with this number, if it is one.
    fn element(&self, node: u32) -> Option<Element<'p>> {
        let outline = self.page.outline();
        let is_element = matches!(outline.kind(node), Kind::Element(_));
        let found = outline.element(self.page.html(), node).filter(|_| is_element)?;
        Some(Element::new(self.page, found))
    }

    /// An item with its properties. `around` are the items that it lies in.
    fn item(&mut self, node: u32, element: Element<'p>, around: &mut Vec<u32>) -> Value {
        let mut item = Map::new();
        let types: Vec<&str> =
            element.attr("itemtype").unwrap_or_default().split_ascii_whitespace().take(MAX_NAMES).collect();
        if !types.is_empty() {
            item.insert("type".to_owned(), json!(types));
        }
        if let Some(id) = element.attr("itemid").filter(|_| !types.is_empty()) {
            item.insert("id".to_owned(), Value::String(self.absolute(id)));
        }
        self.text +=
            element.attr("itemtype").map_or(0, str::len) + element.attr("itemid").map_or(0, str::len);
        around.push(node);
        let properties = self.properties(node, element, around);
        around.pop();
        item.insert("properties".to_owned(), Value::Object(properties));
        Value::Object(item)
    }

    fn properties(&mut self, root: u32, element: Element<'p>, around: &mut Vec<u32>) -> Map<String, Value> {
        let mut properties = Map::new();
        for node in self.property_elements(root, element) {
            let Some(element) = self.element(node).filter(|_| self.has_room()) else {
                continue;
            };
            let (values, text) = (self.values, self.text);
            let Some(value) = self.value(node, element, around) else {
                continue;
            };
            // Every name holds the value anew, with all that is in it.
            let (values, text) = (self.values - values + 1, self.text - text);
            let mut names = HashSet::new();
            let words = element.attr("itemprop").unwrap_or_default().split_ascii_whitespace();
            for name in words.filter(|name| names.insert(*name)).take(MAX_NAMES) {
                self.values += values;
                self.text += text + name.len();
                if !self.has_room() {
                    break;
                }
                let list = properties.entry(name).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(value.clone());
                }
            }
        }
        properties
    }

    /// The elements that give an item its properties, in document order (HTML standard 5.2.5).
    fn property_elements(&mut self, root: u32, element: Element<'p>) -> Vec<u32> {
        let page = self.page;
        let outline = page.outline();
        let mut visited = HashSet::from([root]);
        let mut found = Vec::new();
        let children = |node: u32| {
            let first = Some(outline.content(node)).filter(|first| *first < outline.end(node));
            std::iter::successors(first, |child| outline.next(*child))
        };
        let mut open: Vec<u32> = children(root).collect();
        for id in element.attr("itemref").unwrap_or_default().split_ascii_whitespace() {
            self.visits += 1;
            open.extend(self.with_id(id).filter(|_| self.has_room()));
        }
        while let Some(node) = open.pop() {
            let Some(element) = self.element(node).filter(|_| self.has_room()) else {
                continue;
            };
            self.visits += 1;
            if !visited.insert(node) {
                continue;
            }
            if element.attr("itemscope").is_none() {
                open.extend(children(node));
            }
            if element.attr("itemprop").is_some_and(|names| !names.trim().is_empty()) {
                found.push(node);
            }
        }
        found.sort_unstable();
        found
    }

    fn with_id(&mut self, id: &str) -> Option<u32> {
        if self.by_id.is_none() {
            let mut by_id = HashMap::new();
            for node in 0..self.page.outline().len() {
                if let Some(id) = self.element(node).and_then(|element| element.attr("id")) {
                    by_id.entry(id).or_insert(node);
                }
            }
            self.by_id = Some(by_id);
        }
        self.by_id.as_ref()?.get(id).copied()
    }

    /// The value of a property (HTML standard 5.2.4); none of an item that lies in itself, or too deep.
    fn value(&mut self, node: u32, element: Element<'p>, around: &mut Vec<u32>) -> Option<Value> {
        if element.attr("itemscope").is_some() {
            if around.contains(&node) || around.len() >= MAX_NESTED {
                return None;
            }
            return Some(self.item(node, element, around));
        }
        let attribute = |name: &str| element.attr(name).unwrap_or_default();
        let text = match element.name() {
            "meta" => attribute("content").to_owned(),
            "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => {
                self.absolute(attribute("src"))
            }
            "a" | "area" | "link" => self.absolute(attribute("href")),
            "object" => self.absolute(attribute("data")),
            "data" | "meter" => attribute("value").to_owned(),
            "time" if element.attr("datetime").is_some() => attribute("datetime").to_owned(),
            _ => fold(&element.raw_text_up_to(MAX_TEXT - self.text)),
        };
        self.text += text.len();
        Some(Value::String(text))
    }

    fn absolute(&self, reference: &str) -> String {
        let url = self.page.absolute(reference).filter(|_| !reference.trim().is_empty());
        url.map(String::from).unwrap_or_default()
    }
}
