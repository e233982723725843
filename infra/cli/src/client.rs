//! Requests to the API.

use std::{fs, net::IpAddr, path::Path, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use ureq::{
    Agent, RequestBuilder,
    http::{HeaderMap, Uri},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    typestate::WithBody,
};

use crate::{
    error::{CliError, Exit, Result},
    request::ApiRequest,
    text::printable,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A page of a list has at most 4 MB.
const MAX_RESPONSE: u64 = 64 << 20;

const BASE: &str = "/api/super-admin";

/// The API's URL without its path: `https://landlord.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    is_local: bool,
    is_encrypted: bool,
}

impl BaseUrl {
    /// Accepts the URL with and without `/api/super-admin`. Tokens travel encrypted, except on this computer.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |reason: &str| CliError::usage(format!("error: {} is no URL of an API: {reason}", printable(text)));
        let trimmed = text.trim().trim_end_matches('/').trim_end_matches(BASE).trim_end_matches('/');
        let uri: Uri = trimmed.parse().map_err(|_| wrong("it is malformed"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("it must begin with https://"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() || trimmed.contains('#') {
            return Err(wrong("it must consist of scheme, host, port and path"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match scheme {
            "https" => {}
            "http" if is_local => {}
            "http" => return Err(wrong("without TLS, the token could be read on the way; use https://")),
            _ => return Err(wrong("it must begin with https://")),
        }
        Ok(Self { text: trimmed.to_owned(), is_local, is_encrypted: scheme == "https" })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The values of `Link`.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all("link").iter().filter_map(|value| value.to_str().ok())
    }

    /// The media type without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        self.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.media_type().ends_with("json")
    }

    /// The pause that the API asks for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs)
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    fn print_headers(&self) {
        eprintln!("{}", self.status);
        for (name, value) in &self.headers {
            eprintln!("{name}: {}", printable(value.to_str().unwrap_or("(not text)")));
        }
        eprintln!();
    }
}

/// The API at one address, for one super-admin.
pub(crate) struct Client {
    agent: Agent,
    pub(crate) base: BaseUrl,
    token: Option<SecretString>,
    timeout: Duration,
    prints_headers: bool,
}

impl Client {
    pub(crate) fn new(
        base: BaseUrl,
        token: Option<SecretString>,
        ca_file: Option<&Path>,
        timeout: Duration,
        prints_headers: bool,
    ) -> Result<Self> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Another address must not receive the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_global(Some(timeout))
            .user_agent(concat!("landlord/", env!("CARGO_PKG_VERSION")))
            .accept("application/json, application/problem+json, */*;q=0.1");
        if base.is_encrypted {
            config = config.tls_config(TlsConfig::builder().root_certs(authorities(ca_file)?).build());
        }
        if base.is_local {
            // Compressing costs more than it saves.
            config = config.proxy(None).accept_encoding("");
        }
        Ok(Self { agent: config.build().into(), base, token, timeout, prints_headers })
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(crate) fn send(&self, request: &ApiRequest) -> Result<Answer> {
        self.send_and_wait(request, Duration::ZERO)
    }

    /// Sends a request that the API answers after up to `wait`.
    pub(crate) fn send_and_wait(&self, request: &ApiRequest, wait: Duration) -> Result<Answer> {
        let timeout = self.timeout + wait;
        let answer = self.exchange(request, timeout).map_err(|error| {
            let reason = match &error {
                ureq::Error::Timeout(_) => format!("no response within {} s", timeout.as_secs()),
                ureq::Error::Rustls(reason) => {
                    format!("{}. --ca-file trusts more authorities", printable(&reason.to_string()))
                }
                other => printable(&other.to_string()).into_owned(),
            };
            CliError::new(Exit::Unreachable, format!("error: {} cannot be reached: {reason}", self.base.as_str()))
        })?;
        if self.prints_headers {
            answer.print_headers();
        }
        Ok(answer)
    }

    fn exchange(&self, request: &ApiRequest, timeout: Duration) -> Result<Answer, ureq::Error> {
        let url = format!("{}{}", self.base.as_str(), request.target());
        let body = request.body.as_ref().map(ToString::to_string);
        let agent = &self.agent;
        let send = |builder: RequestBuilder<WithBody>| {
            let builder = self.prepare(builder, request, timeout);
            match &body {
                Some(body) => builder.content_type("application/json").send(body),
                None => builder.send_empty(),
            }
        };
        let mut response = match request.method.as_str() {
            "POST" => send(agent.post(&url)),
            "PUT" => send(agent.put(&url)),
            "PATCH" => send(agent.patch(&url)),
            "DELETE" if body.is_some() => send(agent.delete(&url).force_send_body()),
            "DELETE" => self.prepare(agent.delete(&url), request, timeout).call(),
            _ => self.prepare(agent.get(&url), request, timeout).call(),
        }?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.body_mut().with_config().limit(MAX_RESPONSE).read_to_string()?;
        Ok(Answer { status, headers, body })
    }

    fn prepare<B>(&self, builder: RequestBuilder<B>, request: &ApiRequest, timeout: Duration) -> RequestBuilder<B> {
        let mut builder = builder.config().timeout_global(Some(timeout)).build();
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = &self.token {
            builder = builder.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        builder
    }
}

/// The authorities that the system trusts, and those in the file.
fn authorities(ca_file: Option<&Path>) -> Result<RootCerts> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut trusted: Vec<Certificate<'static>> =
        system.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
    if let Some(path) = ca_file {
        let wrong = |reason: String| CliError::failed(format!("error: {}: {reason}", path.display()));
        let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let before = trusted.len();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
                trusted.push(certificate);
            }
        }
        if trusted.len() == before {
            return Err(wrong("it contains no certificate in PEM".to_owned()));
        }
    }
    if trusted.is_empty() {
        return Err(CliError::failed("error: this system trusts no certificate authority; --ca-file adds some"));
    }
    Ok(RootCerts::Specific(Arc::new(trusted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_may_end_with_the_path_of_the_api() {
        for text in [
            "https://landlord.example.com",
            "https://landlord.example.com/",
            " https://landlord.example.com/api/super-admin/ ",
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().as_str(), "https://landlord.example.com", "{text}");
        }
        assert_eq!(BaseUrl::parse("https://a.example:8443/prod").unwrap().as_str(), "https://a.example:8443/prod");
    }

    #[test]
    fn a_token_leaves_this_computer_encrypted_only() {
        for text in ["http://127.0.0.1:17400", "http://localhost:1", "http://[::1]:2"] {
            assert!(BaseUrl::parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://landlord.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://landlord.example.com",
            "landlord.example.com",
            "https://user:password@landlord.example.com",
            "https://landlord.example.com?x=1",
            "https://landlord.example.com/#x",
            "",
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
