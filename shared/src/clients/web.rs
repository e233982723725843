//! HTTP of others: their keys, their health.

use std::time::Duration;

use reqwest::{Client, Response, redirect};

/// A client that follows no redirect, and gives up after `timeout`.
pub fn client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        // A connection that was idle may have died unseen, and what is asked here is asked rarely.
        .pool_max_idle_per_host(0)
        .user_agent("landlord")
        .build()
}

/// Reads a body; `None` when it has more than `limit` bytes, of which no more are read.
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
