//! HTTP requests to services and providers.

use std::time::Duration;

use reqwest::Client;
use tokio::sync::OnceCell;

use crate::{
    clients::web,
    health::checks::{
        deadline::{ProbeDeadline, Timed},
        error::ProbeError,
    },
};

/// How much of a response is read.
const MAX_BYTES: usize = 64 * 1024;

pub(super) struct WebProbe {
    timeout: Duration,
    client: OnceCell<Client>,
}

pub(super) struct WebResponse {
    pub(super) status: u16,
    /// `None` if it is too long.
    pub(super) body: Option<Vec<u8>>,
}

impl WebResponse {
    /// Why the response is not a success; `None` for 2xx.
    pub(super) fn problem(&self) -> Option<String> {
        match self.status {
            200..300 => None,
            300..400 => Some(format!("responded with status {}, a redirect, which is not followed", self.status)),
            status => Some(format!("responded with status {status}")),
        }
    }
}

impl WebProbe {
    /// Opens no connection.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, client: OnceCell::new() }
    }

    pub(super) async fn get(&self, url: &str, deadline: ProbeDeadline) -> Result<Timed<WebResponse>, ProbeError> {
        deadline.wait(self.fetch(url)).await
    }

    async fn fetch(&self, url: &str) -> Result<WebResponse, ProbeError> {
        let client = self.client.get_or_try_init(async || web::client(self.timeout)).await;
        let client = client.map_err(|error| ProbeError::because("creating an HTTP client failed", &error))?;
        let response = client.get(url).send().await.map_err(|error| describe(&error.without_url()))?;
        let status = response.status().as_u16();
        let body = web::read(response, MAX_BYTES).await.map_err(|error| describe(&error.without_url()))?;
        Ok(WebResponse { status, body })
    }
}

fn describe(error: &reqwest::Error) -> ProbeError {
    let text = if error.is_timeout() {
        "no response in time"
    } else if error.is_builder() {
        "invalid URL"
    } else if error.is_connect() {
        "unreachable"
    } else if error.is_body() || error.is_decode() {
        "incomplete response"
    } else {
        "invalid HTTP response"
    };
    ProbeError::because(text, error)
}
