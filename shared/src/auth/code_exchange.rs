//! The exchange of an authorization code for an access token at the identity provider (RFC 6749, section 4.1.3; RFC 7636, section 4.5). It
//! happens here, so that the console's policy permits no other origin and the provider need not permit requests from pages.

use std::time::Duration;

use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    clients::web,
    config::{CodeExchangeConfig, ConfigError},
    error::{Dependency, Error, Result},
    types::{FaultCode, InvalidValue, single_line},
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// A response with three tokens has a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

string_type! {
    /// A code, which only its provider understands.
    AuthorizationCode {
        parse: |text| single_line(text, 1, 2048),
        schema: { format: "single-line", min_length: 1, max_length: 2048, example: "SplxlOBeZQQYbYS6WxSbIA" },
    }
}

string_type! {
    /// The secret of the request for the code (RFC 7636, section 4.1).
    CodeVerifier {
        parse: parse_verifier,
        schema: {
            min_length: 43,
            max_length: 128,
            pattern: "^[A-Za-z0-9._~-]*$",
            example: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        },
    }
}

string_type! {
    /// The address to which the code was sent. The provider compares it.
    RedirectUri {
        parse: |text| single_line(text, 1, 512),
        schema: { format: "single-line", min_length: 1, max_length: 512, example: "https://landlord.example/console/signed-in" },
    }
}

fn parse_verifier(text: &str) -> Result<String, InvalidValue> {
    let is_valid = (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if is_valid {
        return Ok(text.to_owned());
    }
    Err(InvalidValue::new(FaultCode::InvalidFormat, "must be 43 to 128 of A-Z, a-z, 0-9, - . _ ~"))
}

/// An access token of the identity provider.
#[derive(Serialize, ToSchema)]
pub struct ProviderToken {
    /// The JWT in compact form.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 3600)]
    pub expires_in: i64,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct Expiry {
    exp: i64,
}

/// A client of the provider's token endpoint.
pub struct CodeExchange {
    client_id: String,
    url: Url,
    client: Client,
}

impl CodeExchange {
    /// Opens no connection.
    pub fn new(config: CodeExchangeConfig) -> Result<Self, ConfigError> {
        let url = web::secure_url("OIDC_TOKEN_URL", &config.url)?;
        let client = web::client(TIMEOUT).map_err(|error| ConfigError::invalid("OIDC_TOKEN_URL", error))?;
        Ok(Self { client_id: config.client_id, url, client })
    }

    /// A code works once, for who knows the verifier. Whether the API accepts the token, its next request shows.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if the provider refuses the code.
    pub async fn redeem(
        &self,
        code: &AuthorizationCode,
        verifier: &CodeVerifier,
        redirect_uri: &RedirectUri,
    ) -> Result<ProviderToken> {
        let unavailable = |error: reqwest::Error| Error::unavailable(Dependency::IdentityProvider, error);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri.as_str())
            .append_pair("code", code.as_str())
            .append_pair("code_verifier", verifier.as_str())
            .finish();
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(form).send().await.map_err(unavailable)?;
        let status = response.status();
        let body = web::read(response, MAX_BYTES).await.map_err(unavailable)?.unwrap_or_default();
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &body));
        }
        let token: TokenResponse =
            serde_json::from_slice(&body).map_err(|error| Error::unavailable(Dependency::IdentityProvider, error))?;
        let expires_in = token.expires_in.or_else(|| seconds_left(&token.access_token)).unwrap_or(0);
        Ok(ProviderToken { access_token: token.access_token, token_type: "Bearer", expires_in })
    }
}

/// The error of a response without a token (RFC 6749, section 5.2). Only these two codes are about the request; the others are about how the
/// console is registered at the provider, and everything else is a fault of the provider. Its words are not kept, because they may be personal.
fn refusal(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let code = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error).unwrap_or_default();
    let code: String = code.chars().filter(char::is_ascii_graphic).take(60).collect();
    if ["invalid_grant", "invalid_request"].contains(&code.as_str()) {
        tracing::warn!(status, code, "the identity provider has refused a code");
        return Error::Unauthenticated("The identity provider has refused the code; sign in again");
    }
    Error::unavailable(Dependency::IdentityProvider, format!("its token endpoint has answered {status} {code}"))
}

/// Many providers omit `expires_in`, which is only recommended. The token contains the same (RFC 9068).
fn seconds_left(token: &str) -> Option<i64> {
    let claims = jsonwebtoken::dangerous::insecure_decode::<Expiry>(token).ok()?.claims;
    Some((claims.exp - OffsetDateTime::now_utc().unix_timestamp()).max(0))
}
