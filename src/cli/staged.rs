//! The stages of a crawler file where nothing is crawled: for `crawl try` and `crawl test`, which show what would be written.
//!
//! Keys are not looked at here: whether another page has the same item is only known in a crawl.

use std::sync::Arc;

use crate::config::Plan;
use crate::extract::ExtractError;
use crate::item::{Harvest, Item};
use crate::page::Page;
use crate::request::Request;
use crate::spider::Spider;
use crate::stage::rule::StageRule;
use crate::stage::{Remarks, Stage};

/// The items that pass, and why the others do not.
pub(super) fn through(stages: &[StageRule], items: Vec<Item>) -> (Vec<Item>, Vec<String>) {
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    for item in items {
        let mut remarks = Remarks::default();
        match stages.iter().try_fold(item, |item, stage| stage.apply_noting(item, &mut remarks)) {
            Ok(item) => kept.push(item),
            Err(dropped) => told.push(format!("an item is dropped: {dropped}")),
        }
        told.extend(remarks.notes().iter().map(|note| format!("{} {}", note.field, note.why)));
    }
    (kept, told)
}

/// A spider whose items have passed the stages. What these say are problems of the page. It reads pages and nothing else.
pub(super) struct Staged {
    spider: Arc<dyn Spider>,
    stages: Vec<StageRule>,
}

impl Staged {
    pub(super) fn of(plan: &Plan, spider: Arc<dyn Spider>) -> Self {
        Self { spider, stages: plan.stages.clone() }
    }
}

impl Spider for Staged {
    fn name(&self) -> &str {
        self.spider.name()
    }

    fn seeds(&self) -> Vec<Request> {
        self.spider.seeds()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let mut own = Harvest::new();
        let parsed = self.spider.parse(page, &mut own);
        let (items, links, problems) = own.into_parts(page.url());
        let (items, told) = through(&self.stages, items);
        for item in items {
            match &item.kind {
                Some(kind) => harvest.item_of(kind, &item.fields)?,
                None => harvest.item(&item.fields)?,
            }
        }
        links.into_iter().for_each(|link| harvest.follow(link));
        problems.into_iter().chain(told).for_each(|problem| harvest.problem(problem));
        parsed
    }
}
