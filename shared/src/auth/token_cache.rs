//! Tokens whose signature was verified before. A session sends the same token with each request, and verifying an Ed25519
//! signature takes as much CPU time as the rest of a read request.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::auth::Identity;

const CAPACITY: usize = 64;

/// Identities of verified tokens. Only for keys that cannot change during the life of the process.
///
/// The key is the token's digest. So the cache contains nothing that can be used to sign in, and the duration of a lookup
/// reveals nothing about the cached tokens.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<HashMap<[u8; 32], VerifiedToken>>);

struct VerifiedToken {
    identity: Identity,
    expires_at: i64,
}

impl TokenCache {
    /// The identity of a token that was verified before and has not expired at `now` (Unix time).
    pub(super) fn find(&self, token: &str, now: i64) -> Option<Identity> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(&digest(token))
            .filter(|verified| verified.expires_at >= now)
            .map(|verified| verified.identity.clone())
    }

    pub(super) fn insert(&self, token: &str, identity: Identity, expires_at: i64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Verifying again is cheap enough that tracking the least recently used token does not pay.
        if tokens.len() >= CAPACITY {
            tokens.clear();
        }
        tokens.insert(digest(token), VerifiedToken { identity, expires_at });
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SuperAdminRole;

    fn owner() -> Identity {
        Identity::Provider { subject: "owner".to_owned(), role: SuperAdminRole::Owner, issued_at: 0 }
    }

    #[test]
    fn a_token_is_found_until_it_expires() {
        let tokens = TokenCache::default();
        tokens.insert("a.b.c", owner(), 100);
        assert_eq!(tokens.find("a.b.c", 100), Some(owner()));
        assert_eq!(tokens.find("a.b.c", 101), None);
        assert_eq!(tokens.find("a.b.d", 0), None);
        assert_eq!(tokens.find("", 0), None);
    }

    #[test]
    fn the_cache_is_cleared_when_it_is_full() {
        let tokens = TokenCache::default();
        for number in 0..=CAPACITY {
            tokens.insert(&number.to_string(), owner(), 100);
        }
        assert_eq!(tokens.0.lock().unwrap().len(), 1);
        assert_eq!(tokens.find(&CAPACITY.to_string(), 0), Some(owner()));
    }
}
