//! What the tables for pages say of each other: labels and values that are asked for must be given somewhere.

use std::collections::BTreeSet;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::Seed;
use crate::config::problem::did_you_mean;
use crate::spider::declarative::{ExtractRule, FollowRule, PaginateRule, RequestRule};

/// All that is said about pages.
pub(in crate::config) struct Said<'a> {
    pub(in crate::config) seeds: &'a [(Path, Seed)],
    pub(in crate::config) requests: &'a [RequestRule],
    pub(in crate::config) extract: &'a [ExtractRule],
    pub(in crate::config) follow: &'a [FollowRule],
    pub(in crate::config) paginate: &'a [PaginateRule],
}

impl Said<'_> {
    /// Reports labels that are asked for and never given: such a rule would silently never apply. Not where flags have
    /// taken the place of the file's seeds, whose labels its rules are about.
    pub(in crate::config) fn check_labels(&self, check: &mut Check<'_>) {
        let given: BTreeSet<&str> = self
            .follow
            .iter()
            .filter_map(|rule| rule.label.as_deref())
            .chain(self.seeds.iter().filter_map(|(_, seed)| seed.label.as_deref()))
            .chain(self.requests.iter().filter_map(|rule| rule.label.as_deref()))
            .collect();
        let given: Vec<&str> = given.into_iter().collect();
        if check.is_from_flags(&Path::of(&["seeds"])) {
            return;
        }
        let asked = [
            ("extract", "label", self.extract.iter().map(|rule| rule.label.as_deref()).collect::<Vec<_>>()),
            ("follow", "on", self.follow.iter().map(|rule| rule.on.as_deref()).collect()),
            ("paginate", "on", self.paginate.iter().map(|rule| rule.on.as_deref()).collect()),
        ];
        for (table, key, labels) in asked {
            let places = check.items(&Path::of(&[table]));
            for (label, place) in labels.into_iter().zip(places) {
                let Some(label) = label.filter(|label| !given.contains(label)) else {
                    continue;
                };
                let hint = did_you_mean(label, &given);
                check.wrong_with(
                    &place.key(key),
                    "no seed, [[requests]] or [[follow]] gives this label",
                    hint,
                );
            }
        }
    }

    /// The names of all values that travel with requests, each once.
    pub(in crate::config) fn travelling(&self) -> Vec<String> {
        let of_seeds = self.seeds.iter().flat_map(|(_, seed)| seed.data.keys());
        let of_requests = self.requests.iter().flat_map(|rule| rule.data.keys());
        let of_links = self.follow.iter().flat_map(|rule| {
            let taken = rule.data.iter().map(|field| &field.name);
            taken.chain(&rule.carry)
        });
        let mut names: Vec<String> = Vec::new();
        for name in of_seeds.chain(of_requests).chain(of_links) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Reports names in `carry` that nothing gives. What a JSON object holds is not known here.
    pub(in crate::config) fn check_carried(&self, check: &mut Check<'_>) {
        if check.is_from_flags(&Path::of(&["seeds"])) {
            return;
        }
        let taken = self.follow.iter().flat_map(|rule| rule.data.iter().map(|field| field.name.as_str()));
        let of_items =
            self.extract.iter().flat_map(|rule| rule.fields.iter().map(|field| field.name.as_str()));
        let of_seeds = self.seeds.iter().flat_map(|(_, seed)| seed.data.keys().map(String::as_str));
        let of_requests = self.requests.iter().flat_map(|rule| rule.data.keys().map(String::as_str));
        let of_json = self.follow.iter().filter(|rule| rule.json.is_some());
        let of_json = of_json.flat_map(|rule| rule.carry.iter().map(String::as_str));
        let given: BTreeSet<&str> =
            taken.chain(of_items).chain(of_seeds).chain(of_requests).chain(of_json).collect();
        let given: Vec<&str> = given.into_iter().collect();
        for (rule, place) in self.follow.iter().zip(check.items(&Path::of(&["follow"]))) {
            for (name, place) in rule.carry.iter().zip(check.items(&place.key("carry"))) {
                if !name.is_empty() && !given.contains(&name.as_str()) {
                    let hint = did_you_mean(name, &given);
                    let message = "nothing has this name: take it by `data` of this rule, or as a field of an \
                                   [[extract]]";
                    check.wrong_with(&place, message, hint);
                }
            }
        }
    }
}
