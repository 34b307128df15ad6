//! Items and links of one page as tables for people.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use serde_json::{Map, Value};

use super::super::render::{counted, safe};
use super::rules::{Link, Taken};
use super::short;
use crate::spider::declarative::trace::{FieldTrace, FollowTrace, Led, PlaceTrace, RuleTrace};

/// Letters of a value, and of the expression that gave it.
const VALUE: usize = 44;
const FROM: usize = 48;
/// Links of one rule that are shown.
const MOST_LINKS: usize = 3;
/// Problems that are shown.
const MOST_PROBLEMS: usize = 20;

/// How much is shown, and how.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Look {
    /// Items of each rule.
    pub(in crate::cli) items: usize,
    pub(in crate::cli) paint: Paint,
}

/// Whether rows are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Paint {
    Plain,
    Colour,
}

impl Paint {
    /// Colours on a terminal, unless `NO_COLOR` says otherwise.
    pub(in crate::cli) fn of_output() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty());
        if wanted && std::io::stdout().is_terminal() { Self::Colour } else { Self::Plain }
    }

    fn red(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[31m{text}\x1b[0m"),
        }
    }
}

/// All that the rules gave.
pub(in crate::cli) fn text(taken: &Taken, look: Look) -> String {
    let mut text = items(taken, look);
    text.push_str(&stages(taken));
    text.push_str(&links(taken));
    if let Some(error) = &taken.error {
        text.push_str(&format!("\nerror: {}\n", look.paint.red(&safe(error))));
    }
    if !taken.problems.is_empty() {
        text.push_str(&format!("\n{}\n", counted(taken.problems.len() as u64, "problem")));
        for problem in taken.problems.iter().take(MOST_PROBLEMS) {
            text.push_str(&format!("   {}\n", short(problem, 400)));
        }
        more(&mut text, taken.problems.len(), MOST_PROBLEMS, "problems");
    }
    text
}

/// What the stages made of the items; nothing if they had nothing to say.
fn stages(taken: &Taken) -> String {
    if taken.stages.is_empty() {
        return String::new();
    }
    let mut text = format!("\nstages: {} left\n", counted(taken.items.len() as u64, "item"));
    for told in taken.stages.iter().take(MOST_PROBLEMS) {
        text.push_str(&format!("   {}\n", short(told, 400)));
    }
    more(&mut text, taken.stages.len(), MOST_PROBLEMS, "remarks");
    text
}

/// The items: of rules with a trace field by field, of others as they are.
pub(in crate::cli) fn items(taken: &Taken, look: Look) -> String {
    match taken.trace.as_ref().filter(|trace| !trace.extract.is_empty()) {
        Some(trace) => trace.extract.iter().map(|rule| of_rule(rule, look)).collect(),
        None => bare(taken, look),
    }
}

fn bare(taken: &Taken, look: Look) -> String {
    let mut text = format!("\n{}\n", counted(taken.items.len() as u64, "item"));
    for item in taken.items.iter().take(look.items) {
        let kind = item.kind.as_deref().map(|kind| vec![vec!["(kind)".to_owned(), safe(kind).into_owned()]]);
        let rows = kind.unwrap_or_default().into_iter().chain(bare_rows(&item.fields));
        text.push_str(&table(&["field", "value", "type"], rows.collect(), look.paint));
    }
    more(&mut text, taken.items.len(), look.items, "items");
    text
}

fn bare_rows(fields: &Map<String, Value>) -> impl Iterator<Item = Vec<String>> {
    let row = |(name, value): (&String, &Value)| {
        vec![short(name, 40), shown(Some(value)), type_of(value).to_owned()]
    };
    fields.iter().map(row)
}

fn of_rule(rule: &RuleTrace, look: Look) -> String {
    let kind = rule.kind.as_deref().map(|kind| format!(", kind {}", safe(kind))).unwrap_or_default();
    let scope = rule.scope.as_deref().map_or_else(String::new, |scope| format!(", scope {}", safe(scope)));
    let head = format!("\n[[extract]] {}{kind}{scope}", rule.rule);
    if let Some(why) = &rule.silent {
        return format!("{head}: silent, {}\n", safe(why));
    }
    let (items, places) = (counted(rule.items as u64, "item"), counted(rule.places as u64, "place"));
    let mut text = match rule.scope {
        Some(_) => format!("{head}: {items} from {places}\n"),
        None => format!("{head}: {items}\n"),
    };
    if rule.places == 0 && rule.scope.is_some() {
        text.push_str("   its scope finds nothing on this page\n");
    }
    let first = rule.first.len().min(look.items);
    let places: Vec<_> = rule.first[..first].iter().map(|place| of_place(place, look.paint)).collect();
    text.push_str(&places.join("\n"));
    if rule.places > first {
        text.push_str(&format!("   and {}\n", counted((rule.places - first) as u64, "more place")));
    }
    if rule.places > 1 {
        let filled = rule.filled.iter().map(|count| format!("{} {}", safe(&count.field), count.places));
        text.push_str(&format!("   filled of {}: {}\n", rule.places, filled.collect::<Vec<_>>().join(", ")));
    }
    text
}

