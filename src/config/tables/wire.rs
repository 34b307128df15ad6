//! `[http]` and `[net]`: bounds of one exchange, what goes with every request, which addresses may be contacted, and whom to believe
//! there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZero;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ordered::ordered;
use super::trust::{self, TrustTable};
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::Identity;
use crate::config::units::{Size, Time};
use crate::fetch::Limits;
use crate::fetch::decode::MOST_CODINGS;
use crate::fetch::http::HttpOptions;
use crate::fetch::trust::Trust;
use crate::page::links::MAX_LINKS;
use crate::page::tree::MAX_DEPTH;
use crate::redirect::MAX_HOPS;

/// With fewer the body of an ordinary page would be flat.
const LEAST_DEPTH: usize = 16;

/// Bounds of one exchange, and what goes with every request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Http")]
pub(in crate::config) struct HttpTable {
    /// Most time to an open and, for https, verified connection. Default "10s".
    connect_timeout: Option<Time>,
    /// Most time from the request to the head of the answer. Default "30s".
    first_byte_timeout: Option<Time>,
    /// Most time between two pieces of the body. Default "15s".
    read_timeout: Option<Time>,
    /// Most time for everything together. Default "60s".
    total_timeout: Option<Time>,
    /// Most bytes of a decoded body; what is longer is cut there and reported. Default "10MiB".
    max_body: Option<Size>,
    /// Most decoded bytes for each byte on the wire, counted after the first MiB. Default 200.
    #[schemars(range(min = 1))]
    max_ratio: Option<u64>,
    /// Most redirects in a row that are followed. Default 10, which is also the most.
    #[schemars(range(max = 10))]
    max_redirects: Option<u8>,
    /// Most different places that the links of a page may lead to; what stands behind them is not read, and reported. Default 10,000.
    #[schemars(range(min = 1))]
    max_links: Option<NonZero<usize>>,
    /// Most elements of a page that stand in one another; deeper ones are flattened, and reported. Default 512, which is also the most.
    #[schemars(range(min = 16, max = 512))]
    max_element_depth: Option<usize>,
    /// Most content codings on one body that are undone; a page with more is not read, and stands on the failed list. Default 2,
    /// which is also the most. With 0 servers are asked for plain bodies.
    #[schemars(range(max = 2))]
    max_codings: Option<usize>,
    /// Header fields of every request. Credentials may only stand here if the scope is one host; else they belong in
    /// `[hosts."name".headers]`.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    headers: Vec<(String, String)>,
    /// A proxy for all requests: `http://user:password@host:port`. Default: none; the environment's is not used.
    proxy: Option<String>,
    /// How long a connection without a request stays open. Default "15s".
    keep_alive: Option<Time>,
    /// Bytes per second that a body must bring on the average once 10 s have passed. Default 1,000.
    least_speed: Option<u64>,
    /// Most header fields of an answer. Default 256.
    #[schemars(range(min = 1))]
    max_header_fields: Option<u32>,
    /// Most bytes of all header fields of an answer together. Default "64KiB".
    max_header_bytes: Option<Size>,
}

/// Which addresses may be contacted, and whom to believe there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Net")]
pub(in crate::config) struct NetTable {
    /// Networks outside the public internet that may be contacted, such as "10.0.0.0/8" or "127.0.0.1". A seed that is
    /// written with its address, or with `localhost`, allows exactly that address. Default: none.
    allow: Option<Vec<String>>,
    /// Authorities and pins of single hosts; may be given several times.
    trust: Vec<TrustTable>,
}

