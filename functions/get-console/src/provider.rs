//! What the console needs to know of the identity provider.

use axum::http::HeaderValue;
use serde::Serialize;
use shared::{
    clients::web,
    config::{ConfigError, ProviderClientConfig},
};

/// The identity provider at which people sign in to the console.
#[derive(Debug, Clone, Serialize)]
pub struct Provider {
    issuer: String,
    authorization_url: String,
    token_url: String,
    client_id: String,
    scope: String,
    #[serde(skip)]
    token_origin: String,
}

impl TryFrom<ProviderClientConfig> for Provider {
    type Error = ConfigError;

    fn try_from(config: ProviderClientConfig) -> Result<Self, ConfigError> {
        let authorization_url = web::secure_url("OIDC_AUTHORIZATION_URL", &config.authorization_url)?.into();
        let token_url = web::secure_url("OIDC_TOKEN_URL", &config.token_url)?;
        Ok(Self {
            issuer: config.issuer,
            authorization_url,
            token_origin: token_url.origin().ascii_serialization(),
            token_url: token_url.into(),
            client_id: config.client_id,
            scope: config.scope,
        })
    }
}

/// The content of `/console/sign-in.json`.
#[derive(Debug, Serialize)]
pub(crate) struct SignInOptions<'a> {
    /// `null` without an identity provider: then people sign in with a password only.
    pub(crate) provider: Option<&'a Provider>,
}

/// What `policy` becomes: the page may also ask the provider for a token.
pub(crate) fn extended(policy: &str, provider: &Provider) -> Result<HeaderValue, ConfigError> {
    let policy = policy.replace("connect-src 'self'", &format!("connect-src 'self' {}", provider.token_origin));
    HeaderValue::from_str(&policy).map_err(|error| ConfigError::invalid("OIDC_TOKEN_URL", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(authorization_url: &str, token_url: &str) -> Result<Provider, ConfigError> {
        Provider::try_from(ProviderClientConfig {
            client_id: "console".into(),
            issuer: "https://idp.example".into(),
            authorization_url: authorization_url.into(),
            token_url: token_url.into(),
            scope: "openid".into(),
        })
    }

    #[test]
    fn the_policy_permits_the_origin_of_the_token_and_no_other() {
        let provider =
            provider("https://idp.example/authorize?audience=api", "https://tokens.idp.example:8443/a/b?c").unwrap();
        let policy = extended("default-src 'none'; connect-src 'self'; base-uri 'none'", &provider).unwrap();
        assert_eq!(policy, "default-src 'none'; connect-src 'self' https://tokens.idp.example:8443; base-uri 'none'");
    }

    #[test]
    fn addresses_that_others_could_change_are_refused_by_name() {
        let good = "https://idp.example/authorize";
        for bad in ["http://idp.example/x", "javascript:alert(1)", "idp.example", ""] {
            let error = provider(bad, good).unwrap_err().to_string();
            assert!(error.contains("OIDC_AUTHORIZATION_URL"), "{bad}: {error}");
            let error = provider(good, bad).unwrap_err().to_string();
            assert!(error.contains("OIDC_TOKEN_URL"), "{bad}: {error}");
        }
        provider("http://127.0.0.1:17412/authorize", "http://localhost:17412/token").unwrap();
    }
}