fn of_place(place: &PlaceTrace, paint: Paint) -> String {
    let rows = place.fields.iter().map(|field| {
        let kind = field.kind.map(str::to_owned);
        let kind = kind.or_else(|| field.value.as_ref().map(|value| type_of(value).to_owned()));
        let mut row = vec![
            short(&field.field, 40),
            shown(field.value.as_ref()),
            kind.unwrap_or_else(|| "-".to_owned()),
            from(field),
            field.matched.to_string(),
            remark(field),
        ];
        if field.is_missed() {
            row.insert(0, MISSED.to_owned());
        }
        row
    });
    let mut text = table(&["field", "value", "type", "from", "matched", ""], rows.collect(), paint);
    if place.dropped {
        text.push_str(&format!("   {}\n", paint.red("no item: a required field is missing")));
    }
    text
}

fn from(field: &FieldTrace) -> String {
    let from = short(&field.from, FROM);
    match field.way {
        Some(way) if field.ways > 1 => format!("{from} ({way} of {})", field.ways),
        _ => from,
    }
}

fn remark(field: &FieldTrace) -> String {
    let problem = field.problem.as_deref().map(|problem| short(problem, 120));
    match (field.is_missed(), problem) {
        (true, Some(problem)) => format!("MISSING, required: {problem}"),
        (true, None) => "MISSING, required".to_owned(),
        (false, problem) => problem.unwrap_or_default(),
    }
}

/// Stands before a row that is to be seen.
const MISSED: &str = "!";

/// Rows under headings, each column as wide as its widest cell. A row that begins with [`MISSED`] is marked.
fn table(heads: &[&str], rows: Vec<Vec<String>>, paint: Paint) -> String {
    let rows: Vec<(bool, Vec<String>)> = rows
        .into_iter()
        .map(|mut row| {
            let is_missed = row.first().is_some_and(|cell| cell == MISSED) && row.len() > heads.len();
            if is_missed {
                row.remove(0);
            }
            (is_missed, row)
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|(_, row)| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |mark: char, cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = format!(" {mark} {}", cells.collect::<Vec<_>>().join("  "));
        line.trim_end().to_owned()
    };
    let mut text = line(' ', &mut heads.iter().copied()) + "\n";
    for (is_missed, row) in &rows {
        let cells = &mut row.iter().map(String::as_str);
        let row = if *is_missed { paint.red(&line('!', cells)) } else { line(' ', cells) };
        text.push_str(&format!("{row}\n"));
    }
    text
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => short(text, VALUE),
        Some(value) => short(&value.to_string(), VALUE),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "-",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "table",
    }
}

/// Links by what led to them and by label.
type Groups<'t> = BTreeMap<(Option<Led>, Option<&'t str>), Vec<&'t Link>>;

/// Links by what led to them and by label, each with how many and the first of them; rules that led nowhere too.
fn links(taken: &Taken) -> String {
    let mut groups = Groups::new();
    for link in &taken.links {
        groups.entry((link.by, link.label.as_deref())).or_default().push(link);
    }
    let follow = taken.trace.as_ref().map(|trace| trace.follow.as_slice()).unwrap_or_default();
    let mut text = format!("\nlinks: {}\n", taken.links.len());
    for rule in follow {
        let by = Some(Led::Follow(rule.rule));
        match groups.remove(&(by, rule.label.as_deref())) {
            Some(links) => text.push_str(&of_group(&of_follow(rule), rule.label.as_deref(), &links)),
            None => text.push_str(&format!("   {}: {}\n", of_follow(rule), why_none(rule))),
        }
    }
    for ((by, label), links) in &groups {
        text.push_str(&of_group(&by.map_or_else(|| "spider".to_owned(), Led::word), *label, links));
    }
    let turns = taken.links.iter().any(|link| link.by == Some(Led::Paginate));
    if taken.trace.as_ref().is_some_and(|trace| trace.is_list) && !turns {
        text.push_str("   paginate: no next page, the list ends here\n");
    }
    text
}

fn of_follow(rule: &FollowTrace) -> String {
    format!("follow {}, {}", rule.rule, safe(&rule.place))
}

fn why_none(rule: &FollowTrace) -> String {
    rule.silent.as_deref().map_or_else(|| "none".to_owned(), |why| format!("silent, {}", safe(why)))
}

fn of_group(rule: &str, label: Option<&str>, links: &[&Link]) -> String {
    let label = label.map(|label| format!(", label {}", safe(label))).unwrap_or_default();
    let outside = links.iter().filter(|link| link.out_of_scope.is_some()).count();
    let beside = if outside > 0 { format!(", {outside} out of scope") } else { String::new() };
    let mut text = format!("   {rule}{label}: {}{beside}\n", links.len());
    for link in links.iter().take(MOST_LINKS) {
        let why = link.out_of_scope.as_deref().map(|why| format!(" ({})", safe(why))).unwrap_or_default();
        text.push_str(&format!("      {}{why}\n", short(&link.url, 160)));
    }
    if links.len() > MOST_LINKS {
        text.push_str(&format!("      and {} more\n", links.len() - MOST_LINKS));
    }
    text
}

fn more(text: &mut String, count: usize, shown: usize, what: &str) {
    if count > shown {
        text.push_str(&format!("   and {} more {what}\n", count - shown));
    }
}
