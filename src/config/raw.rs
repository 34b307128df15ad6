//! The mirror of a crawler file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::tables::block::BlockTable;
use super::tables::cache::CacheTable;
use super::tables::download::DownloadTable;
use super::tables::expect::ExpectTable;
use super::tables::failed::FailedTable;
use super::tables::follow::FollowTable;
use super::tables::hosts::HostTable;
use super::tables::identity::IdentityTable;
use super::tables::journal::JournalTable;
use super::tables::limits::LimitsTable;
use super::tables::ordered::ordered;
use super::tables::pace::{BackoffTable, PolitenessTable, RetryTable, RobotsTable};
use super::tables::pages::ExtractTable;
use super::tables::paginate::PaginateTable;
use super::tables::requests::RequestTable;
use super::tables::revisit::RevisitTable;
use super::tables::scope::ScopeTable;
use super::tables::seeds::SeedTable;
use super::tables::session::{CookiesTable, LoginTable};
use super::tables::sink::SinkTable;
use super::tables::sitemap::SitemapTable;
use super::tables::stage::StageTable;
use super::tables::state::StateTable;
use super::tables::url::UrlTable;
use super::tables::wire::{HttpTable, NetTable};

/// A crawler file: one crawl. In every string `${NAME}` stands for an environment variable.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct CrawlerFile {
    /// URLs to start from. Stands above all tables.
    pub(super) seeds: Vec<SeedTable>,
    /// A file of URLs to start from beside `seeds`, one a line, relative to the current directory. Lines that begin with `#` are left
    /// out. It is read again while the crawl begins, and never held in memory. Stands above all tables.
    pub(super) seeds_file: Option<PathBuf>,
    /// A spider that your own program registers under this name; then there is no `[[extract]]` and no `[[follow]]`.
    /// Stands above all tables.
    pub(super) spider: Option<String>,
    /// Where the crawl's state is kept, relative to the current directory. Default: `.crawl/` and the name of the file.
    /// Stands above all tables.
    pub(super) state_dir: Option<PathBuf>,
    pub(super) identity: IdentityTable,
    pub(super) scope: ScopeTable,
    pub(super) sitemap: SitemapTable,
    pub(super) politeness: PolitenessTable,
    pub(super) robots: RobotsTable,
    pub(super) backoff: BackoffTable,
    pub(super) retry: RetryTable,
    pub(super) block: BlockTable,
    pub(super) revisit: RevisitTable,
    pub(super) cookies: CookiesTable,
    pub(super) login: LoginTable,
    pub(super) http: HttpTable,
    pub(super) net: NetTable,
    pub(super) limits: LimitsTable,
    pub(super) url: UrlTable,
    /// What to take from pages; may be given several times.
    pub(super) extract: Vec<ExtractTable>,
    /// Which links are walked; may be given several times. Default: every link in scope.
    pub(super) follow: Vec<FollowTable>,
    /// How the pages of lists are walked; may be given several times.
    pub(super) paginate: Vec<PaginateTable>,
    /// Many requests of one shape, asked for beside the seeds; may be given several times.
    pub(super) requests: Vec<RequestTable>,
    /// What is different for single hosts.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, HostTable>")]
    pub(super) hosts: Vec<(String, HostTable)>,
    /// What happens to items before they are written; may be given several times.
    pub(super) stage: Vec<StageTable>,
    pub(super) sink: SinkTable,
    pub(super) failed: FailedTable,
    pub(super) expect: ExpectTable,
    pub(super) download: DownloadTable,
    pub(super) cache: CacheTable,
    pub(super) journal: JournalTable,
    pub(super) state: StateTable,
}
