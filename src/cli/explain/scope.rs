//! Which key of the crawler file lets a URL in, or keeps it out.

use serde::Serialize;

use crate::config::Plan;
use crate::request::Request;
use crate::scope::{OutOfScope, UrlTrap};

/// What the scope says of a URL.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ScopeSaid {
    pub(super) belongs: bool,
    /// The key that decides, and where it was set: `scope.exclude (a.toml:7)`.
    pub(super) key: Option<String>,
    pub(super) reason: String,
}

impl ScopeSaid {
    /// `found`: the request is known as it was made, its depth included.
    pub(super) fn of(plan: Option<&Plan>, request: &Request, found: bool) -> Self {
        let Some(plan) = plan else {
            let reason = "what belongs to this crawl is not known: name its crawler file".to_owned();
            return Self { belongs: true, key: None, reason };
        };
        match plan.scope.judge(request) {
            Ok(()) => Self { belongs: true, key: None, reason: let_in(plan, request, found) },
            Err(why) => {
                Self { belongs: false, key: Some(place(plan, key_of(&why))), reason: why.to_string() }
            }
        }
    }
}

/// What lets it in, and what cannot be told.
fn let_in(plan: &Plan, request: &Request, found: bool) -> String {
    let scope = &plan.scope;
    let host = scope.hosts.iter().find(|host| host.matches(&request.url));
    let mut parts = vec![match host {
        Some(host) => format!("`{host}` is one of {}", place(plan, "scope.hosts")),
        None => "every host belongs to it".to_owned(),
    }];
    let include = scope.include.iter().find(|pattern| pattern.matches(&request.url));
    parts.extend(include.map(|pattern| {
        let key = place(plan, "scope.include");
        format!("`{}` in {key} matches", pattern.as_str())
    }));
    match scope.max_depth {
        Some(most) if found => parts.push(format!("{} links from a seed of at most {most}", request.depth)),
        Some(most) => parts.push(format!("how far it is from a seed is not known (max-depth = {most})")),
        None => {}
    }
    parts.join("; ")
}

/// A key with the place where its value was set.
fn place(plan: &Plan, key: &str) -> String {
    match plan.explain().iter().find(|entry| entry.key == key) {
        Some(entry) => format!("{key} ({})", entry.origin),
        None if key == "scope.hosts" => "the hosts of the seeds".to_owned(),
        None => key.to_owned(),
    }
}

const fn key_of(why: &OutOfScope) -> &'static str {
    match why {
        OutOfScope::Host => "scope.hosts",
        OutOfScope::NotIncluded => "scope.include",
        OutOfScope::Excluded(_) => "scope.exclude",
        OutOfScope::TooDeep => "scope.max-depth",
        OutOfScope::Trap(UrlTrap::Bytes { .. }) => "scope.traps.max-bytes",
        OutOfScope::Trap(UrlTrap::Segments { .. }) => "scope.traps.max-segments",
        OutOfScope::Trap(UrlTrap::InARow { .. }) => "scope.traps.max-in-a-row",
        OutOfScope::Trap(UrlTrap::InAll { .. }) => "scope.traps.max-in-all",
        OutOfScope::Trap(UrlTrap::Parameters { .. }) => "scope.traps.max-parameters",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;
    use crate::url::CanonicalUrl;

    fn said(rules: &str, url: &str, depth: Option<u32>) -> ScopeSaid {
        let text = format!(
            "seeds = [\"http://a.example/start\"]\n[identity]\ncontact = \"me@a.example\"\n[scope]\n{rules}\n"
        );
        let plan = Loader::new().text("a.toml", text).load().unwrap();
        let mut request = Request::get(CanonicalUrl::parse(url).unwrap());
        request.depth = depth.unwrap_or(0);
        ScopeSaid::of(Some(&plan), &request, depth.is_some())
    }

    #[test]
    fn what_keeps_a_url_out_is_told_with_its_key_and_line() {
        let out = |rules: &str, url: &str, depth| said(rules, url, depth).key.unwrap();
        assert_eq!(out("", "http://b.example/", None), "the hosts of the seeds");
        assert_eq!(out("hosts = [\"a.example\"]", "http://b.example/", None), "scope.hosts (a.toml:5)");
        assert_eq!(out("exclude = [\"/x\"]", "http://a.example/x", None), "scope.exclude (a.toml:5)");
        assert_eq!(out("include = [\"/start\"]", "http://a.example/y", None), "scope.include (a.toml:5)");
        assert_eq!(out("max-depth = 1", "http://a.example/y", Some(2)), "scope.max-depth (a.toml:5)");
        assert_eq!(out("", "http://a.example/x/x/x", None), "scope.traps.max-in-a-row (default)");
    }

    #[test]
    fn what_lets_a_url_in_is_told_too_and_what_cannot_be_told() {
        let rules = "include = [\"/start\", \"/x\"]\nmax-depth = 3";
        let known = said(rules, "http://a.example/x", Some(2));
        assert!(known.belongs);
        assert_eq!(
            known.reason,
            "`a.example` is one of the hosts of the seeds; `/x` in scope.include (a.toml:5) matches; 2 links from a seed of at most 3"
        );
        let unknown = said(rules, "http://a.example/x", None).reason;
        assert!(unknown.ends_with("how far it is from a seed is not known (max-depth = 3)"), "{unknown}");
    }
}
