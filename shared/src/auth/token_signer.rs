//! Tokens that super-admins get when they sign in.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::{PrivateKey, SUPER_ADMIN_ROLE, Session, jwk::KeySet},
    config::{ConfigError, SigningConfig, TokenConfig},
    error::Result,
    types::SuperAdminId,
};

/// Signs tokens of super-admins with one private key.
pub struct TokenSigner {
    key: PrivateKey,
    issuer: String,
    audience: String,
    ttl: time::Duration,
}

/// A new bearer token (RFC 6750).
#[derive(Serialize, ToSchema)]
pub struct IssuedToken {
    /// The JWT in compact form.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 28_800)]
    pub expires_in: i64,
    /// Whether the password was set by somebody else. Then the token is only accepted for changing it.
    #[schema(example = false)]
    pub must_change_password: bool,
}

#[derive(Serialize)]
struct TokenClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: SuperAdminId,
    role: &'static str,
    iat: i64,
    exp: i64,
    jti: Uuid,
    epoch: i32,
    /// The time of the sign-in, as in OpenID Connect.
    auth_time: i64,
}

impl TokenSigner {
    /// Reads the private key. Fails unless its public key is among those that verify tokens, because a super-admin could
    /// otherwise sign in, and every later request would be refused.
    pub fn new(signing: &SigningConfig, tokens: &TokenConfig) -> Result<Self, ConfigError> {
        const PUBLIC_KEYS: &str = "JWT_PUBLIC_KEYS";
        let key = PrivateKey::read("JWT_SIGNING_KEY", &signing.key, &signing.key_id)?;
        KeySet::parse(&tokens.public_keys).map_err(|error| ConfigError::invalid(PUBLIC_KEYS, error))?.check_contains(
            &key,
            PUBLIC_KEYS,
            "JWT_SIGNING_KEY_ID",
        )?;
        Ok(Self {
            key,
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            ttl: signing.ttl.try_into().map_err(|error| ConfigError::invalid("JWT_TTL_SECONDS", error))?,
        })
    }

    /// A token for a super-admin who signs in now. It is valid until it expires or the super-admin's session epoch changes.
    pub fn sign(
        &self,
        super_admin: SuperAdminId,
        session_epoch: i32,
        must_change_password: bool,
    ) -> Result<IssuedToken> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let session = Session { super_admin, epoch: session_epoch, signed_in_at: now };
        self.sign_until(session, now, self.ttl.whole_seconds(), must_change_password)
    }

    /// Another token of a session that ends at `ends_at`, in Unix time. It expires no later than the session.
    pub fn sign_again(&self, session: Session, ends_at: i64) -> Result<IssuedToken> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        self.sign_until(session, now, self.ttl.whole_seconds().min(ends_at - now), false)
    }

    fn sign_until(
        &self,
        session: Session,
        now: i64,
        expires_in: i64,
        must_change_password: bool,
    ) -> Result<IssuedToken> {
        let claims = TokenClaims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: session.super_admin,
            role: SUPER_ADMIN_ROLE,
            iat: now,
            exp: now + expires_in,
            jti: Uuid::now_v7(),
            epoch: session.epoch,
            auth_time: session.signed_in_at,
        };
        let access_token = self.key.sign("JWT", &claims)?;
        Ok(IssuedToken { access_token, token_type: "Bearer", expires_in, must_change_password })
    }
}
