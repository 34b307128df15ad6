//! Which fields a form has (HTML standard 4.10.15.3, 4.10.18.5, 4.10.21.4): by the tree builder's word, for a form that stands in a
//! table does not contain its fields; or by their `form` attribute.

use std::collections::{HashMap, HashSet};

use encoding_rs::Encoding;

use super::{Button, Coding, Field, FieldKind, Form, FormMethod, Press, Way};
use crate::page::Page;
use crate::page::element::{Element, fold};
use crate::page::tree::NodeId;

/// Input types that are buttons and send nothing.
const IDLE: [&str; 2] = ["button", "reset"];
/// Input types in which a line break cannot be typed.
const ONE_LINE: [&str; 6] = ["text", "search", "tel", "url", "email", "password"];

/// Reads the forms of a page in one pass.
pub(crate) struct Reader<'p> {
    page: &'p Page,
    forms: Vec<(NodeId, Form)>,
    places: HashMap<NodeId, usize>,
    ids: HashMap<&'p str, NodeId>,
    /// What lies in the first legend of a disabled fieldset is not disabled.
    legends: HashMap<NodeId, Option<NodeId>>,
    /// Places of checked radio buttons, of which only the last of a group is.
    radios: HashMap<(usize, &'p str), usize>,
}

impl<'p> Reader<'p> {
    /// All forms of a page with their elements, in its order.
    pub(crate) fn read(page: &'p Page) -> Vec<(NodeId, Form)> {
        let mut reader = Self {
            page,
            forms: Vec::new(),
            places: HashMap::new(),
            ids: HashMap::new(),
            legends: HashMap::new(),
            radios: HashMap::new(),
        };
        for element in page.elements() {
            if let Some(id) = element.attr("id") {
                reader.ids.entry(id).or_insert(element.id());
            }
            if element.name() == "form" {
                reader.places.insert(element.id(), reader.forms.len());
                reader.forms.push((element.id(), form(page, element)));
            }
        }
        if !reader.forms.is_empty() {
            page.elements().for_each(|element| reader.take(element));
        }
        reader.forms
    }

    fn take(&mut self, element: Element<'p>) {
        if !matches!(element.name(), "input" | "button" | "select" | "textarea") {
            return;
        }
        let Some(form) = self.owner(element) else { return };
        if self.is_out(element) {
            return;
        }
        match element.name() {
            "select" => self.select(form, element),
            "textarea" => self.push(form, element, FieldKind::Text, element.raw_text()),
            "button" if IDLE.contains(&kind(element, "submit").as_str()) => {}
            "button" => self.button(form, element),
            _ => self.input(form, element),
        }
    }

    /// The form that an element belongs to.
    fn owner(&self, element: Element<'p>) -> Option<usize> {
        let node = match element.attr("form") {
            Some(id) => *self.ids.get(id)?,
            None => self.page.owner(element.id()).or_else(|| {
                element.ancestors().find(|above| above.name() == "form").map(|above| above.id())
            })?,
        };
        self.places.get(&node).copied()
    }

    /// Whether it is disabled, or only offered for typing.
    fn is_out(&mut self, element: Element<'p>) -> bool {
        if element.attr("disabled").is_some() {
            return true;
        }
        let mut below = HashSet::from([element.id()]);
        for above in element.ancestors() {
            let shut = above.name() == "fieldset" && above.attr("disabled").is_some();
            let legend = || {
                let mut children = above.children();
                children.find(|child| child.name() == "legend").map(|child| child.id())
            };
            if above.name() == "datalist"
                || shut
                    && !self
                        .legends
                        .entry(above.id())
                        .or_insert_with(legend)
                        .is_some_and(|id| below.contains(&id))
            {
                return true;
            }
            below.insert(above.id());
        }
        false
    }

    fn input(&mut self, form: usize, element: Element<'p>) {
        let value = element.attr("value");
        match kind(element, "text").as_str() {
            kind if IDLE.contains(&kind) => {}
            "submit" | "image" => self.button(form, element),
            "checkbox" => self.choice(form, element, value.unwrap_or("on")),
            "radio" => {
                let place = self.forms[form].1.fields.len();
                self.choice(form, element, value.unwrap_or("on"));
                let name = element.attr("name").unwrap_or_default();
                if element.attr("checked").is_some()
                    && !name.is_empty()
                    && let Some(before) = self.radios.insert((form, name), place)
                {
                    self.forms[form].1.fields[before].is_on = false;
                }
            }
            "file" => self.push(form, element, FieldKind::File, String::new()),
            "hidden" => self.push(form, element, FieldKind::Hidden, value.unwrap_or_default().to_owned()),
            "range" if value.is_none() => self.push(form, element, FieldKind::Text, "50".to_owned()),
            "color" if value.is_none() => self.push(form, element, FieldKind::Text, "#000000".to_owned()),
            kind => {
                let mut value = value.unwrap_or_default().to_owned();
                if ONE_LINE.contains(&kind) {
                    value.retain(|letter| !matches!(letter, '\r' | '\n'));
                }
                let kind = if kind == "password" { FieldKind::Password } else { FieldKind::Text };
                self.push(form, element, kind, value);
            }
        }
    }

