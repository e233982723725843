//! The live list: the impersonations whose tokens the platform's services accept, in Redis.
//!
//! | key | value | exists |
//! | --- | --- | --- |
//! | `impersonation:live:{sid}` | `{tenant_id}:{sub}:{scope}`, as in the token | from before the token is issued until the end or the expiry |
//! | `impersonation:denied:{sid}` | `1` | from the end until every service considers the token expired |
//! | `impersonation:generation` | random | until Redis loses its data |
//!
//! A service accepts a token if the first key exists with the values of the token, and the second does not exist. So an empty
//! Redis ends all impersonations, until the relay has added those that are live ([`reassert`](mod@super::reassert)).
//!
//! # An impersonation that has ended is never added again
//!
//! The platform database decides, and Redis follows. There are two kinds of writers:
//!
//! - An **end** commits in the database, and afterwards one script writes the denial and deletes the live key. If Redis cannot
//!   be reached, the denial stays in the outbox, and the relay repeats it.
//! - An **addition** (a start, a repeated start, a re-assertion) reads the generation, then the impersonation's row, and then
//!   runs one script. The script adds nothing if the generation has changed, and no impersonation that is denied.
//!
//! Suppose that an addition has read a live impersonation. If it ends, its end commits after that read, so the script of the
//! end runs after the generation was read. Redis runs one script at a time, in one of two orders:
//!
//! - The script of the end runs after that of the addition. Then it deletes the key.
//! - It runs before. If Redis has lost its data since then, it has lost the generation too, and the addition adds nothing.
//!   Otherwise the denial still exists, because it expires later than the token, and the addition adds nothing either.
//!
//! A call that times out may run late. That changes nothing, because only the order of the scripts counts.
//!
//! A failover to a replica that has not received the last writes can lose the script of an end. The re-assertion repeats all
//! denials, so such an end takes effect within a minute.

use std::fmt::Display;

use deadpool_postgres::GenericClient;
use redis::Script;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    clients::redis::Redis,
    error::{Dependency, Error, Result},
    events,
    revocations::EndedImpersonation,
    types::{Access, ImpersonationId, TenantId, UserId},
};

/// How long a token stays denied after its expiry, in seconds, because the clock of a service may be behind.
pub(super) const MARGIN_SECONDS: i64 = 300;

const GENERATION: &str = "impersonation:generation";

/// Returns the generation, and begins one if Redis has none. It writes in any case, so it fails if Redis cannot be written.
const READ_GENERATION: &str = "
    local generation = redis.call('GET', KEYS[1]) or ARGV[1]
    redis.call('SET', KEYS[1], generation)
    return generation";

/// Adds each pair of a live key and a denial, unless it is denied. Returns how many keys are new, or -1 in another generation.
const ADD: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
    local added = 0
    for i = 2, #KEYS, 2 do
        if redis.call('EXISTS', KEYS[i + 1]) == 0 then
            added = added + 1 - redis.call('EXISTS', KEYS[i])
            redis.call('SET', KEYS[i], ARGV[i], 'EXAT', ARGV[i + 1])
        end
    end
    return added";

/// Denies each pair of a live key and a denial, until the time of its argument. Idempotent.
const DENY: &str = "
    for i = 1, #KEYS, 2 do
        redis.call('SET', KEYS[i + 1], '1', 'EXAT', ARGV[(i + 1) / 2])
        redis.call('DEL', KEYS[i])
    end";

/// The keys in one call, so that none blocks Redis for long.
const BATCH: usize = 500;

/// An impersonation whose token services are to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveListEntry {
    /// The `sid` of its token.
    pub id: ImpersonationId,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub access: Access,
    pub expires_at: OffsetDateTime,
}

impl LiveListEntry {
    /// The value of the key. A service compares it with the claims, so that a forged token, signed with a stolen key, cannot use
    /// the `sid` of a live impersonation for another user.
    fn value(&self) -> String {
        format!("{}:{}:{}", self.tenant_id, self.user_id, self.access.scope())
    }
}

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

/// Changes whenever Redis loses its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation(String);

/// Writes live impersonations and denials to Redis.
pub struct LiveList {
    redis: Redis,
    read_generation: Script,
    add: Script,
    deny: Script,
}

impl LiveList {
    pub fn new(redis: Redis) -> Self {
        let [read_generation, add, deny] = [READ_GENERATION, ADD, DENY].map(Script::new);
        Self { redis, read_generation, add, deny }
    }

    /// The present generation. It must be read before the rows of the impersonations that are added in it. Fails unless Redis
    /// can be written.
    pub async fn generation(&self) -> Result<Generation> {
        let mut call = self.read_generation.key(GENERATION);
        call.arg(Uuid::now_v7().to_string());
        self.redis.run(&call).await.map(Generation)
    }

    /// Adds impersonations that the platform database contained as live after the generation was read, except those that are
    /// denied. Returns how many were missing, or `None` if Redis has lost its data since then.
    pub async fn add(&self, generation: &Generation, live: &[LiveListEntry]) -> Result<Option<usize>> {
        let mut added = 0;
        for batch in live.chunks(BATCH) {
            let mut call = self.add.key(GENERATION);
            call.arg(&generation.0);
            for one in batch {
                call.key(key(one.id)).key(denial_key(one.id)).arg(one.value()).arg(one.expires_at.unix_timestamp());
            }
            match usize::try_from(self.redis.run::<i64>(&call).await?) {
                Ok(count) => added += count,
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(added))
    }

    /// Adds one impersonation before its token is issued, as [`Self::add`] does. Fails if its token would not be accepted.
    pub async fn add_one(&self, generation: &Generation, live: LiveListEntry) -> Result<()> {
        match self.add(generation, &[live]).await? {
            Some(_) => Ok(()),
            None => Err(Error::Unavailable { dependency: Dependency::Redis, source: None }),
        }
    }

    /// Denies the tokens of impersonations whose end has been committed, and deletes their messages from the outbox of the
    /// platform database. If that fails, the relay does it.
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

    /// Writes denials.
    pub async fn write(&self, denials: &[Denial]) -> Result<()> {
        for batch in denials.chunks(BATCH) {
            let mut call = self.deny.prepare_invoke();
            for denial in batch {
                call.key(key(denial.sid)).key(denial_key(denial.sid));
                call.arg(denial.expires_at.unix_timestamp() + MARGIN_SECONDS);
            }
            self.redis.run::<()>(&call).await?;
        }
        Ok(())
    }

    /// Removes impersonations that are not live at the moment, although they have not ended.
    pub async fn remove(&self, ids: &[ImpersonationId]) -> Result<()> {
        for batch in ids.chunks(BATCH) {
            let mut command = redis::cmd("DEL");
            for id in batch {
                command.arg(key(id));
            }
            self.redis.query::<()>(&command).await?;
        }
        Ok(())
    }
}

/// The key of a live impersonation.
pub fn key(sid: impl Display) -> String {
    format!("impersonation:live:{sid}")
}

/// The key that denies the token of an impersonation.
pub fn denial_key(sid: impl Display) -> String {
    format!("impersonation:denied:{sid}")
}
