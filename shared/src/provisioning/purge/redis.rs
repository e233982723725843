//! The removal of the tenant's keys in Redis: the counters of its usage. Entries of the live list are named after impersonations, which have
//! ended, and expire within an hour.

use super::figures::{Progress, figures};
use crate::{
    operations::StepName,
    provisioning::step::{StepContext, StepError},
};

/// Keys that one step of a scan looks at.
const SCANNED: usize = 1000;

pub(super) async fn remove(context: &StepContext<'_>) -> Result<(), StepError> {
    let keys = find(context, &format!("usage:{}:*", context.lease.tenant_id)).await?;
    let count = async || Ok(figures([("keys", i64::try_from(keys.len()).unwrap_or(i64::MAX))]));
    Progress::begin(context, StepName::RedisRemoval, count).await?;
    for batch in keys.chunks(SCANNED) {
        let mut command = redis::cmd("UNLINK");
        command.arg(batch);
        context.stores.redis.query::<i64>(&command).await?;
    }
    Ok(())
}

/// The keys that match a pattern.
pub(super) async fn find(context: &StepContext<'_>, pattern: &str) -> Result<Vec<String>, StepError> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED);
        let (next, keys): (String, Vec<String>) = context.stores.redis.query(&command).await?;
        found.extend(keys);
        if next == "0" {
            found.sort_unstable();
            found.dedup();
            return Ok(found);
        }
        cursor = next;
    }
}
