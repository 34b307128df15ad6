//! Arguments of `crawl fetch`.

use std::path::PathBuf;

use clap::Args;

use super::{LookArgs, Sets, with_max_age};
use crate::config::Loader;

/// What stands below the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  crawl fetch https://example.com/ --state .crawl/one --set identity.contact=me@example.com
  crawl fetch crawlers/site.toml https://example.com/news --json
  crawl fetch crawlers/site.toml https://example.com/news --body news.html --warc news.warc.gz
  crawl fetch crawlers/site.toml https://example.com/news --css h2 --xpath '//time/@datetime'
  crawl fetch --from news.html --url https://example.com/news --article markdown

Exit codes are those of `crawl run`. A wait that is longer than backoff.patience is not sat through: the
answer says when it ends (code 6). The crawl of FILE is not disturbed: its round, queue and output stay.";

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct FetchArgs {
    /// The crawler file, then the URL; a URL alone is fetched with the defaults
    #[arg(required_unless_present = "from", num_args = 1..=2, value_names = ["FILE", "URL"])]
    pub(in crate::cli) file_and_url: Vec<String>,
    /// Ask nobody: look at the page in this file; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file_and_url", "state", "max_age", "fresh", "body", "warc"])]
    pub(in crate::cli) from: Option<PathBuf>,
    /// The address that the page of --from has: links are relative to it
    #[arg(long, value_name = "URL", requires = "from")]
    pub(in crate::cli) url: Option<String>,
    /// The state directory, if it is not the one of FILE
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Do not ask if the page was fetched or found unchanged less than this ago (cache.max-age)
    #[arg(long, value_name = "DURATION", conflicts_with = "fresh")]
    max_age: Option<String>,
    /// Ask for the whole page, whatever is kept of it
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
    /// Write the decoded body to this file; `-` is the standard output, and the answer goes to the standard error then
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) body: Option<PathBuf>,
    /// Archive what is asked and answered in this file (.warc.gz or .warc), or in files in this folder
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) warc: Option<PathBuf>,
    /// Redirects that are followed; each goes the same road, robots.txt first
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(in crate::cli) max_redirects: u8,
    #[command(flatten)]
    sets: Sets,
    /// Print a JSON object
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) look: LookArgs,
}

impl FetchArgs {
    /// A page for a person who looks at it: with these layers, and with the body.
    pub(super) fn of(file_and_url: Vec<String>, state: Option<&PathBuf>, sets: &Sets) -> Self {
        Self { file_and_url, state: state.cloned(), sets: sets.clone(), max_redirects: 5, ..Self::default() }
    }

    /// Whether it may be told from what is kept, without a request.
    pub(in crate::cli) fn names_an_age(&self) -> bool {
        self.max_age.is_some()
    }

    /// Everything as layers, the flags uppermost.
    pub(in crate::cli) fn over(&self) -> Loader {
        let (file, url) = match self.file_and_url.as_slice() {
            [file, url] => (Some(PathBuf::from(file)), url.as_str()),
            [url] => (None, url.as_str()),
            _ => (None, ""),
        };
        let mut loader = self.sets.over(file.as_ref()).seed(url);
        if let Some(state) = &self.state {
            loader = loader.state(state);
        }
        with_max_age(loader, self.max_age.as_deref())
    }
}
