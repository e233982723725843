//! Private keys that sign tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{
    config::ConfigError,
    error::{Error, Result},
};

/// DER-encoded object identifiers of the key types, as they appear in PKCS#8.
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A private key. Its type determines the algorithm (`EdDSA` or `ES256`).
pub struct PrivateKey {
    algorithm: Algorithm,
    key: EncodingKey,
    id: String,
}

impl PrivateKey {
    /// Reads the value of the environment variable `name`: base64url of PKCS#8 DER. `id` is the `kid`.
    pub fn read(name: &'static str, key: &SecretString, id: &str) -> Result<Self, ConfigError> {
        let der = URL_SAFE_NO_PAD
            .decode(key.expose_secret().trim_end_matches('='))
            .map_err(|_| ConfigError::invalid(name, "not base64url"))?;
        let contains = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
        let (algorithm, key) = if contains(OID_ED25519) {
            (Algorithm::EdDSA, EncodingKey::from_ed_der(&der))
        } else if contains(OID_P256) {
            (Algorithm::ES256, EncodingKey::from_ec_der(&der))
        } else {
            return Err(ConfigError::invalid(name, "not the PKCS#8 DER of an Ed25519 or P-256 key"));
        };
        Ok(Self { algorithm, key, id: id.to_owned() })
    }

    /// Signs a token with the type `token_type` (`typ`, RFC 7519, section 5.1) and these claims.
    pub fn sign(&self, token_type: &str, claims: &impl Serialize) -> Result<String> {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(token_type.to_owned());
        header.kid = Some(self.id.clone());
        encode(&header, claims, &self.key).map_err(Error::internal)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}
