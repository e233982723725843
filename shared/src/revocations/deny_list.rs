//! The deny list: impersonations that have ended before their tokens expire, in Redis for the platform's services to ask.
//!
//! A token is denied as long as `impersonation:denied:{sid}` exists, which is until the token has expired for everyone. What
//! is denied is committed in the platform database first, together with a row of the outbox that owes it to Redis. Whoever
//! committed it writes it to Redis and strikes the row; where Redis cannot be reached, `relay-events` does that later.

use std::fmt::Display;

use deadpool_postgres::GenericClient;
use redis::Script;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    clients::redis::Redis,
    error::{Error, Result},
    events,
    revocations::EndedImpersonation,
};

/// For how long a token is denied after it has expired, in seconds: the clocks of those who verify it may be behind.
const MARGIN_SECONDS: i64 = 300;

/// Written by those who are about to give a token, to see that a denial could be written.
const PROBE: &str = "impersonation:writable";

/// Each key for as long as its argument says. Once more is the same.
const DENY: &str = "for i, key in ipairs(KEYS) do redis.call('SET', key, '1', 'EXAT', ARGV[i]) end";

/// An impersonation whose token is to be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// The `sid` of the token.
    pub sid: Uuid,
    /// When the token expires.
    pub expires_at: OffsetDateTime,
}

impl Denial {
    fn of(ended: &EndedImpersonation) -> Self {
        Self { sid: ended.id.0, expires_at: ended.expires_at }
    }
}

/// The deny list.
pub struct DenyList {
    redis: Redis,
    deny: Script,
}

impl DenyList {
    /// In a Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis, deny: Script::new(DENY) }
    }

    /// Fails unless a denial could be written now.
    pub async fn ensure_writable(&self) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(PROBE).arg(1).arg("EX").arg(60);
        self.redis.query::<()>(&command).await
    }

    /// Denies what is committed to have ended, and strikes it from the outbox of the platform database. When that fails, the
    /// relay does it.
    pub async fn deny(&self, client: &impl GenericClient, ended: &[EndedImpersonation]) {
        let denials: Vec<Denial> = ended.iter().filter(|ended| ended.had_begun).map(Denial::of).collect();
        let sids: Vec<Uuid> = denials.iter().map(|denial| denial.sid).collect();
        let denied = async {
            if !denials.is_empty() {
                self.write(&denials).await?;
                events::store::delete_denials(client, &sids).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = denied.await {
            tracing::warn!(impersonations = sids.len(), error = %error.chain(), "denials are left to the relay");
        }
    }

    /// Writes denials, in one round trip.
    pub async fn write(&self, denials: &[Denial]) -> Result<()> {
        let mut call = self.deny.prepare_invoke();
        for denial in denials {
            call.key(key(denial.sid));
            call.arg(denial.expires_at.unix_timestamp() + MARGIN_SECONDS);
        }
        self.redis.run::<()>(&call).await
    }
}

/// The key that denies the tokens of an impersonation.
pub fn key(sid: impl Display) -> String {
    format!("impersonation:denied:{sid}")
}
