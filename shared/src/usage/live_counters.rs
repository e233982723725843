//! The live counters. The platform's services maintain them in Redis with `INCR usage:{tenant-id}:{yyyymm}:messages`.
//!
//! They may be lost, and they may lag behind the tenants' databases.

use std::fmt::Write;

use redis::Value;

use crate::{
    clients::redis::Redis,
    error::Result,
    types::{Month, TenantId},
};

/// The greatest accepted value. A larger one was not written by a counter.
const MAX: i64 = 9_999_999_999_999;

pub struct LiveCounters {
    redis: Redis,
}

impl LiveCounters {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// The counted messages of each tenant in `month`, in the order of `tenants`; `None` where no counter exists. One round
    /// trip.
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
            write_key(&mut key, tenant, &digits);
            command.arg(&key);
            any = true;
        }
        if !any {
            return Ok(Vec::new());
        }
        let values: Vec<Value> = self.redis.query(&command).await?;
        Ok(values.iter().map(read_counter).collect())
    }
}

/// The key of a tenant's message counter.
pub fn messages_key(tenant: TenantId, month: Month) -> String {
    let mut key = String::new();
    write_key(&mut key, tenant, &month.digits());
    key
}

fn write_key(key: &mut String, tenant: TenantId, digits: &str) {
    // Writing to a String cannot fail.
    let _ = write!(key, "usage:{tenant}:{digits}:messages");
}

/// A value that is not a valid count is ignored, so that it does not affect the other counters.
fn read_counter(value: &Value) -> Option<i64> {
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
    fn a_value_that_is_not_a_count_is_ignored() {
        let text = |text: &str| Value::BulkString(text.into());
        assert_eq!(read_counter(&text("42")), Some(42));
        assert_eq!(read_counter(&Value::Int(0)), Some(0));
        for invalid in
            [Value::Nil, text(""), text("-1"), text("1.5"), text("many"), text("99999999999999"), Value::Okay]
        {
            assert_eq!(read_counter(&invalid), None, "{invalid:?}");
        }
    }
}
