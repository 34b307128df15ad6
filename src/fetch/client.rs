//! How reqwest is set up: nothing of its own initiative is left switched on.
//!
//! No redirect, no repetition, no cookie, no Referer, no proxy of the environment, no decoding: each of these would hide an
//! exchange or a byte from the rules that are kept elsewhere.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Proxy, redirect, retry};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;

use super::http::{HttpOptions, OptionsError};
use super::resolver::GuardedResolver;
use super::timing::DialLayer;
use super::verifier;

/// A client whose connections must be there within `connect`. Without `tls` it is as reqwest has it.
pub(super) fn build(
    options: &HttpOptions,
    resolver: Arc<GuardedResolver>,
    connect: Duration,
    tls: Option<&ClientConfig>,
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
    let builder = match tls {
        Some(config) => builder.tls_backend_preconfigured(config.clone()),
        None => builder,
    };
    builder.build().map_err(|error| OptionsError::Client { source: error.without_url() })
}

/// The handshakes of all clients, where some hosts have authorities or pins of their own.
pub(super) fn tls(options: &HttpOptions) -> Result<Option<ClientConfig>, OptionsError> {
    if options.trust.is_empty() {
        return Ok(None);
    }
    let provider = install_crypto();
    verifier::config(&options.trust, provider).map(Some).map_err(|source| OptionsError::Tls { source })
}

/// Gives rustls its cryptography unless the program has chosen one already.
fn install_crypto() -> Arc<CryptoProvider> {
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread is fine: then there is a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    CryptoProvider::get_default().expect("one is installed, and none is ever taken away").clone()
}
