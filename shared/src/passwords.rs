//! Password hashing with Argon2id (RFC 9106) and the minimum parameters of OWASP (19 MiB, 2 passes, 1 lane).
//!
//! Hashing runs outside the async threads, and at most [`CONCURRENT_HASHES`] run at once, so that a burst of requests waits
//! instead of exhausting the memory.

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{Error as HashError, phc::PasswordHash},
};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::{
    error::{Error, Result},
    types::{NewPassword, SuppliedPassword},
};

/// Hashes that one process computes at once, at 19 MiB each.
pub const CONCURRENT_HASHES: usize = 2;

static PERMITS: Semaphore = Semaphore::const_new(CONCURRENT_HASHES);

/// A hash that matches no password. It is verified when no account exists, so that the response takes the same time.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$lwlJDyjPTL2Y8ap1ySSpfCiqoXkWiEMPD5VpcHdSCpI";

/// Hashes a password with a random salt. Returns a PHC string.
pub async fn hash(password: &str) -> Result<String> {
    let password = SecretString::from(password);
    blocking(move || {
        let hash: PasswordHash =
            Argon2::default().hash_password(password.expose_secret().as_bytes()).map_err(Error::internal)?;
        Ok(hash.to_string())
    })
    .await
}

/// A random password of 100 bits, in four groups that are easy to copy: no letter looks like a digit.
pub fn generate() -> Result<NewPassword> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let mut text = String::with_capacity(23);
    for position in 0..20 {
        if position > 0 && position % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    }
    NewPassword::parse(&text).map_err(Error::internal)
}

/// Whether `password` matches the hash `stored`. If `stored` is `None`, returns `false` after the same time.
pub async fn verify(password: &SuppliedPassword, stored: Option<&str>) -> Result<bool> {
    let password = password.clone();
    let exists = stored.is_some();
    let stored = stored.unwrap_or(DUMMY_HASH).to_owned();
    blocking(move || match Argon2::default().verify_password(password.expose().as_bytes(), stored.as_str()) {
        Ok(()) => Ok(exists),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::internal(error)),
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let permit = PERMITS.acquire().await.map_err(Error::internal)?;
    let result = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    drop(permit);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_valid_and_differ() {
        let passwords: std::collections::HashSet<_> =
            (0..100).map(|_| generate().unwrap().expose().to_owned()).collect();
        assert_eq!(passwords.len(), 100);
    }

    #[tokio::test]
    async fn a_password_matches_only_its_own_hash() {
        let stored = hash("correct horse battery staple").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&"correct horse battery staple".into(), Some(&stored)).await.unwrap());
        assert!(!verify(&"correct horse battery stapl".into(), Some(&stored)).await.unwrap());
        assert!(!verify(&"correct horse battery staple".into(), None).await.unwrap());
    }
}
