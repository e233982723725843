//! HTTP requests to other services.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, Response, Url, redirect};

use crate::config::ConfigError;

/// A client that follows no redirects, and whose requests fail after `timeout`.
pub fn client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        // Requests are rare, and an idle connection may have been closed unnoticed.
        .pool_max_idle_per_host(0)
        .user_agent("landlord")
        .build()
}

/// Reads a body; `None` if it is longer than `limit` bytes.
pub async fn read(mut response: Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// The URL in a variable, for what nobody may change on its way. It must be https; only on this machine, for local use and tests, it may be
/// http.
pub fn secure_url(name: &'static str, text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|error| ConfigError::invalid(name, error))?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        return Ok(url);
    }
    Err(ConfigError::invalid(name, "neither https nor http on a loopback address"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}
