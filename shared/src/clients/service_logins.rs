//! The logins of the platform's services at MongoDB: a user for each tenant's database, with the name of the database, in `admin`.
//!
//! The password is not stored. Services derive it from the key that they share with `provision-tenant`: the HMAC-SHA-256 of
//! `mongodb:` and the name of the database, as base64url without padding.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::{
    config::ServiceLoginConfig,
    error::{Error, Result},
};

/// Derives the passwords.
#[derive(Debug, Clone)]
pub struct ServiceLogins(SecretString);

impl ServiceLogins {
    pub fn new(config: &ServiceLoginConfig) -> Self {
        Self(config.key.clone())
    }

    /// The password of the services' user for a tenant's MongoDB database.
    pub fn mongodb_password(&self, database: &str) -> Result<SecretString> {
        let mut digest = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()).map_err(Error::internal)?;
        digest.update(b"mongodb:");
        digest.update(database.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(digest.finalize().into_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_depends_on_the_key_and_the_database() {
        let password = |key: &str, database: &str| {
            let logins = ServiceLogins::new(&ServiceLoginConfig { key: key.into() });
            logins.mongodb_password(database).unwrap().expose_secret().to_owned()
        };
        // python3 -c "import base64,hashlib,hmac; print(base64.urlsafe_b64encode(hmac.digest(b'key', b'mongodb:tenant_1', 'sha256')).decode().rstrip('='))"
        assert_eq!(password("key", "tenant_1"), "CnThJGZ8FZ1kYkDjC7ElAoDgpmivEk_VAmIe4GWGOCk");
        assert_ne!(password("key", "tenant_1"), password("key", "tenant_2"));
        assert_ne!(password("key", "tenant_1"), password("other", "tenant_1"));
    }
}
