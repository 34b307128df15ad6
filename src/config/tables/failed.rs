//! `[failed]`: the list of what was given up.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::sink::Target;

/// The list of pages that were given up in the round, with all that it takes to ask again. `crawl failed` shows it at any time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Failed")]
pub(in crate::config) struct FailedTable {
    /// A file, relative to the current directory, that is written anew at the end of each run: one JSON object a line. Default:
    /// none.
    path: Option<PathBuf>,
}

impl FailedTable {
    pub(in crate::config) fn build(self, sinks: &[Target], check: &mut Check<'_>) -> Option<PathBuf> {
        let at = Path::of(&["failed", "path"]);
        let path = self.path?;
        let is_a_file = !path.as_os_str().is_empty() && path.as_os_str() != "-";
        if !is_a_file {
            check.missing(&at, "write the file that the list goes to; `crawl failed` prints it");
            return None;
        }
        let is_taken = sinks.iter().any(|sink| sink.form.path() == Some(path.as_path()));
        check.must(!is_taken, &at, "items go to this file: give the list its own");
        Some(path)
    }
}
