//! The live counters of messages, in Redis.

use redis::Script;
use shared::{
    clients::redis::Redis,
    error::Result,
    types::{Month, TenantId},
    usage::live_counters::messages_key,
};

/// How long a counter is kept, in seconds: until its month is surely over.
const KEPT_SECONDS: i64 = 62 * 24 * 3600;

/// How many messages of a month the platform's services have counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    pub(crate) tenant_id: TenantId,
    pub(crate) month: Month,
    pub(crate) messages: i64,
}

/// Sets counters, in one round trip; says how many.
pub(crate) async fn write(redis: &Redis, counters: &[Counter]) -> Result<u64> {
    let script = Script::new(
        "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end
         return #KEYS",
    );
    let mut call = script.prepare_invoke();
    call.arg(KEPT_SECONDS);
    for Counter { tenant_id, month, messages } in counters {
        call.key(messages_key(*tenant_id, *month)).arg(*messages);
    }
    redis.run(&call).await
}
