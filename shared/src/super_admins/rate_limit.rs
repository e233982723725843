//! How often someone may try a password: counted in Redis, per account and per address.
//!
//! When Redis cannot be asked, nobody signs in or changes a password (503): guessing unthrottled would be worse than waiting, and operators who
//! are signed in already go on working, as their tokens need no Redis.

use redis::Script;
use sha2::{Digest, Sha256};

use crate::{
    clients::redis::Redis,
    error::{Error, Result},
};

/// Attempts on one account in a window; a success forgets them.
const PER_ACCOUNT: i64 = 10;
/// Attempts from one address in a window: an office of operators shares one.
const PER_ADDRESS: i64 = 100;
/// Length of a window, in seconds, from its first attempt.
const WINDOW_SECONDS: i64 = 15 * 60;

/// Counts in a window that starts with its first attempt; answers the seconds to wait, 0 for none, the longest of all keys.
const ADMIT: &str = r"
local wait = 0
for i, key in ipairs(KEYS) do
    local count = redis.call('INCR', key)
    local left = redis.call('TTL', key)
    if left < 0 then
        redis.call('EXPIRE', key, ARGV[1])
        left = tonumber(ARGV[1])
    end
    if count > tonumber(ARGV[1 + i]) and left > wait then
        wait = left
    end
end
return wait
";

/// Counts attempts on a password.
pub struct SignInRateLimiter {
    redis: Redis,
    admit: Script,
    forget: Script,
}

impl SignInRateLimiter {
    /// Counts in `redis`.
    pub fn new(redis: Redis) -> Self {
        Self { redis, admit: Script::new(ADMIT), forget: Script::new("return redis.call('DEL', KEYS[1])") }
    }

    /// Counts an attempt on `account`, an e-mail or an id. [`Error::TooManyRequests`] when there were too many, [`Error::Unavailable`] when Redis cannot
    /// tell.
    pub async fn admit(&self, account: &str, address: Option<&str>) -> Result<()> {
        let mut call = self.admit.key(account_key(account));
        call.key(format!("login:address:{}", address.unwrap_or("unknown")));
        call.arg(WINDOW_SECONDS).arg(PER_ACCOUNT).arg(PER_ADDRESS);
        match u64::try_from(self.redis.run::<i64>(&call).await?) {
            Ok(0) | Err(_) => Ok(()),
            Ok(retry_after_seconds) => Err(Error::TooManyRequests { retry_after_seconds }),
        }
    }

    /// Forgets the attempts on an account, as the right one signed in.
    pub async fn forget(&self, account: &str) {
        if let Err(error) = self.redis.run::<i64>(&self.forget.key(account_key(account))).await {
            tracing::warn!(error = %error.chain(), "attempts to sign in are still counted");
        }
    }
}

/// The key of an account. A digest, so that no e-mail that someone mistyped a password into stays in Redis.
fn account_key(account: &str) -> String {
    let digest = Sha256::digest(account.trim().to_lowercase().as_bytes());
    digest.iter().take(16).fold("login:account:".to_owned(), |key, byte| format!("{key}{byte:02x}"))
}
