//! Flags that say what is to be looked at on a page.

use clap::{Args, ValueEnum};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Look at the page")]
pub(in crate::cli) struct LookArgs {
    /// Show what this selector finds: `h1`, `a.next::attr(href)`; may be repeated, as the three below
    #[arg(long, value_name = "SELECTOR")]
    pub(in crate::cli) css: Vec<String>,
    /// Show what this XPath finds: `//h1/@id`
    #[arg(long, value_name = "EXPRESSION")]
    pub(in crate::cli) xpath: Vec<String>,
    /// Show what this JSONPath finds in a JSON answer: `$.items[*].name`
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) json_path: Vec<String>,
    /// Show what this regular expression finds in the source: its first group, or the whole match
    #[arg(long, value_name = "EXPRESSION")]
    pub(in crate::cli) regex: Vec<String>,
    /// Show the main text: text or markdown
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(in crate::cli) article: Option<ArticleForm>,
    /// Show what the page says for machines: JSON-LD, microdata, Open Graph, meta
    #[arg(long)]
    pub(in crate::cli) structured: bool,
    /// Show its links
    #[arg(long)]
    pub(in crate::cli) links: bool,
}

/// The form of a main text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ArticleForm {
    Text,
    Markdown,
}
