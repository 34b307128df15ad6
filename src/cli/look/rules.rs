//! What the rules of a crawler file take from one page.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::exit::Failure;
use super::super::{Registry, setup, staged};
use crate::config::{Plan, Reader};
use crate::extract::ExtractError;
use crate::item::{Harvest, Item};
use crate::page::Page;
use crate::request::Request;
use crate::scope::Scope;
use crate::spider::Spider;
use crate::spider::declarative::Declarative;
use crate::spider::declarative::trace::{Led, Trace};
use crate::stage::rule::StageRule;

/// The rules of a plan: those of its file, of which a trace can be had, or a spider in code.
pub(in crate::cli) struct Rules {
    spider: Arc<dyn Spider>,
    declarative: Option<Declarative>,
    scope: Scope,
    stages: Vec<StageRule>,
}

/// What they gave on a page.
#[derive(Debug)]
pub(in crate::cli) struct Taken {
    pub(in crate::cli) items: Vec<Item>,
    /// What stages made of the items.
    pub(in crate::cli) stages: Vec<String>,
    pub(in crate::cli) links: Vec<Link>,
    pub(in crate::cli) problems: Vec<String>,
    /// Why the page could not be read.
    pub(in crate::cli) error: Option<String>,
    /// What each rule did, if they are those of a file.
    pub(in crate::cli) trace: Option<Trace>,
}

/// A link that would be followed.
#[derive(Debug)]
pub(in crate::cli) struct Link {
    pub(in crate::cli) url: String,
    pub(in crate::cli) label: Option<String>,
    /// Why it would not be asked for.
    pub(in crate::cli) out_of_scope: Option<String>,
    /// What led to it.
    pub(in crate::cli) by: Option<Led>,
}

impl Rules {
    pub(in crate::cli) fn of(plan: &mut Plan, registry: &Registry) -> Result<Self, Failure> {
        let spider = setup::spider(plan, registry)?;
        let declarative = match &plan.reader {
            Reader::Recipe(recipe) => Some(Declarative::new(recipe.clone())),
            Reader::Spider(_) => None,
        };
        Ok(Self { spider, declarative, scope: plan.scope.clone(), stages: plan.stages.clone() })
    }

    pub(in crate::cli) fn spider(&self) -> &dyn Spider {
        &*self.spider
    }

    /// Reads a page as a crawl does.
    pub(in crate::cli) fn read(&self, page: &Page) -> (Taken, Result<(), ExtractError>) {
        let mut harvest = Harvest::new();
        let (trace, parsed) = match &self.declarative {
            Some(declarative) => {
                let (trace, parsed) = declarative.traced(page, &mut harvest);
                (Some(trace), parsed)
            }
            None => (None, self.spider.parse(page, &mut harvest)),
        };
        let (items, requests, problems) = harvest.into_parts(page.url());
        let (items, stages) = staged::through(&self.stages, items);
        let mut led = trace.as_ref().map(|trace| trace.led.clone()).unwrap_or_default().into_iter();
        let links = requests.into_iter().map(|request| self.link(request, led.next())).collect();
        let error = parsed.as_ref().err().map(ToString::to_string);
        (Taken { items, stages, links, problems, error, trace }, parsed)
    }

    fn link(&self, mut request: Request, by: Option<Led>) -> Link {
        // One link behind a seed.
        request.depth = 1;
        let verdict = self.scope.judge(&request).map_err(|why| why.to_string());
        let label = request.label.as_deref().map(str::to_owned);
        Link { url: request.url.to_string(), label, out_of_scope: verdict.err(), by }
    }
}

impl Taken {
    /// For scripts, laid over what is known of the page.
    pub(in crate::cli) fn add_to(&self, answer: &mut Value) {
        let item = |item: &Item| json!({ "kind": item.kind, "fields": item.fields });
        let link = |link: &Link| {
            json!({
                "url": link.url,
                "label": link.label,
                "out-of-scope": link.out_of_scope,
                "by": link.by.map(Led::word),
            })
        };
        answer["items"] = self.items.iter().map(item).collect();
        answer["stages"] = json!(self.stages);
        answer["links"] = self.links.iter().map(link).collect();
        answer["problems"] = json!(self.problems);
        answer["error"] = json!(self.error);
        answer["rules"] = json!(self.trace);
    }
}
