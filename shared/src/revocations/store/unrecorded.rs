//! Ends that the tenants' records do not show yet: open changes in the table `tenant_changes`, which the relay settles.

use std::time::Duration;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::{
    error::Result,
    revocations::ImpersonationEnd,
    sql::{self, Columns},
    telemetry::trace,
    types::ImpersonationId,
};

sql::columns! {
    /// The columns of an open change `c` and its impersonation `i`, which has ended.
    pub(crate) EndColumns -> ImpersonationEnd {
        id: "c.id",
        tenant_id: "c.tenant_id",
        impersonation_id: "i.id",
        ended_at: "coalesce(i.ended_at, i.expires_at)",
        trace_id: "c.trace_id",
    }
}

/// Inserts the open changes of impersonations that have ended, in the transaction that ends them. The relay leaves them to
/// their request for `head_start`.
pub async fn insert(
    transaction: &Transaction<'_>,
    ids: &[ImpersonationId],
    head_start: Duration,
) -> Result<Vec<ImpersonationEnd>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "WITH c AS (
                 INSERT INTO tenant_changes (id, tenant_id, kind, impersonation_id, due_at, trace_id)
                 SELECT new.id, i.tenant_id, 'impersonation.end', i.id, now() + make_interval(secs => $3), $4
                 FROM unnest($1::uuid[], $2::uuid[]) new(id, impersonation_id)
                 JOIN impersonations i ON i.id = new.impersonation_id
                 RETURNING id, tenant_id, impersonation_id, trace_id
             )
             SELECT ",
            EndColumns::LIST,
            " FROM c JOIN impersonations i ON i.id = c.impersonation_id"
        ))
        .await?;
    let new_ids: Vec<_> = ids.iter().map(|_| Uuid::now_v7()).collect();
    let parameters = (head_start.as_secs_f64(), trace::current_or_new());
    let rows = transaction.query(&statement, &[&new_ids, &ids, &parameters.0, &parameters.1]).await?;
    rows.iter().map(EndColumns::read).collect()
}
