//! `GET /.well-known/jwks.json`: the public keys that verify the tokens of impersonations, for anyone.

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

/// Whoever verifies tokens may keep the keys for so long. A new key is published for longer than that before it signs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The JWK Set.
    document: Arc<str>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(&ImpersonationKeysConfig::from_env()?)
    }

    /// Of given keys.
    pub fn new(config: &ImpersonationKeysConfig) -> Result<Self, ConfigError> {
        Ok(Self { document: PublishedKeys::new(config)?.to_json().into() })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_signing_keys)
}

/// A JWK Set (RFC 7517). The document is ready when the function starts; this describes it.
#[derive(Serialize, ToSchema)]
struct SigningKeys {
    /// Every key that may have signed a valid token.
    keys: Vec<SigningKey>,
}

/// A public key: Ed25519 (RFC 8037) or P-256 (RFC 7518, section 6.2).
#[derive(Serialize, ToSchema)]
struct SigningKey {
    /// Kind of key.
    #[schema(example = "OKP")]
    kty: String,
    /// Curve.
    #[schema(example = "Ed25519")]
    crv: String,
    /// Id, as in the header of a token.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: String,
    /// The one algorithm that it is good for.
    #[schema(example = "EdDSA")]
    alg: String,
    /// The key, or its x coordinate.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// The y coordinate of a key of P-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// List signing keys
///
/// The public keys (JWK Set, RFC 7517) that verify the tokens of impersonations; several while one follows another.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    responses((status = 200, description = "The keys that verify the tokens of impersonations", body = SigningKeys,
        content_type = "application/jwk-set+json",
        headers(("cache-control" = String, description = "How long they may be kept")))),
    security(())
)]
async fn list_signing_keys(State(document): State<Arc<str>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, CACHE_CONTROL)];
    (headers, document.to_string()).into_response()
}
