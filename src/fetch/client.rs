//! How reqwest is set up: nothing of its own initiative is left switched on.
//!
//! No redirect, no repetition, no cookie, no Referer, no proxy of the environment, no decoding: each of these would hide an
//! exchange or a byte from the rules that are kept elsewhere.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Proxy, redirect, retry};

use super::http::{HttpOptions, OptionsError};
use super::resolver::GuardedResolver;
use super::timing::DialLayer;

/// A client whose connections must be there within `connect`.
pub(super) fn build(
    options: &HttpOptions,
    resolver: Arc<GuardedResolver>,
    connect: Duration,
) -> Result<Client, OptionsError> {
    install_crypto();
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .dns_resolver(resolver)
        .connect_timeout(connect)
        .connector_layer(DialLayer)
        .user_agent(&options.user_agent)
        .pool_idle_timeout(options.keep_alive)
        .tcp_nodelay(true)
        .http1_max_headers(options.header_fields)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http2_max_header_list_size(u32::try_from(options.header_bytes).unwrap_or(u32::MAX));
    let builder = match &options.proxy {
        Some(address) => builder.proxy(Proxy::all(address).map_err(|_| OptionsError::Proxy)?),
        None => builder,
    };
    builder.build().map_err(|error| OptionsError::Client { source: error.without_url() })
}

/// Gives rustls its cryptography unless the program has chosen one already.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another thread is fine: then there is a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
