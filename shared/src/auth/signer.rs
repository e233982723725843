//! Signing tokens at sign-in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::SUPER_ADMIN_ROLE;
use crate::{
    config::{ConfigError, SigningConfig, TokenConfig},
    domain::AdminId,
    error::{Error, Result},
};

/// The object identifiers that name the key's kind inside PKCS#8, DER-encoded.
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Signs tokens of super-admins with one private key; the key decides the algorithm (`EdDSA` or `ES256`).
pub struct TokenSigner {
    header: Header,
    key: EncodingKey,
    issuer: String,
    audience: String,
    ttl: time::Duration,
}

/// A bearer token (RFC 6750) that was just issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedToken {
    /// The JWT, in its compact form.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 28_800)]
    pub expires_in: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: AdminId,
    role: &'static str,
    iat: i64,
    exp: i64,
    jti: Uuid,
    epoch: i32,
}

impl TokenSigner {
    /// Reads the private key.
    pub fn new(signing: &SigningConfig, tokens: &TokenConfig) -> Result<Self, ConfigError> {
        const NAME: &str = "JWT_SIGNING_KEY";
        let der = URL_SAFE_NO_PAD
            .decode(signing.key.expose_secret().trim_end_matches('='))
            .map_err(|_| ConfigError::invalid(NAME, "not base64url"))?;
        let holds = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
        let (algorithm, key) = if holds(OID_ED25519) {
            (Algorithm::EdDSA, EncodingKey::from_ed_der(&der))
        } else if holds(OID_P256) {
            (Algorithm::ES256, EncodingKey::from_ec_der(&der))
        } else {
            return Err(ConfigError::invalid(NAME, "not the PKCS#8 DER of an Ed25519 or P-256 key"));
        };
        let mut header = Header::new(algorithm);
        header.kid = Some(signing.key_id.clone());
        Ok(Self {
            header,
            key,
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            ttl: signing.ttl.try_into().map_err(|error| ConfigError::invalid("JWT_TTL_SECONDS", error))?,
        })
    }

    /// A token for a super-admin who signed in now. It is good as long as their sessions are of `epoch`.
    pub fn sign(&self, admin: AdminId, epoch: i32) -> Result<IssuedToken> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let expires_in = self.ttl.whole_seconds();
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: admin,
            role: SUPER_ADMIN_ROLE,
            iat: now,
            exp: now + expires_in,
            jti: Uuid::now_v7(),
            epoch,
        };
        let access_token = encode(&self.header, &claims, &self.key).map_err(Error::internal)?;
        Ok(IssuedToken { access_token, token_type: "Bearer", expires_in })
    }
}
