//! The deny list: impersonations that ended before their tokens expired, in Redis, for the platform's services to query.
//!
//! A token is denied while the key `impersonation:denied:{sid}` exists, which is until every service considers the token
//! expired. The end commits in the platform database first, together with a pending message in the outbox. The function that
//! committed it then writes the denial to Redis and deletes the message. If Redis cannot be reached, `relay-events` does both
//! later.

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

/// How long a token stays denied after its expiry, in seconds, because the clock of a service may be behind.
const MARGIN_SECONDS: i64 = 300;

/// The key that proves that a denial could be written.
const PROBE: &str = "impersonation:writable";

/// Sets each key until the time of its argument. Idempotent.
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

/// Writes denials to Redis.
pub struct DenyList {
    redis: Redis,
    deny: Script,
}

impl DenyList {
    pub fn new(redis: Redis) -> Self {
        Self { redis, deny: Script::new(DENY) }
    }

    /// Fails unless a denial could be written now.
    pub async fn ensure_writable(&self) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(PROBE).arg(1).arg("EX").arg(60);
        self.redis.query::<()>(&command).await
    }

    /// Denies the tokens of impersonations whose end has been committed, and deletes their messages from the outbox of the
    /// platform database. If that fails, the relay does it later.
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
            tracing::warn!(impersonations = sids.len(), error = %error.chain(), "writing denials failed; the relay will write them");
        }
    }

    /// Writes denials in one round trip.
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
