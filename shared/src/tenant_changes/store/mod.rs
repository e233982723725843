//! SQL of the table `tenant_changes` in the platform database, and of the markers in tenants' databases ([`marker`]).

pub mod erasure;
pub mod impersonation;
pub mod marker;

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    audit,
    error::{Error, Result},
    idempotency::RequestIdentity,
    revocations::store::unrecorded::EndColumns,
    sql::{self, Columns},
    telemetry::trace,
    tenant_changes::{ActorOfChange, DueChange, ErasedUser, NewChange, OpenChange},
    types::{ImpersonationId, TenantId, TraceId, UserId},
};

/// The relay leaves a change to its request for this long, which is longer than a request may work on a tenant's database.
const HEAD_START: Duration = Duration::from_secs(10);

/// How long a relay has a change to itself, which is longer than the timeouts of one attempt. It doubles with each attempt.
const FIRST_LEASE: Duration = Duration::from_secs(15);

const MAX_LEASE: Duration = Duration::from_mins(5);

/// A row of an open change and the audit entry of its intent.
struct ChangeRow {
    intent_id: Uuid,
    action: String,
    actor: ActorOfChange,
    details: Value,
    id: Uuid,
    tenant_id: TenantId,
    begun_at: OffsetDateTime,
    impersonation_id: Option<ImpersonationId>,
    route: Option<String>,
    key: Option<String>,
    fingerprint: Option<Vec<u8>>,
    erased_user: Option<ErasedUser>,
    trace_id: TraceId,
}

sql::columns! {
    /// The columns of an open change `c`, and of the audit entry `a` of its intent.
    ChangeColumns -> ChangeRow {
        intent_id: "a.id",
        action: "a.action",
        actor: ActorOfChange {
            id: "a.actor",
            request_id: "a.request_id",
            client_request_id: "a.client_request_id",
            source_address: "a.source_address",
        },
        details: "a.details",
        id: "c.id",
        tenant_id: "c.tenant_id",
        begun_at: "c.created_at",
        impersonation_id: "c.impersonation_id",
        route: "c.route",
        key: "c.idempotency_key",
        fingerprint: "c.fingerprint",
        erased_user: "c.erased_user" via |user: Option<Value>| {
            user.map(serde_json::from_value).transpose().map_err(Error::internal)
        },
        trace_id: "c.trace_id",
    }
}

impl From<ChangeRow> for OpenChange {
    fn from(row: ChangeRow) -> Self {
        let request = match (row.route, row.key, row.fingerprint) {
            (Some(route), Some(key), Some(fingerprint)) => Some(RequestIdentity { route, key, fingerprint }),
            _ => None,
        };
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            action: row.action,
            intent_id: row.intent_id,
            details: row.details,
            begun_at: row.begun_at,
            impersonation_id: row.impersonation_id,
            request,
            erased_user: row.erased_user,
            actor: row.actor,
            trace_id: row.trace_id,
        }
    }
}

/// Inserts the intent and the open change. Returns the time, and the ids of the tenant's other open changes.
pub async fn insert(
    client: &impl GenericClient,
    id: Uuid,
    intent_id: Uuid,
    new: &NewChange<'_>,
) -> Result<(OffsetDateTime, Vec<Uuid>)> {
    let intent = audit::store::values(&intent_id, &new.intent);
    // The parameters of this statement follow those of the entry, whose first, third and fourth are its id, action and tenant.
    let [own_id, impersonation, route_of, key_of, fingerprint_of, seconds, trace, erased] =
        std::array::from_fn(|n| intent.len() + 1 + n);
    let statement = client
        .prepare_cached(&format!(
            "WITH intent AS ({})
             INSERT INTO tenant_changes
                 (id, tenant_id, kind, intent_id, impersonation_id, route, idempotency_key, fingerprint, due_at, trace_id,
                  erased_user)
             VALUES (${own_id}, $4, $3, $1, ${impersonation}, ${route_of}, ${key_of}, ${fingerprint_of},
                     now() + make_interval(secs => ${seconds}), ${trace}, ${erased})
             RETURNING created_at, ARRAY(SELECT id FROM tenant_changes WHERE tenant_id = $4)",
            audit::store::INSERT
        ))
        .await?;
    let head_start = HEAD_START.as_secs_f64();
    let (route, key) = (new.request.map(|request| &*request.route), new.request.map(|request| &*request.key));
    let fingerprint = new.request.map(|request| &*request.fingerprint);
    let trace_id = trace::current_or_new();
    let erased_user = new.erased_user.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let own: [&(dyn ToSql + Sync); 8] =
        [&id, &new.impersonation_id, &route, &key, &fingerprint, &head_start, &trace_id, &erased_user];
    let row = client.query_one(&statement, &[&intent[..], &own[..]].concat()).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Deletes an open change and locks its tenant. `false` if another transaction has deleted it.
pub async fn close(transaction: &Transaction<'_>, id: Uuid) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "WITH closed AS (DELETE FROM tenant_changes WHERE id = $1 RETURNING tenant_id)
             SELECT FROM tenants WHERE id = (SELECT tenant_id FROM closed) FOR UPDATE",
        )
        .await?;
    Ok(transaction.query_opt(&statement, &[&id]).await?.is_some())
}

