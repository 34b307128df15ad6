//! `[url]`: the steps by which two spellings of a URL become one.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::spider::declarative::Originals;
use crate::url::{Canon, CanonStep};

/// By which steps two spellings of a URL become one page. Scheme and host in lower case, default ports, dot segments and
/// fragments are always brought into normal form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Url")]
pub(in crate::config) struct UrlTable {
    /// Name and password in a link are dropped, unless the page itself was asked with them. Default true.
    userinfo: Option<bool>,
    /// Percent-encoded letters, digits and `-._~` are decoded, hex digits are upper-case (RFC 3986 6.2.2). Default true.
    percent_case: Option<bool>,
    /// A `?` with nothing behind it is dropped. Default true.
    empty_query: Option<bool>,
    /// Session names such as `;jsessionid=` and `?phpsessid=` are dropped. Default false.
    session_ids: Option<bool>,
    /// Tracking parameters such as `utm_source` are dropped. Default false.
    tracking_parameters: Option<bool>,
    /// Query parameters are sorted by name. Default false.
    sort_query: Option<bool>,
    /// Runs of slashes in the path become one. Default false.
    duplicate_slashes: Option<bool>,
    /// A slash at the end of the path is dropped. Default false: `/a` and `/a/` are often different pages.
    trailing_slash: Option<bool>,
    /// A dot at the end of the host is dropped. Default false.
    final_dot: Option<bool>,
    /// What becomes of a page whose `<link rel=canonical>` names another page of its host: "ignore" reads it like every page, "follow"
    /// takes nothing from it and asks for the other one instead. Default "ignore".
    canonical: Option<CanonicalWord>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Canonical")]
enum CanonicalWord {
    Ignore,
    Follow,
}

impl UrlTable {
    pub(in crate::config) fn originals(&self) -> Originals {
        match self.canonical {
            Some(CanonicalWord::Follow) => Originals::Follow,
            Some(CanonicalWord::Ignore) | None => Originals::Ignore,
        }
    }

    pub(in crate::config) fn build(&self) -> Canon {
        let steps = [
            (self.userinfo, CanonStep::Userinfo),
            (self.percent_case, CanonStep::PercentCase),
            (self.session_ids, CanonStep::SessionIds),
            (self.empty_query, CanonStep::EmptyQuery),
            (self.tracking_parameters, CanonStep::TrackingParameters),
            (self.sort_query, CanonStep::SortQuery),
            (self.duplicate_slashes, CanonStep::DuplicateSlashes),
            (self.trailing_slash, CanonStep::TrailingSlash),
            (self.final_dot, CanonStep::FinalDot),
        ];
        Canon::of(steps.into_iter().filter(|(on, _)| *on == Some(true)).map(|(_, step)| step))
    }
}
