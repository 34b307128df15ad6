//! Spiders by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exit::Failure;
use crate::config::{Plan, Reader};
use crate::spider::Spider;
use crate::spider::declarative::Declarative;

type Make = Box<dyn Fn() -> Arc<dyn Spider>>;

/// The spiders that a crawler file can name with `spider = "…"`.
///
/// A binary of your own is three lines, and has every command of `crawl`:
///
/// ```no_run
/// use crawl::cli::Registry;
/// # use crawl::{extract::ExtractError, item::Harvest, page::Page, request::Request, spider::Spider};
/// # struct Quotes;
/// # impl Quotes { fn new() -> Self { Self } }
/// # impl Spider for Quotes {
/// #     fn name(&self) -> &str { "quotes" }
/// #     fn seeds(&self) -> Vec<Request> { Vec::new() }
/// #     fn parse(&self, _: &Page, _: &mut Harvest) -> Result<(), ExtractError> { Ok(()) }
/// # }
///
/// fn main() -> std::process::ExitCode {
///     crawl::cli::main(Registry::builtin().spider("quotes", Quotes::new))
/// }
/// ```
pub struct Registry {
    spiders: BTreeMap<String, Make>,
}

impl Registry {
    /// What `crawl` itself knows: crawler files that say all about pages themselves, with `[[extract]]` and `[[follow]]`.
    #[must_use]
    pub fn builtin() -> Self {
        Self { spiders: BTreeMap::new() }
    }

    /// Adds a spider under a name, or puts it in the place of the one that had it. `make` is called when a crawler file that
    /// names it is used.
    #[must_use]
    pub fn spider<S: Spider>(mut self, name: impl Into<String>, make: impl Fn() -> S + 'static) -> Self {
        self.spiders.insert(name.into(), Box::new(move || Arc::new(make())));
        self
    }

    /// Makes the spider of a plan.
    pub(super) fn of(&self, plan: &Plan) -> Result<Arc<dyn Spider>, Failure> {
        match &plan.reader {
            Reader::Recipe(recipe) => Ok(Arc::new(Declarative::new(recipe.clone()))),
            Reader::Spider(name) => match self.spiders.get(name) {
                Some(make) => Ok(make()),
                None => Err(Failure::Usage(self.unknown(name, plan))),
            },
        }
    }

    fn unknown(&self, name: &str, plan: &Plan) -> String {
        let place = plan.explain().iter().find(|entry| entry.key == "spider");
        let place = place.map_or_else(String::new, |entry| format!("\n --> {}", entry.origin));
        let known: Vec<&str> = self.spiders.keys().map(String::as_str).collect();
        let closest = known
            .iter()
            .copied()
            .filter(|known| strsim::damerau_levenshtein(known, name) <= 1 + known.len() / 4)
            .min_by_key(|known| strsim::damerau_levenshtein(known, name));
        let hint = match (closest, known.is_empty()) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, true) => "this program has none: `crawl new NAME` makes one that has".to_owned(),
            (None, false) => format!("there are: {}", known.join(", ")),
        };
        format!("`spider`: no spider is called {name:?}{place}\n  = {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;
    use crate::spider::declarative::Recipe;

    fn registry() -> Registry {
        Registry::builtin().spider("quotes", || Declarative::new(Recipe::default()))
    }

    fn plan(spider: &str) -> Plan {
        let text = format!("spider = \"{spider}\"\n");
        Loader::new().text("a.toml", text).load().unwrap()
    }

    #[test]
    fn a_crawler_file_picks_a_spider_by_name() {
        assert!(registry().of(&plan("quotes")).is_ok());
    }

    #[test]
    fn an_unknown_name_is_told_with_its_place_and_what_may_have_been_meant() {
        let Err(failure) = registry().of(&plan("quots")) else { panic!("there is no such spider") };
        assert_eq!(
            failure.to_string(),
            "`spider`: no spider is called \"quots\"\n --> a.toml:1\n  = did you mean `quotes`?"
        );
        assert_eq!(failure.exit().0, 2);
    }
}