/// Deletes an open change.
pub async fn delete(client: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = client.prepare_cached("DELETE FROM tenant_changes WHERE id = $1").await?;
    client.execute(&statement, &[&id]).await?;
    Ok(())
}

/// The open change of an earlier attempt of the same idempotent request.
pub async fn find_of_request(
    client: &impl GenericClient,
    tenant_id: TenantId,
    actor: &str,
    request: &RequestIdentity,
) -> Result<Option<OpenChange>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ChangeColumns::LIST,
            " FROM tenant_changes c JOIN audit a ON a.id = c.intent_id
             WHERE c.tenant_id = $1 AND a.actor = $2 AND c.route = $3 AND c.idempotency_key = $4 AND c.fingerprint = $5
             ORDER BY c.created_at DESC
             LIMIT 1"
        ))
        .await?;
    let row =
        client.query_opt(&statement, &[&tenant_id, &actor, &request.route, &request.key, &request.fingerprint]).await?;
    row.map(|row| Ok(ChangeColumns::read(&row)?.into())).transpose()
}

/// The open changes of a user, oldest first and erasures last.
pub async fn list_of_user(
    client: &impl GenericClient,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Vec<OpenChange>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ChangeColumns::LIST,
            " FROM tenant_changes c JOIN audit a ON a.id = c.intent_id
             WHERE c.tenant_id = $1 AND a.details ->> 'user_id' = $2
             ORDER BY c.erased_user IS NOT NULL, c.created_at"
        ))
        .await?;
    let rows = client.query(&statement, &[&tenant_id, &user_id.to_string()]).await?;
    rows.iter().map(|row| Ok(ChangeColumns::read(row)?.into())).collect()
}

/// Leases the changes that are due the longest: no other relay gets them for some time, which grows with the attempts.
pub async fn lease_due(client: &impl GenericClient, limit: i64) -> Result<Vec<DueChange>> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH c AS (
                 UPDATE tenant_changes
                 SET attempts = attempts + 1,
                     due_at = now() + make_interval(secs => least($2 * 2.0::float8 ^ least(attempts, 30), $3))
                 WHERE id IN (
                     SELECT id FROM tenant_changes WHERE due_at <= now()
                     ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
                 )
                 RETURNING *
             )
             SELECT ",
            ChangeColumns::LIST,
            ", ",
            EndColumns::LIST,
            " FROM c
             LEFT JOIN audit a ON a.id = c.intent_id
             LEFT JOIN impersonations i ON i.id = c.impersonation_id
             ORDER BY c.created_at"
        ))
        .await?;
    let (first, most) = (FIRST_LEASE.as_secs_f64(), MAX_LEASE.as_secs_f64());
    client.query(&statement, &[&limit, &first, &most]).await?.iter().map(read_due).collect()
}

fn read_due(row: &Row) -> Result<DueChange> {
    Ok(match ChangeColumns::read_optional_at(row, 0)? {
        Some(change) => DueChange::Change(Box::new(change.into())),
        None => DueChange::End(EndColumns::read_at(row, ChangeColumns::COUNT)?),
    })
}

/// The number of changes that the relay could not settle at its first attempt, and the age of the oldest in seconds.
pub async fn count_deferred(client: &impl GenericClient) -> Result<(i64, f64)> {
    let statement = client
        .prepare_cached(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
             FROM tenant_changes WHERE attempts > 0",
        )
        .await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
