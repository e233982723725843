//! The console as a client of the platform's identity provider.

use crate::config::{ConfigError, optional, required};

/// A public client of the identity provider: one without a secret, which signs people in by an authorization code with PKCE (RFC 7636).
#[derive(Debug, Clone)]
pub struct ProviderClientConfig {
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_ISSUER`, as in [`crate::config::OidcConfig`].
    pub issuer: String,
    /// `OIDC_AUTHORIZATION_URL`, https. It may have a query, such as the `audience` that some providers need to issue a token for an API.
    pub authorization_url: String,
    /// `OIDC_TOKEN_URL`, https. Its server permits requests from the console's origin (CORS).
    pub token_url: String,
    /// `OIDC_SCOPE` (`openid`).
    pub scope: String,
}

impl ProviderClientConfig {
    /// `None` without `OIDC_CLIENT_ID`.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let Some(client_id) = optional("OIDC_CLIENT_ID") else { return Ok(None) };
        Ok(Some(Self {
            client_id,
            issuer: required("OIDC_ISSUER")?,
            authorization_url: required("OIDC_AUTHORIZATION_URL")?,
            token_url: required("OIDC_TOKEN_URL")?,
            scope: optional("OIDC_SCOPE").unwrap_or_else(|| "openid".to_owned()),
        }))
    }
}
