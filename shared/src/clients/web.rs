//! HTTP requests to other services.

use std::time::Duration;

use reqwest::{Client, Response, redirect};

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
