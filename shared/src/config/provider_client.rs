//! The console as a client of the platform's identity provider: a public one, without a secret, which signs people in by an authorization code
//! with PKCE (RFC 7636). The page asks for the code, a function exchanges it.

use crate::config::{ConfigError, optional, required};

/// Where the page asks for a code.
#[derive(Debug, Clone)]
pub struct CodeRequestConfig {
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_ISSUER`, as in [`crate::config::OidcConfig`].
    pub issuer: String,
    /// `OIDC_AUTHORIZATION_URL`, https. It may have a query, such as the `audience` that some providers need to issue a token for an API.
    pub url: String,
    /// `OIDC_SCOPE` (`openid`).
    pub scope: String,
}

impl CodeRequestConfig {
    /// `None` without `OIDC_CLIENT_ID`.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let Some(client_id) = client_id() else { return Ok(None) };
        Ok(Some(Self {
            client_id,
            issuer: required("OIDC_ISSUER")?,
            url: required("OIDC_AUTHORIZATION_URL")?,
            scope: optional("OIDC_SCOPE").unwrap_or_else(|| "openid".to_owned()),
        }))
    }
}

/// Where a code is exchanged for a token.
#[derive(Debug, Clone)]
pub struct CodeExchangeConfig {
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_TOKEN_URL`, https.
    pub url: String,
}

impl CodeExchangeConfig {
    /// `None` without `OIDC_CLIENT_ID`.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let Some(client_id) = client_id() else { return Ok(None) };
        Ok(Some(Self { client_id, url: required("OIDC_TOKEN_URL")? }))
    }
}

fn client_id() -> Option<String> {
    optional("OIDC_CLIENT_ID")
}
