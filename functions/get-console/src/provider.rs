//! What the console needs to know of the identity provider.

use serde::Serialize;
use shared::{
    clients::web,
    config::{CodeRequestConfig, ConfigError},
};

/// The identity provider at which people sign in to the console.
#[derive(Debug, Clone, Serialize)]
pub struct Provider {
    issuer: String,
    authorization_url: String,
    client_id: String,
    scope: String,
}

impl TryFrom<CodeRequestConfig> for Provider {
    type Error = ConfigError;

    fn try_from(config: CodeRequestConfig) -> Result<Self, ConfigError> {
        let authorization_url = web::secure_url("OIDC_AUTHORIZATION_URL", &config.url)?.into();
        Ok(Self { issuer: config.issuer, authorization_url, client_id: config.client_id, scope: config.scope })
    }
}

/// The content of `/console/sign-in.json`.
#[derive(Debug, Serialize)]
pub(crate) struct SignInOptions<'a> {
    /// `null` without an identity provider: then people sign in with a password only.
    pub(crate) provider: Option<&'a Provider>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_could_change_is_refused_by_name() {
        let provider = |url: &str| {
            let (client_id, issuer) = ("console".into(), "https://idp.example".into());
            Provider::try_from(CodeRequestConfig { client_id, issuer, url: url.into(), scope: "openid".into() })
        };
        for bad in ["http://idp.example/x", "javascript:alert(1)", "idp.example", ""] {
            let error = provider(bad).unwrap_err().to_string();
            assert!(error.contains("OIDC_AUTHORIZATION_URL"), "{bad}: {error}");
        }
        provider("http://127.0.0.1:17412/authorize").unwrap();
        provider("https://idp.example/authorize?audience=landlord").unwrap();
    }
}
