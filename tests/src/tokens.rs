//! Bearer tokens, signed with the key that the functions trust.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::config::{FromEnv, SigningConfig, TokenConfig};
use time::OffsetDateTime;

/// The id of the super-admin that every world has, an owner.
pub const OWNER: &str = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee";

/// An id that does not exist.
pub const UNKNOWN: &str = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0dead";

/// The claims of a valid token of the super-admin `subject`.
pub fn claims(subject: &str) -> Value {
    let config = TokenConfig::from_env().unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    json!({
        "iss": config.issuer, "aud": config.audience, "sub": subject, "role": "super_admin",
        "iat": now, "exp": now + 600, "jti": uuid::Uuid::now_v7(),
    })
}

/// Signs claims with the platform's own key.
pub fn sign(claims: &Value) -> String {
    sign_with(claims, |_| {})
}

/// Signs claims with the platform's own key, with a header that `change` has modified.
pub fn sign_with(claims: &Value, change: impl FnOnce(&mut Header)) -> String {
    let config = SigningConfig::from_env().unwrap();
    let der = URL_SAFE_NO_PAD.decode(config.key.expose_secret()).unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(config.key_id);
    change(&mut header);
    encode(&header, claims, &EncodingKey::from_ed_der(&der)).unwrap()
}

/// A valid token of [`OWNER`].
pub fn good() -> String {
    sign(&claims(OWNER))
}

/// A token of [`OWNER`] whose claims `change` has modified.
pub fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(OWNER);
    change(&mut claims);
    sign(&claims)
}
