//! The limit of password attempts, per account and per source address, counted in Redis.
//!
//! While Redis is unavailable, signing in and changing a password fail with 503, because unlimited guessing would be worse.
//! Super-admins who are signed in can continue to work: verifying their tokens does not need Redis.

use redis::Script;
use sha2::{Digest, Sha256};

use crate::{
    clients::redis::Redis,
    error::{Error, Result},
};

/// Attempts per window on one account. A successful attempt resets the count.
const MAX_ATTEMPTS_PER_ACCOUNT: i64 = 10;
/// Attempts per window from one address. It is higher because the super-admins of one office share an address.
const MAX_ATTEMPTS_PER_ADDRESS: i64 = 100;
/// A window starts with its first attempt.
const WINDOW_SECONDS: i64 = 15 * 60;

/// Counts one attempt for every key. Returns the longest wait in seconds of the keys that are over their limit, or 0.
const COUNT_ATTEMPT: &str = r"
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

pub struct SignInRateLimiter {
    redis: Redis,
    count_attempt: Script,
    reset: Script,
}

impl SignInRateLimiter {
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            count_attempt: Script::new(COUNT_ATTEMPT),
            reset: Script::new("return redis.call('DEL', KEYS[1])"),
        }
    }

    /// Counts an attempt on `account`, an e-mail address or an id. [`Error::TooManyRequests`] if a limit is exceeded,
    /// [`Error::Unavailable`] if Redis cannot be reached.
    pub async fn check(&self, account: &str, address: Option<&str>) -> Result<()> {
        let mut call = self.count_attempt.key(account_key(account));
        call.key(format!("login:address:{}", address.unwrap_or("unknown")));
        call.arg(WINDOW_SECONDS).arg(MAX_ATTEMPTS_PER_ACCOUNT).arg(MAX_ATTEMPTS_PER_ADDRESS);
        match u64::try_from(self.redis.run::<i64>(&call).await?) {
            Ok(0) | Err(_) => Ok(()),
            Ok(retry_after_seconds) => Err(Error::TooManyRequests { retry_after_seconds }),
        }
    }

    /// Resets the count of an account after a successful attempt. A failure is only logged.
    pub async fn reset(&self, account: &str) {
        if let Err(error) = self.redis.run::<i64>(&self.reset.key(account_key(account))).await {
            tracing::warn!(error = %error.chain(), "resetting the count of sign-in attempts failed");
        }
    }
}

/// The Redis key of an account. It contains a digest, because the e-mail field may contain a mistyped password.
fn account_key(account: &str) -> String {
    let digest = Sha256::digest(account.trim().to_lowercase().as_bytes());
    digest.iter().take(16).fold("login:account:".to_owned(), |key, byte| format!("{key}{byte:02x}"))
}
