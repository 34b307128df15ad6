//! Arguments of `crawl shell`.

use std::path::PathBuf;

use clap::Args;

use super::{FetchArgs, Sets};
use crate::config::Loader;

/// What stands below the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  crawl shell https://example.com/ --set identity.contact=me@example.com
  crawl shell crawlers/site.toml demo:
  crawl shell --from page.html https://example.com/page
  echo 'css h1' | crawl shell --from page.html

`help` lists the commands. The exit code is that of the last page that was asked for, as of `crawl fetch`.";

#[derive(Debug, Args)]
pub(in crate::cli) struct ShellArgs {
    /// The crawler file, whose identity, pace and rules are used, then the URL; or a URL alone
    #[arg(required_unless_present = "from", num_args = 1..=2, value_names = ["FILE", "URL"])]
    pub(in crate::cli) file_and_url: Vec<String>,
    /// Ask nobody for the first page: read it from this file. URL is its address then
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,
    /// The state directory, if it is not the one of FILE
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    sets: Sets,
}

impl ShellArgs {
    /// The crawler file and the first URL.
    pub(in crate::cli) fn parts(&self) -> (Option<&str>, Option<&str>) {
        match self.file_and_url.as_slice() {
            [file, url] => (Some(file), Some(url)),
            [url] => (None, Some(url)),
            _ => (None, None),
        }
    }

    /// As `crawl fetch` would be asked for `url`.
    pub(in crate::cli) fn fetch(&self, url: &str) -> FetchArgs {
        let file = self.parts().0.map(str::to_owned);
        let all = file.into_iter().chain([url.to_owned()]).collect();
        FetchArgs::of(all, self.state.as_ref(), &self.sets)
    }

    /// The crawler file with its assignments, to begin at `url`.
    pub(in crate::cli) fn rules(&self, url: &str) -> Loader {
        self.fetch(url).over()
    }
}
