//! Use case: send the tenants that are due for measurement to the queue.

use std::time::Duration;

use serde_json::json;

use crate::{
    clients::{postgres::Connection, sqs::Sqs},
    error::Result,
    types::TenantId,
    usage::{measuring::message::TENANTS_PER_MESSAGE, store},
    worker::Deadline,
};

/// How long a tenant that was sent to the queue is not sent again. Then it is due again, whatever happened to its message.
pub const HOLD: Duration = Duration::from_mins(10);

/// Messages per request, the greatest number that SQS accepts.
const MESSAGES_PER_REQUEST: usize = 10;

/// The greatest number of tenants per run, so that the platform recovers from a long outage in steps.
const TENANTS_PER_RUN: usize = 10_000;

/// The queue of tenants to measure.
pub struct MeasureQueue<'a> {
    pub sqs: &'a Sqs,
    pub url: &'a str,
}

/// Claims due tenants and sends them to the queue, until none is due, the run's limit is reached or the deadline is near.
/// Adds the number of sent tenants to `queued` with each request, so that the number is right when a later request fails.
///
/// Concurrent runs claim different tenants. A message that is lost loses nothing, because its tenants are due again after
/// [`HOLD`].
pub async fn enqueue_due(
    platform: &Connection,
    queue: &MeasureQueue<'_>,
    deadline: Deadline,
    queued: &mut usize,
) -> Result<()> {
    let limit = i64::try_from(TENANTS_PER_MESSAGE * MESSAGES_PER_REQUEST).unwrap_or(i64::MAX);
    while *queued < TENANTS_PER_RUN && !deadline.is_near() {
        let due = store::claim_due(platform, limit, HOLD).await?;
        if !due.tenant_ids.is_empty() {
            let bodies: Vec<_> = due.tenant_ids.chunks(TENANTS_PER_MESSAGE).map(body).collect();
            queue.sqs.send_batch(queue.url, &bodies).await?;
            *queued += due.tenant_ids.len();
        }
        if !due.more {
            break;
        }
    }
    Ok(())
}

/// The body of a [`MeasureMessage`](crate::usage::measuring::MeasureMessage).
fn body(tenant_ids: &[TenantId]) -> String {
    json!({ "tenant_ids": tenant_ids }).to_string()
}
