//! Bearer tokens, signed with the key that the functions trust.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
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

/// A new key pair, in the forms of the configuration.
pub struct NewKey {
    /// The private key: base64url of PKCS#8 DER.
    pub private: SecretString,
    /// The public key as a JWK.
    pub public: Value,
}

impl NewKey {
    pub fn ed25519(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(pair.public_key()) });
        Self { private: encoded(pair.to_pkcs8v1().unwrap()).into(), public }
    }

    pub fn p256(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        // 4 (uncompressed), and the two coordinates.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let public = json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": encoded(x), "y": encoded(y) });
        Self { private: encoded(pair.to_pkcs8v1().unwrap()).into(), public }
    }

    /// A JWK Set with this public key too.
    pub fn added_to(&self, public_keys: &str) -> String {
        let mut set: Value = serde_json::from_str(public_keys).unwrap();
        set["keys"].as_array_mut().unwrap().push(self.public.clone());
        set.to_string()
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
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
