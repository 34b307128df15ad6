//! `[identity]`: who the crawler says it is.

use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::Identity;
use crate::robots::ProductToken;

/// Who the crawler says it is. The User-Agent is `name/version (+contact)`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Identity")]
pub(in crate::config) struct IdentityTable {
    /// The product token: what robots.txt calls the crawler (RFC 9309 2.2.1). Letters, `-` and `_`. Default "crawl".
    #[schemars(regex(pattern = r"^[A-Za-z_-]+$"))]
    name: Option<String>,
    /// The version in the User-Agent. Default: this program's.
    version: Option<String>,
    /// Where the owner of a site can reach you: a web page about the crawl, or a mail address. Required, unless every
    /// seed is on this machine.
    contact: Option<String>,
}

impl IdentityTable {
    pub(in crate::config) fn build(self, check: &mut Check<'_>) -> Identity {
        let top = Path::of(&["identity"]);
        let name = self.name.unwrap_or_default();
        if check.is_there(&top.key("name")) {
            check.taken(&top.key("name"), ProductToken::parse(&name));
        }
        let version = self.version.unwrap_or_default();
        check.must(
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_graphic() && !b"()/,".contains(&byte)),
            &top.key("version"),
            "expected a version such as \"1.0\": it stands in the User-Agent",
        );
        if let Some(contact) = &self.contact {
            check.must(
                is_contact(contact),
                &top.key("contact"),
                "expected a web address (https://…) or a mail address (you@example.com)",
            );
        }
        Identity::new(name, version, self.contact)
    }
}

fn is_contact(text: &str) -> bool {
    let printable = HeaderValue::from_str(text).is_ok() && !text.contains(['(', ')', ' ', '\t', '\\']);
    let web =
        ::url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mail = text
        .trim_start_matches("mailto:")
        .split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'));
    printable && (web || mail)
}
