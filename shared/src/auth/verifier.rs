//! Verifying bearer tokens.

use std::sync::Arc;

use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    SUPER_ADMIN_ROLE, SuperAdmin,
    keys::{KeySet, VerifyingKey},
    oidc::RemoteKeys,
    verified::VerifiedTokens,
};
use crate::{
    config::{ConfigError, TokenConfig},
    error::{Error, Result},
};

/// A token is a few hundred bytes; what is far longer is not one.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far clocks may be apart, in seconds.
const LEEWAY: u32 = 5;

/// Verifies bearer tokens: ours, and those of the platform's identity provider where it has one.
///
/// The key is found by the token's `kid` and decides the algorithm; the issuer and the audience must be those that the key
/// belongs to. Cheap to clone.
#[derive(Clone)]
pub struct TokenVerifier(Arc<Inner>);

struct Inner {
    own: Party,
    own_keys: KeySet,
    verified: VerifiedTokens,
    provider: Option<Provider>,
}

struct Provider {
    party: Party,
    keys: RemoteKeys,
}

/// Who may have issued a token, for whom, and where it says the role.
struct Party {
    issuer: String,
    audience: String,
    role_claim: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

const INVALID: Error = Error::Unauthenticated("The bearer token is not valid");

impl TokenVerifier {
    /// Reads the keys; fetches nothing yet.
    pub fn new(config: &TokenConfig) -> Result<Self, ConfigError> {
        let own_keys =
            KeySet::parse(&config.public_keys).map_err(|error| ConfigError::invalid("JWT_PUBLIC_KEYS", error))?;
        if own_keys.is_empty() && config.oidc.is_none() {
            return Err(ConfigError::invalid("JWT_PUBLIC_KEYS", "it holds no usable key"));
        }
        let own =
            Party { issuer: config.issuer.clone(), audience: config.audience.clone(), role_claim: "role".to_owned() };
        let provider = config.oidc.as_ref().map(|oidc| Provider {
            party: Party {
                issuer: oidc.issuer.clone(),
                audience: oidc.audience.clone(),
                role_claim: oidc.role_claim.clone(),
            },
            keys: RemoteKeys::new(oidc.jwks_url.clone()),
        });
        Ok(Self(Arc::new(Inner { own, own_keys, verified: VerifiedTokens::default(), provider })))
    }

    /// The super-admin whom the token speaks for; [`Error::Unauthenticated`] when it is not valid, [`Error::Forbidden`]
    /// when it is and the role is missing.
    pub async fn verify(&self, token: &str) -> Result<SuperAdmin> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(INVALID);
        }
        let now = OffsetDateTime::now_utc().unix_timestamp();
        if let Some(admin) = self.0.verified.find(token, now - i64::from(LEEWAY)) {
            return Ok(admin);
        }
        let key_id = decode_header(token).ok().and_then(|header| header.kid).ok_or(INVALID)?;
        if let Some(key) = self.0.own_keys.find(&key_id) {
            let (admin, expires_at) = check(token, key, &self.0.own)?;
            self.0.verified.insert(token, admin.clone(), expires_at);
            return Ok(admin);
        }
        let Some(provider) = &self.0.provider else { return Err(INVALID) };
        let keys = provider.keys.with_key(&key_id).await?;
        // Verified each time, as the provider may have withdrawn its key.
        Ok(check(token, keys.find(&key_id).ok_or(INVALID)?, &provider.party)?.0)
    }
}

/// Whom the token speaks for, and until when (Unix time).
fn check(token: &str, key: &VerifyingKey, party: &Party) -> Result<(SuperAdmin, i64)> {
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY.into();
    validation.validate_nbf = true;
    validation.set_issuer(&[&party.issuer]);
    validation.set_audience(&[&party.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<Claims>(token, &key.key, &validation).map_err(|_| INVALID)?.claims;
    // A token that someone else acts with (RFC 8693) is for the platform's services, never for this API.
    if claims.other.contains_key("act") || claims.sub.is_empty() || claims.sub.len() > 255 {
        return Err(INVALID);
    }
    let has_role = match claims.other.get(&party.role_claim) {
        Some(Value::String(role)) => role == SUPER_ADMIN_ROLE,
        Some(Value::Array(roles)) => roles.iter().any(|role| role == SUPER_ADMIN_ROLE),
        _ => false,
    };
    if !has_role {
        return Err(Error::Forbidden("This needs the role super_admin"));
    }
    let expires_at = claims.other.get("exp").and_then(Value::as_i64).unwrap_or_default();
    Ok((SuperAdmin { id: claims.sub }, expires_at))
}
