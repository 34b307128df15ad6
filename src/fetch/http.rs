//! The real fetcher: reqwest, one exchange, no redirects, no retries.

use crate::address::AddressPolicy;

/// What the fetcher is built with.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// The User-Agent of every request: `name/version (+contact)`.
    pub user_agent: String,
    /// Header fields of every request.
    pub headers: Vec<(String, String)>,
    /// A proxy for all requests (`http://user:password@host:port`). The environment's proxies are not used.
    pub proxy: Option<String>,
    /// Which addresses may be contacted.
    pub addresses: AddressPolicy,
}
