//! Sends tenants that are due to the queue.

use std::time::Duration;

use serde_json::json;
use shared::{error::Result, types::TenantId, usage, worker::Deadline};

use crate::App;

/// How long a tenant that was sent to the queue is left alone. Then it is due again, whatever became of its message.
pub const HOLD: Duration = Duration::from_mins(10);

/// Tenants that one message names at the most.
pub const TENANTS_PER_MESSAGE: usize = 25;

/// Messages that are sent together: as many as SQS takes.
const MESSAGES: usize = 10;

/// Tenants that a run sends at the most, so that a platform which was down for long comes back in steps.
const TENANTS_PER_RUN: usize = 10_000;

/// Sends what is due, until nothing is, the queue fails, or it is enough. `queued` counts tenants.
pub(crate) async fn queue(app: &App, deadline: Deadline, queued: &mut usize) -> Result<()> {
    let connection = app.platform.get().await?;
    let limit = i64::try_from(TENANTS_PER_MESSAGE * MESSAGES).unwrap_or(i64::MAX);
    while *queued < TENANTS_PER_RUN && !deadline.is_near() {
        let claim = usage::store::claim_due(&connection, limit, HOLD).await?;
        if !claim.tenant_ids.is_empty() {
            let bodies: Vec<_> = claim.tenant_ids.chunks(TENANTS_PER_MESSAGE).map(body).collect();
            app.sqs.send_batch(&app.queue_url, &bodies).await?;
            *queued += claim.tenant_ids.len();
        }
        if !claim.more {
            break;
        }
    }
    Ok(())
}

fn body(tenant_ids: &[TenantId]) -> String {
    json!({ "tenant_ids": tenant_ids }).to_string()
}
