//! Tokens whose signature was found good before. An operator's session sends the same token with each of its requests, and
//! to verify an Ed25519 signature again takes as long as all else that a read does in its process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::SuperAdmin;

/// How many are kept at the most.
const CAPACITY: usize = 64;

/// Whom a good token speaks for, until it expires. Only for keys that stay the same as long as the process lives.
///
/// Tokens are kept, and looked up, by their digest: nothing here can be used to sign in, and how long a lookup takes says
/// nothing of what it is compared with.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<[u8; 32], Verified>>);

struct Verified {
    admin: SuperAdmin,
    expires_at: i64,
}

impl VerifiedTokens {
    /// The super-admin of a token that was verified before and has not expired at `now` (Unix time).
    pub(super) fn find(&self, token: &str, now: i64) -> Option<SuperAdmin> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&digest(token)).filter(|verified| verified.expires_at >= now).map(|verified| verified.admin.clone())
    }

    /// Keeps what a token was verified to be.
    pub(super) fn insert(&self, token: &str, admin: SuperAdmin, expires_at: i64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Verified again is soon verified: it is not worth knowing which was used last.
        if tokens.len() >= CAPACITY {
            tokens.clear();
        }
        tokens.insert(digest(token), Verified { admin, expires_at });
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(id: &str) -> SuperAdmin {
        SuperAdmin { id: id.to_owned() }
    }

    #[test]
    fn a_token_is_known_until_it_expires_and_no_other_is() {
        let tokens = VerifiedTokens::default();
        tokens.insert("a.b.c", admin("owner"), 100);
        assert_eq!(tokens.find("a.b.c", 100), Some(admin("owner")));
        assert_eq!(tokens.find("a.b.c", 101), None);
        assert_eq!(tokens.find("a.b.d", 0), None);
        assert_eq!(tokens.find("", 0), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let tokens = VerifiedTokens::default();
        for number in 0..=CAPACITY {
            tokens.insert(&number.to_string(), admin("owner"), 100);
        }
        assert_eq!(tokens.0.lock().unwrap().len(), 1);
        assert_eq!(tokens.find(&CAPACITY.to_string(), 0), Some(admin("owner")));
    }
}
