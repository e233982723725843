//! A service of the platform that receives tokens of impersonations: it verifies them with the published keys, and asks Redis whether
//! the impersonation is live.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use reqwest::Method;
use serde_json::Value;
use shared::{clients::redis::Redis, revocations::live_list};

use crate::Api;

/// The keys that the API publishes.
pub async fn published_keys(api: &Api) -> JwkSet {
    api.anonymous_root(Method::GET, "/.well-known/jwks.json").send().await.unwrap().json().await.unwrap()
}

/// The claims of a token, if it is signed by one of the keys for the platform's services and has not expired.
pub fn verified(keys: &JwkSet, token: &str) -> Option<Value> {
    let header = decode_header(token).ok()?;
    if header.typ.as_deref() != Some("impersonation+jwt") {
        return None;
    }
    let key = keys.find(&header.kid?)?;
    let algorithm: Algorithm = key.common.key_algorithm?.to_string().parse().ok()?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&["landlord"]);
    validation.set_audience(&["landlord-platform"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    decode::<Value>(token, &DecodingKey::from_jwk(key).ok()?, &validation).ok().map(|token| token.claims)
}

/// Whether a service that asks Redis accepts a verified token.
pub async fn accepts(redis: &Redis, claims: &Value) -> bool {
    let claim = |name: &str| claims[name].as_str().unwrap();
    let keys = [live_list::key(claim("sid")), live_list::denial_key(claim("sid"))];
    let [live, denied]: [Option<String>; 2] = redis.query(redis::cmd("MGET").arg(&keys)).await.unwrap();
    let expected = format!("{}:{}:{}", claim("tenant_id"), claim("sub"), claim("scope"));
    live == Some(expected) && denied.is_none()
}
