//! Tokens whose signature was found good before. An operator's session sends the same token with each of its requests, and
//! to verify an Ed25519 signature again takes as long as all else that a read does in its process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::auth::Identity;

/// How many are kept at the most.
const CAPACITY: usize = 64;

/// Whom a good token speaks for, until it expires. Only for keys that stay the same as long as the process lives.
///
/// Tokens are kept, and looked up, by their digest: nothing here can be used to sign in, and how long a lookup takes says
/// nothing of what it is compared with.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<[u8; 32], Verified>>);

struct Verified {
    identity: Identity,
    expires_at: i64,
}

impl VerifiedTokens {
    /// Whom a token speaks for that was verified before and has not expired at `now` (Unix time).
    pub(super) fn find(&self, token: &str, now: i64) -> Option<Identity> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(&digest(token))
            .filter(|verified| verified.expires_at >= now)
            .map(|verified| verified.identity.clone())
    }

    /// Keeps what a token was verified to be.
    pub(super) fn insert(&self, token: &str, identity: Identity, expires_at: i64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Verified again is soon verified: it is not worth knowing which was used last.
        if tokens.len() >= CAPACITY {
            tokens.clear();
        }
        tokens.insert(digest(token), Verified { identity, expires_at });
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
        Identity::Provider { subject: "owner".to_owned(), role: SuperAdminRole::Owner }
    }

    #[test]
    fn a_token_is_known_until_it_expires_and_no_other_is() {
        let tokens = VerifiedTokens::default();
        tokens.insert("a.b.c", owner(), 100);
        assert_eq!(tokens.find("a.b.c", 100), Some(owner()));
        assert_eq!(tokens.find("a.b.c", 101), None);
        assert_eq!(tokens.find("a.b.d", 0), None);
        assert_eq!(tokens.find("", 0), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let tokens = VerifiedTokens::default();
        for number in 0..=CAPACITY {
            tokens.insert(&number.to_string(), owner(), 100);
        }
        assert_eq!(tokens.0.lock().unwrap().len(), 1);
        assert_eq!(tokens.find(&CAPACITY.to_string(), 0), Some(owner()));
    }
}
