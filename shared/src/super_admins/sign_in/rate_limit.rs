//! The limits of password attempts, counted in Redis.
//!
//! The tight limit is per account and address together, so that bad passwords from elsewhere lock nobody out. The ceilings per
//! address and per account stop guesses that are spread over accounts or over addresses. An attempt over one limit does not
//! count against the next, so that one address alone cannot reach the ceiling of an account. The ceilings do not apply to an address
//! from which the account has signed in before: otherwise many addresses together, or a neighbour behind the same address,
//! could still lock its owner out.
//!
//! While Redis is unavailable, signing in and changing a password fail with 503, because unlimited guessing would be worse.
//! Super-admins who are signed in can continue to work: verifying their tokens does not need Redis.

use std::net::{IpAddr, Ipv6Addr};

use redis::Script;
use sha2::{Digest, Sha256};

use crate::{
    clients::redis::Redis,
    error::{Error, Result},
    quota::{self, Quota, QuotaUnit},
    types::SuperAdminId,
};

/// Attempts per window on one account from one address. A successful attempt resets the count.
const MAX_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS: i64 = 10;
/// Attempts per window from one address, on all accounts without an earlier success from there. It is higher because the
/// super-admins of one office share an address.
const MAX_ATTEMPTS_PER_ADDRESS: i64 = 100;
/// Attempts per window on one account, from all addresses without an earlier success.
const MAX_ATTEMPTS_PER_ACCOUNT: i64 = 100;
/// A window starts with its first attempt.
const WINDOW_SECONDS: u64 = 15 * 60;
/// How long an address stays known after the last success.
const KNOWN_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Refreshes of one super-admin's sessions per window: many more than all devices of a person need, because a client refreshes a
/// session once in half the lifetime of a token. A valid token is not a guess, so this limits only work and audit entries.
const MAX_REFRESHES: i64 = 30;
const REFRESH: &str = "refresh";

/// The limits in the order in which they are checked, with their names in the audit log and in responses.
const LIMITS: [(&str, i64); 3] = [
    ("address", MAX_ATTEMPTS_PER_ADDRESS),
    (ACCOUNT_AND_ADDRESS, MAX_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS),
    (ACCOUNT, MAX_ATTEMPTS_PER_ACCOUNT),
];
const ACCOUNT_AND_ADDRESS: &str = "account_and_address";
const ACCOUNT: &str = "account";

/// Counts an attempt until a limit is exceeded. Returns the index, the attempts and the seconds until the window ends, of each
/// limit that applies, up to that one. `KEYS` are a counter per limit, in order, and the mark of a known address, which lifts
/// all limits but the second.
const COUNT_ATTEMPT: &str = r"
local counted = {}
local is_known = redis.call('EXISTS', KEYS[4]) == 1
for limit = 1, 3 do
    if limit == 2 or not is_known then
        local count = redis.call('INCR', KEYS[limit])
        local left = redis.call('TTL', KEYS[limit])
        if left < 0 then
            redis.call('EXPIRE', KEYS[limit], ARGV[1])
            left = tonumber(ARGV[1])
        end
        table.insert(counted, {limit - 1, count, left})
        if count > tonumber(ARGV[1 + limit]) then
            break
        end
    end
end
return counted
";

/// Counts a refresh of `KEYS[1]`. Returns the number and the seconds until the window ends.
const COUNT_REFRESH: &str = r"
local count = redis.call('INCR', KEYS[1])
local left = redis.call('TTL', KEYS[1])
if left < 0 then
    redis.call('EXPIRE', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
end
return {count, left}
";

/// Resets the count of `KEYS[1]`, and marks the address as known.
const RECORD_SUCCESS: &str = r"
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
";

/// An attempt on an account, which is an e-mail address or an id.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub account: &'a str,
    /// The address that the request came from.
    pub address: Option<&'a str>,
}

/// An attempt that exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    pub limit: &'static str,
    pub retry_after_seconds: u64,
    /// Whether it is the first one in the window of the limit. Only this one is audited, so that a flood of attempts does not fill
    /// the audit log.
    pub is_first: bool,
}

impl From<Excess> for Error {
    fn from(excess: Excess) -> Self {
        Self::TooManyRequests { retry_after_seconds: excess.retry_after_seconds }
    }
}

