//! The live message counters in Redis.

use redis::Script;
use shared::{
    clients::redis::Redis,
    error::Result,
    types::{Month, TenantId},
    usage::live_counters::messages_key,
};

/// Time to live of a counter: longer than its month.
const TTL_SECONDS: i64 = 62 * 24 * 3600;

#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageCounter {
    pub(crate) tenant_id: TenantId,
    pub(crate) month: Month,
    pub(crate) messages: i64,
}

/// Sets counters in one round trip and returns their number.
pub(crate) async fn write(redis: &Redis, counters: &[MessageCounter]) -> Result<u64> {
    let script = Script::new(
        "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end
         return #KEYS",
    );
    let mut call = script.prepare_invoke();
    call.arg(TTL_SECONDS);
    for MessageCounter { tenant_id, month, messages } in counters {
        call.key(messages_key(*tenant_id, *month)).arg(*messages);
    }
    redis.run(&call).await
}
