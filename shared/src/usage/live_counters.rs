//! The live counters, which the platform's services keep in Redis with `INCR usage:{tenant-id}:{yyyymm}:messages`. They may
//! be lost, and be behind what is in the tenants' databases.

use std::fmt::Write;

use redis::Value;

use crate::{
    clients::redis::Redis,
    error::Result,
    types::{Month, TenantId},
};

/// The greatest number that is believed; beyond it somebody wrote something else.
const MAX: i64 = 9_999_999_999_999;

/// The live counters.
pub struct LiveCounters {
    redis: Redis,
}

impl LiveCounters {
    /// Of a Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// What was counted of the messages of each of `tenants` in `month`, in their order; `None` where nothing was. One
    /// round trip.
    pub async fn messages(
        &self,
        tenants: impl IntoIterator<Item = TenantId>,
        month: Month,
    ) -> Result<Vec<Option<i64>>> {
        let mut command = redis::cmd("MGET");
        let (digits, mut key) = (month.digits(), String::with_capacity(64));
        let mut any = false;
        for tenant in tenants {
            key.clear();
            name(&mut key, tenant, &digits);
            command.arg(&key);
            any = true;
        }
        if !any {
            return Ok(Vec::new());
        }
        let values: Vec<Value> = self.redis.query(&command).await?;
        Ok(values.iter().map(number).collect())
    }
}

/// The key of the counter of a tenant's messages.
pub fn messages_key(tenant: TenantId, month: Month) -> String {
    let mut key = String::new();
    name(&mut key, tenant, &month.digits());
    key
}

fn name(key: &mut String, tenant: TenantId, digits: &str) {
    // Writing into memory does not fail.
    let _ = write!(key, "usage:{tenant}:{digits}:messages");
}

/// A counter that holds something else than a number counts nothing, and does not spoil the others.
fn number(value: &Value) -> Option<i64> {
    let number = match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok()?,
        Value::Int(number) => *number,
        _ => return None,
    };
    (0..=MAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_counter_counts_nothing() {
        let text = |text: &str| Value::BulkString(text.into());
        assert_eq!(number(&text("42")), Some(42));
        assert_eq!(number(&Value::Int(0)), Some(0));
        for odd in [Value::Nil, text(""), text("-1"), text("1.5"), text("many"), text("99999999999999"), Value::Okay] {
            assert_eq!(number(&odd), None, "{odd:?}");
        }
    }
}
