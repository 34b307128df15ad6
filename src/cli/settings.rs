//! `crawl config` and `crawl schema`.

use serde_json::{Map, json};

use super::args::ConfigArgs;
use super::exit::{Exit, Failure};
use super::render::{print, print_json, safe};
use crate::config;

/// Prints every value in force; secrets are masked by the plan itself.
pub(super) fn config(args: &ConfigArgs) -> Result<Exit, Failure> {
    let mut loader = args.layers.over(args.file.as_ref());
    if args.file.is_none() && args.layers.seeds.is_empty() {
        // A plan needs a place to start; the demo site is at hand and asks for no contact.
        loader = loader.seed("demo:");
    }
    let plan = loader.load()?;
    if args.json {
        let entries = plan.explain().iter().map(|entry| {
            let shown = match args.origin {
                true => json!({ "value": entry.value, "origin": entry.origin }),
                false => json!(entry.value),
            };
            (entry.key.clone(), shown)
        });
        print_json(&entries.collect::<Map<_, _>>())?;
        return Ok(Exit::COMPLETE);
    }
    let width =
        plan.explain().iter().map(|entry| entry.key.len() + entry.value.len() + 3).max().unwrap_or(0).min(60);
    for entry in plan.explain() {
        let setting = format!("{} = {}", entry.key, entry.value);
        let line = match args.origin {
            true => format!("{setting:<width$}  # {}", entry.origin),
            false => setting,
        };
        print(&format!("{}\n", safe(&line)))?;
    }
    Ok(Exit::COMPLETE)
}

/// Prints the JSON Schema of crawler files.
pub(super) fn schema() -> Result<Exit, Failure> {
    print_json(&config::schema())?;
    Ok(Exit::COMPLETE)
}
