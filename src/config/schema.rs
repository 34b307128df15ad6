//! The JSON Schema of crawler files, for editors.

use serde_json::Value;

use super::raw::CrawlerFile;

/// The schema (draft 2020-12) of a crawler file. It is what `crawl schema` prints.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(CrawlerFile).to_value()
}
