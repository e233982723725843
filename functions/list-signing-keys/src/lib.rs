//! `GET /.well-known/jwks.json`: returns the public keys that verify the tokens of impersonations, without authentication.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    auth::PublishedKeys,
    config::{ConfigError, FromEnv, ImpersonationKeysConfig},
    http::{Result, Routes},
    routes,
};
use utoipa::ToSchema;

/// How long a verifier may cache the keys. A new key must be published for longer than this before it signs tokens.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The document that the function serves.
#[derive(Clone, FromRef)]
pub struct App {
    /// The JWK Set.
    document: Arc<str>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(&ImpersonationKeysConfig::from_env()?)
    }

    pub fn new(config: &ImpersonationKeysConfig) -> Result<Self, ConfigError> {
        Ok(Self { document: PublishedKeys::new(config)?.to_json().into() })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_signing_keys)
}

/// A JWK Set (RFC 7517).
// Only describes the document, which is serialized once when the function starts.
#[derive(Serialize, ToSchema)]
struct SigningKeys {
    /// Every key that may have signed a valid token.
    keys: Vec<SigningKey>,
}

/// A public key: Ed25519 (RFC 8037) or P-256 (RFC 7518, section 6.2).
#[derive(Serialize, ToSchema)]
struct SigningKey {
    /// Key type.
    #[schema(example = "OKP")]
    kty: String,
    /// Curve.
    #[schema(example = "Ed25519")]
    crv: String,
    /// Key id, as in the header `kid` of a token.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: String,
    /// The only algorithm that may be used with this key.
    #[schema(example = "EdDSA")]
    alg: String,
    /// The public key (Ed25519), or its x coordinate (P-256).
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// The y coordinate (P-256 only).
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// List signing keys
///
/// Returns the public keys (JWK Set, RFC 7517) that verify the tokens of impersonations. There are several during a key
/// rotation.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    responses((status = 200, description = "The keys that verify the tokens of impersonations", body = SigningKeys,
        content_type = "application/jwk-set+json",
        headers(("cache-control" = String, description = "How long the keys may be cached")))),
    security(())
)]
async fn list_signing_keys(State(document): State<Arc<str>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, CACHE_CONTROL)];
    (headers, document.to_string()).into_response()
}
