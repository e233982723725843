//! Verification of bearer tokens.

use std::sync::Arc;

use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::{
    auth::{
        Identity, SUPER_ADMIN_ROLE, Session,
        jwk::{KeySet, VerifyingKey},
        oidc::RemoteKeys,
        token_cache::TokenCache,
        token_type,
    },
    config::{ConfigError, TokenConfig},
    error::{Error, Result},
    types::SuperAdminRole,
};

/// A token has a few hundred bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Accepted difference between clocks, in seconds.
const LEEWAY: u32 = 5;

/// Verifies the platform's own bearer tokens and those of its identity provider, if one is configured.
///
/// The token's `kid` selects the key, and the key determines the algorithm. Issuer and audience must be those that the key
/// belongs to. Cheap to clone.
#[derive(Clone)]
pub struct TokenVerifier(Arc<VerifierParts>);

struct VerifierParts {
    own: Party,
    own_keys: KeySet,
    cache: TokenCache,
    provider: Option<Provider>,
}

struct Provider {
    party: Party,
    keys: RemoteKeys,
    default_role: SuperAdminRole,
}

/// The issuer and audience that a token must have, and the claim that holds its role.
struct Party {
    issuer: String,
    audience: String,
    role_claim: String,
}

#[derive(Deserialize)]
struct VerifiedClaims {
    sub: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

pub(super) const INVALID: Error = Error::Unauthenticated("The bearer token is not valid");

impl TokenVerifier {
    /// Reads the platform's own keys. The identity provider's keys are fetched on first use.
    pub fn new(config: &TokenConfig) -> Result<Self, ConfigError> {
        let own_keys =
            KeySet::parse(&config.public_keys).map_err(|error| ConfigError::invalid("JWT_PUBLIC_KEYS", error))?;
        if own_keys.is_empty() && config.oidc.is_none() {
            return Err(ConfigError::invalid("JWT_PUBLIC_KEYS", "the set contains no usable key"));
        }
        let own =
            Party { issuer: config.issuer.clone(), audience: config.audience.clone(), role_claim: "role".to_owned() };
        let provider = config.oidc.as_ref().map(|oidc| {
            Ok::<_, ConfigError>(Provider {
                party: Party {
                    issuer: oidc.issuer.clone(),
                    audience: oidc.audience.clone(),
                    role_claim: oidc.role_claim.clone(),
                },
                keys: RemoteKeys::new(&oidc.jwks_url)?,
                default_role: oidc.default_role,
            })
        });
        let provider = provider.transpose()?;
        Ok(Self(Arc::new(VerifierParts { own, own_keys, cache: TokenCache::default(), provider })))
    }

    /// The identity of the token. [`Error::Unauthenticated`] if it is not valid, [`Error::Forbidden`] if it is valid but
    /// lacks the role `super_admin`.
    pub async fn verify(&self, token: &str) -> Result<Identity> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(INVALID);
        }
        let now = OffsetDateTime::now_utc().unix_timestamp();
        if let Some(identity) = self.0.cache.find(token, now - i64::from(LEEWAY)) {
            return Ok(identity);
        }
        let header = decode_header(token).map_err(|_| INVALID)?;
        token_type::check_header(&header)?;
        let key_id = header.kid.as_deref().ok_or(INVALID)?;
        if let Some(key) = self.0.own_keys.find(key_id) {
            let claims = check(token, key, &self.0.own)?;
            let identity = claims.own_identity()?;
            self.0.cache.insert(token, identity.clone(), claims.expires_at());
            return Ok(identity);
        }
        let Some(provider) = &self.0.provider else { return Err(INVALID) };
        let keys = provider.keys.with_key(key_id).await?;
        // Not cached, because the provider may withdraw a key.
        let claims = check(token, keys.find(key_id).ok_or(INVALID)?, &provider.party)?;
        token_type::check_provider_claims(&header, &claims.other)?;
        let role = claims.provider_role(&provider.party).unwrap_or(provider.default_role);
        let issued_at = claims.issued_at();
        Ok(Identity::Provider { subject: claims.sub, role, issued_at })
    }
}

impl VerifiedClaims {
    fn own_identity(&self) -> Result<Identity> {
        // A token without an epoch belongs to the first one.
        let epoch = match self.other.get("epoch") {
            None => 0,
            Some(epoch) => epoch.as_i64().and_then(|epoch| epoch.try_into().ok()).ok_or(INVALID)?,
        };
        // A token of an earlier release has no time of the sign-in. It was issued by one.
        let signed_in_at = self.other.get("auth_time").map_or(Some(self.issued_at()), Value::as_i64).ok_or(INVALID)?;
        Ok(Identity::Own(Session { super_admin: self.sub.parse().map_err(|_| INVALID)?, epoch, signed_in_at }))
    }

    /// The highest role among values such as `super_admin:owner`, which the provider lists beside `super_admin`.
    fn provider_role(&self, party: &Party) -> Option<SuperAdminRole> {
        let named = |text: &Value| {
            let (prefix, role) = text.as_str()?.split_once(':')?;
            if prefix == SUPER_ADMIN_ROLE { SuperAdminRole::from_text(role) } else { None }
        };
        let roles = self.other.get(&party.role_claim)?.as_array()?;
        roles.iter().filter_map(named).reduce(|one, other| if one.allows(other) { one } else { other })
    }

    /// Unix time.
    fn expires_at(&self) -> i64 {
        self.other.get("exp").and_then(Value::as_i64).unwrap_or_default()
    }

    /// Unix time; 0 for a token without it, which is then older than every end of a session.
    fn issued_at(&self) -> i64 {
        self.other.get("iat").and_then(Value::as_i64).unwrap_or_default()
    }
}

/// Verifies the signature, the registered claims and the role.
fn check(token: &str, key: &VerifyingKey, party: &Party) -> Result<VerifiedClaims> {
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY.into();
    validation.validate_nbf = true;
    validation.set_issuer(&[&party.issuer]);
    validation.set_audience(&[&party.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<VerifiedClaims>(token, &key.key, &validation).map_err(|_| INVALID)?.claims;
    // A delegated token (RFC 8693), such as that of an impersonation, is for the platform's services, never for this API.
    let is_subject = (1..=255).contains(&claims.sub.len()) && !claims.sub.contains(char::is_control);
    if claims.other.contains_key("act") || !is_subject {
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
    Ok(claims)
}