pub struct SignInRateLimiter {
    redis: Redis,
    count_attempt: Script,
    record_success: Script,
    count_refresh: Script,
}

impl SignInRateLimiter {
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            count_attempt: Script::new(COUNT_ATTEMPT),
            record_success: Script::new(RECORD_SUCCESS),
            count_refresh: Script::new(COUNT_REFRESH),
        }
    }

    /// Counts a refresh of a session, and returns the limit that it exceeds. [`Error::Unavailable`] if Redis cannot be reached.
    pub async fn count_refresh(&self, super_admin: SuperAdminId) -> Result<Option<Excess>> {
        let mut call = self.count_refresh.key(format!("login:refresh:{super_admin}"));
        call.arg(WINDOW_SECONDS);
        let (count, left): (i64, u64) = self.redis.run(&call).await?;
        let (over, left) = (count - MAX_REFRESHES, left.max(1));
        report(REFRESH, MAX_REFRESHES, -over, Some(left));
        Ok((over > 0).then_some(Excess { limit: REFRESH, retry_after_seconds: left, is_first: over == 1 }))
    }

    /// Counts an attempt, and returns the limit that it exceeds. [`Error::Unavailable`] if Redis cannot be reached.
    pub async fn count(&self, attempt: Attempt<'_>) -> Result<Option<Excess>> {
        let Keys { address, account_and_address, account, known } = attempt.keys();
        let mut call = self.count_attempt.key(address);
        call.key(account_and_address).key(account).key(known);
        call.arg(WINDOW_SECONDS);
        for (_, max) in LIMITS {
            call.arg(max);
        }
        let counted: Vec<(usize, i64, u64)> = self.redis.run(&call).await?;
        for (index, count, left) in counted {
            let Some((limit, max)) = LIMITS.get(index).copied() else { continue };
            let (over, left) = (count - max, left.max(1));
            // What is left for one account from all addresses would show a caller how many others try.
            if limit != ACCOUNT || over > 0 {
                report(limit, max, max - count, Some(left));
            }
            if over > 0 {
                return Ok(Some(Excess { limit, retry_after_seconds: left, is_first: over == 1 }));
            }
        }
        Ok(None)
    }

    /// Resets the count of the account and address. A failure is only logged.
    pub async fn record_success(&self, attempt: Attempt<'_>) {
        let Keys { account_and_address, known, .. } = attempt.keys();
        let mut call = self.record_success.key(account_and_address);
        call.key(known).arg(KNOWN_SECONDS);
        match self.redis.run::<()>(&call).await {
            Ok(()) => {
                let max = MAX_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS;
                report(ACCOUNT_AND_ADDRESS, max, max, None);
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "recording a successful attempt to sign in failed");
            }
        }
    }
}

/// Reports what is left of a limit.
fn report(limit: &'static str, max: i64, remaining: i64, reset_seconds: Option<u64>) {
    quota::report(Quota {
        policy: limit,
        limit: max.unsigned_abs(),
        unit: QuotaUnit::RequestsPerWindow(WINDOW_SECONDS),
        remaining: u64::try_from(remaining).unwrap_or(0),
        reset_seconds,
    });
}

/// Keys in Redis.
struct Keys {
    address: String,
    account_and_address: String,
    account: String,
    known: String,
}

impl Attempt<'_> {
    fn keys(&self) -> Keys {
        let (account, address) = (digest(self.account), network(self.address));
        Keys {
            account_and_address: format!("login:account:{account}:{address}"),
            account: format!("login:account:{account}"),
            known: format!("login:known:{account}:{address}"),
            address: format!("login:address:{address}"),
        }
    }
}

/// Keys contain a digest of the account, because the e-mail field may contain a mistyped password.
fn digest(account: &str) -> String {
    let digest = Sha256::digest(account.as_bytes());
    digest.iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The address, or for IPv6 the network of 64 bits, because a subscriber gets at least that many addresses.
fn network(address: Option<&str>) -> String {
    let Some(address) = address else { return "unknown".to_owned() };
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_the_network_of_one_subscriber() {
        for (address, counted) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(network(Some(address)), counted);
        }
        assert_eq!(network(None), "unknown");
    }
}
