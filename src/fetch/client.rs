//! How the HTTP client is set up: nothing of its own initiative is left switched on.
//!
//! It follows no redirect, repeats nothing that was sent, keeps no cookie, adds no Referer, asks no environment for a proxy and
//! undoes no coding: each of these would hide an exchange or a byte from the rules that are kept elsewhere. Only a request of
//! which nothing was written, because a kept connection turned out to be closed, goes out again on a new one.

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::Connector;
use super::http::HttpOptions;

/// Open connections that wait for the next request, per host. A host never has more than it was asked over at the same time.
const IDLE_PER_HOST: usize = 64;
/// Bytes of one answer, and of all answers of one HTTP/2 connection, that may be under way before they are asked for.
const H2_STREAM_WINDOW: u32 = 1 << 20;
const H2_CONNECTION_WINDOW: u32 = 2 << 20;

/// One client for all hosts: connections are kept by scheme, host and port, and never shared between hosts.
pub(super) type Client = legacy::Client<Connector, Full<Bytes>>;

pub(super) fn build(options: &HttpOptions, connector: Connector) -> Client {
    let idle_per_host = if options.keep_alive.is_zero() { 0 } else { IDLE_PER_HOST };
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(options.keep_alive)
        .pool_max_idle_per_host(idle_per_host)
        .http1_max_headers(options.header_fields)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http2_initial_stream_window_size(H2_STREAM_WINDOW)
        .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
        .http2_max_header_list_size(u32::try_from(options.header_bytes).unwrap_or(u32::MAX))
        .build(connector)
}

/// Gives rustls its cryptography unless the program has chosen one already.
pub(super) fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another thread is fine: then there is a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
