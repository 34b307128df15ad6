//! What a crawl in the making keeps beside items: its archive, its journal, and the list of its changes.

use std::path::PathBuf;

use super::{Builder, JournalChoice};
use crate::headers::user_agent::user_agent;
use crate::sink::warc::{About, Warc};
use crate::store::journal::Journals;

impl<F> Builder<F> {
    /// Archives everything that is asked and answered: pages, sitemaps, robots.txt files, redirects and refusals; not the requests
    /// that only look whether a host still answers. With a fetcher of your own, bodies are archived as it has decoded them.
    pub fn archive(mut self, archive: Warc) -> Self {
        self.archive = Some(archive);
        self
    }

    /// Where the list of each round's changes is kept, one file of JSON lines a round. Default: in the folder `changes` of the
    /// state directory, or nowhere.
    pub fn changes_in(mut self, dir: impl Into<PathBuf>) -> Self {
        self.changes = Some(dir.into());
        self
    }

    /// Where the journal of every request is kept, which [`crate::audit`] judges. Default: in the folder `journal` of the
    /// state directory, two rounds of it; without a state directory in none.
    pub fn journals(mut self, journals: Journals) -> Self {
        self.journals = JournalChoice::These(journals);
        self
    }

    /// Keeps no journal: what the crawl did cannot be judged afterwards.
    pub fn without_journal(mut self) -> Self {
        self.journals = JournalChoice::None;
        self
    }

    /// Tells the archive who crawls. The names of its records are drawn from `seed`.
    pub(super) fn introduce(&mut self, seed: u64) {
        let user_agent = self.user_agent();
        let Some(archive) = &mut self.archive else { return };
        archive.introduce(About { user_agent, contact: self.contact.clone(), seed });
    }

    /// What servers are told of who asks: what the options say, else name and contact.
    pub(super) fn user_agent(&self) -> String {
        match self.http.user_agent.as_str() {
            "" => user_agent(&self.name, env!("CARGO_PKG_VERSION"), self.contact.as_deref()),
            agent => agent.to_owned(),
        }
    }
}