    /// A box that may be checked.
    fn choice(&mut self, form: usize, element: Element<'p>, value: &str) {
        let is_on = element.attr("checked").is_some();
        self.push_field(form, element, Field { is_on, ..chosen(value.to_owned()) });
    }

    /// The options of a list: those that are selected, or else the first, where one must be.
    fn select(&mut self, form: usize, element: Element<'p>) {
        let is_many = element.attr("multiple").is_some();
        let rows = element.attr("size").and_then(|size| size.trim().parse::<u32>().ok()).unwrap_or(1);
        let start = self.forms[form].1.fields.len();
        let (mut selected, mut first) = (Vec::new(), None);
        for option in element.descendants().filter(|inner| inner.name() == "option") {
            let shut = |element: Element<'p>| element.attr("disabled").is_some();
            let group = option.ancestors().next().filter(|above| above.name() == "optgroup");
            let is_shut = shut(option) || group.is_some_and(shut);
            let marked = option.attr("selected").is_some();
            let place = self.forms[form].1.fields.len();
            let value = option.attr("value").map_or_else(|| fold(&option.raw_text()), str::to_owned);
            if marked {
                // Also if it is disabled: then nothing is sent, and no other one is.
                selected.push((!is_shut).then_some(place));
            }
            if !is_shut {
                self.push_field(form, element, chosen(value));
                first.get_or_insert(place);
            }
        }
        if self.forms[form].1.fields.len() == start {
            return;
        }
        let on = match (is_many, selected.last()) {
            (true, _) => selected,
            (false, Some(last)) => vec![*last],
            (false, None) if rows <= 1 => vec![first],
            (false, None) => Vec::new(),
        };
        on.into_iter().flatten().for_each(|place| self.forms[form].1.fields[place].is_on = true);
    }

    fn push(&mut self, form: usize, element: Element<'p>, kind: FieldKind, value: String) {
        self.push_field(form, element, Field { kind, value, is_on: true, ..chosen(String::new()) });
    }

    fn push_field(&mut self, form: usize, element: Element<'p>, field: Field) {
        let name = element.attr("name").unwrap_or_default();
        if !name.is_empty() {
            self.forms[form].1.fields.push(Field { name: name.to_owned(), ..field });
        }
    }

    fn button(&mut self, form: usize, element: Element<'p>) {
        let text = |name: &str| element.attr(name).unwrap_or_default().to_owned();
        let is_image = kind(element, "") == "image";
        self.forms[form].1.buttons.push(Button {
            name: text("name"),
            value: text("value"),
            is_image,
            action: element.attr("formaction").map(|action| target(self.page, action)),
            method: element.attr("formmethod").map(method),
            coding: element.attr("formenctype").map(coding),
        });
    }
}

/// One of several values, not chosen.
fn chosen(value: String) -> Field {
    Field { name: String::new(), value, kind: FieldKind::Choice, is_on: false }
}

/// The `type` in lower case.
fn kind(element: Element<'_>, absent: &str) -> String {
    element.attr("type").map_or_else(|| absent.to_owned(), |kind| kind.trim().to_ascii_lowercase())
}

/// A form without its fields.
fn form(page: &Page, element: Element<'_>) -> Form {
    let text = |name: &str| element.attr(name).filter(|text| !text.is_empty()).map(str::to_owned);
    Form {
        id: text("id"),
        name: text("name"),
        way: Way {
            action: target(page, element.attr("action").unwrap_or_default()),
            method: element.attr("method").map_or(FormMethod::Get, method),
            coding: element.attr("enctype").map_or(Coding::Url, coding),
        },
        fields: Vec::new(),
        buttons: Vec::new(),
        press: Press::Enter,
        encoding: encoding(page, element),
        canon: page.canon.clone(),
        spider: page.request.spider,
    }
}

/// An empty action is the page itself, whatever its base.
fn target(page: &Page, action: &str) -> Option<url::Url> {
    match action.trim() {
        "" => Some(page.url().as_url().clone()),
        action => page.absolute(action),
    }
}

fn method(word: &str) -> FormMethod {
    match word.trim().to_ascii_lowercase().as_str() {
        "post" => FormMethod::Post,
        "dialog" => FormMethod::Dialog,
        _ => FormMethod::Get,
    }
}

fn coding(word: &str) -> Coding {
    match word.trim().to_ascii_lowercase().as_str() {
        "multipart/form-data" => Coding::Multipart,
        "text/plain" => Coding::Plain,
        _ => Coding::Url,
    }
}

/// The first encoding that `accept-charset` names and that is known, or else the page's.
fn encoding(page: &Page, element: Element<'_>) -> &'static Encoding {
    let words = element.attr("accept-charset").unwrap_or_default().split_ascii_whitespace();
    let named = words.filter_map(|label| Encoding::for_label(label.as_bytes())).next();
    named.unwrap_or_else(|| page.encoding()).output_encoding()
}