impl HttpTable {
    pub(in crate::config) fn limits(&self, check: &mut Check<'_>) -> Limits {
        let top = Path::of(&["http"]);
        let time = |value: Option<Time>| value.unwrap_or_default().0;
        let limits = Limits {
            connect: time(self.connect_timeout),
            first_byte: time(self.first_byte_timeout),
            between_bytes: time(self.read_timeout),
            total: time(self.total_timeout),
            body: self.max_body.map_or(1, |size| size.0),
            ratio: self.max_ratio.unwrap_or(1),
            redirects: self.max_redirects.unwrap_or(MAX_HOPS),
            links: self.max_links.map_or(MAX_LINKS, NonZero::get),
            depth: self.max_element_depth.unwrap_or(MAX_DEPTH),
        };
        for (key, value) in [
            ("connect-timeout", self.connect_timeout),
            ("first-byte-timeout", self.first_byte_timeout),
            ("read-timeout", self.read_timeout),
            ("total-timeout", self.total_timeout),
        ] {
            let none = value.is_some_and(|time| time.0.is_zero());
            check.must(!none, &top.key(key), "expected more than 0: no answer comes in no time");
        }
        check.must(limits.body > 0, &top.key("max-body"), "expected more than 0 bytes");
        check.must(limits.ratio > 0, &top.key("max-ratio"), "expected 1 or more");
        check.must(limits.redirects <= MAX_HOPS, &top.key("max-redirects"), "expected 10 at most");
        check.must(
            (LEAST_DEPTH..=MAX_DEPTH).contains(&limits.depth),
            &top.key("max-element-depth"),
            "expected 16 to 512: what is deeper is flattened",
        );
        limits
    }

    /// Everything but the addresses that may be contacted.
    pub(in crate::config) fn options(self, identity: &Identity, check: &mut Check<'_>) -> HttpOptions {
        check_headers(&self.headers, &Path::of(&["http", "headers"]), check);
        let codings = self.max_codings.unwrap_or(MOST_CODINGS);
        check.must(
            codings <= MOST_CODINGS,
            &Path::of(&["http", "max-codings"]),
            "expected 0, 1 or 2: nobody packs a page three times for a good reason",
        );
        let header_bytes = self.max_header_bytes.map_or(1, |size| size.0);
        HttpOptions {
            user_agent: identity.user_agent.clone(),
            proxy: self.proxy(check),
            keep_alive: self.keep_alive.unwrap_or_default().0,
            least_speed: self.least_speed.unwrap_or_default(),
            codings,
            header_fields: self.max_header_fields.unwrap_or(1) as usize,
            header_bytes: usize::try_from(header_bytes).unwrap_or(usize::MAX),
            headers: self.headers,
            ..HttpOptions::default()
        }
    }

    fn proxy(&self, check: &mut Check<'_>) -> Option<String> {
        let text = self.proxy.as_ref()?;
        let usable = ::url::Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        check.must(
            usable,
            &Path::of(&["http", "proxy"]),
            "expected a proxy such as \"http://proxy.example:3128\"",
        );
        Some(text.clone())
    }
}

impl NetTable {
    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> Vec<IpNet> {
        let allow = self.allow.as_deref().unwrap_or_default();
        check.each(&Path::of(&["net", "allow"]), allow, network)
    }

    pub(in crate::config) fn trust(&self, check: &mut Check<'_>) -> Vec<Trust> {
        trust::build(&self.trust, check)
    }
}

/// Reads a network, or an address alone.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| alone()).map_err(|_| {
        "expected a network such as \"10.0.0.0/8\" or an address such as \"127.0.0.1\"".to_owned()
    })
}

/// Header fields that the crawler writes itself: the reason why the user may not.
const RESERVED: [(&str, &str); 8] = [
    ("user-agent", "the User-Agent is made of [identity] name, version and contact"),
    ("host", "the Host is that of the URL"),
    ("content-length", "the Content-Length is that of the body"),
    ("transfer-encoding", "the transfer coding is chosen by the HTTP client"),
    ("connection", "the connection belongs to the HTTP client"),
    ("accept-encoding", "the crawler asks for the codings that it can decode"),
    ("if-none-match", "the crawler sends the validators that it has stored"),
    ("if-modified-since", "the crawler sends the validators that it has stored"),
];

/// Header fields that only the host they are meant for may see.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Whether the field is a secret by its name.
pub(in crate::config) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIALS.contains(&name.as_str())
        || ["token", "secret", "api-key", "apikey"].iter().any(|part| name.contains(part))
}

/// Checks header fields that stand at `path`.
pub(in crate::config) fn check_headers(headers: &[(String, String)], path: &Path, check: &mut Check<'_>) {
    for (name, value) in headers {
        let place = path.key(name);
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            check.wrong(&place, "this is no name of a header field: use letters, digits and `-`");
        } else if HeaderValue::from_str(value).is_err() {
            check.wrong(&place, "a header field holds one line of ASCII");
        } else if let Some((_, reason)) = RESERVED.iter().find(|(field, _)| name.eq_ignore_ascii_case(field))
        {
            check.wrong(&place, format!("remove it: {reason}"));
        }
    }
}
