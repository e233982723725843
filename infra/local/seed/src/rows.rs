//! Rows of the filled tables. They are written with binary `COPY`.

use futures::pin_mut;
use serde_json::Value;
use shared::error::Result;
use time::{Date, OffsetDateTime};
use tokio_postgres::{
    Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{Timestamp, ToSql},
};
use uuid::Uuid;

/// A row whose fields have the names of its columns.
pub(crate) trait CopyRow {
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];

    /// The values in the order of the columns.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident in $table:literal { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name { $(pub(crate) $field: $type),+ }

        impl CopyRow for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
                vec![$(&self.$field),+]
            }
        }
    };
}

row!(
    SeededTenant in "tenants" {
        id: Uuid, name: String, slug: String, status: &'static str, database_name: String, schema_version: i32,
        country: &'static str, max_agents: Option<i64>, max_contacts: Option<i64>, max_messages_month: Option<i64>,
        revision: i64, created_at: OffsetDateTime, updated_at: OffsetDateTime,
    }
);

row!(
    SeededPendingAdmin in "pending_admins" { tenant_id: Uuid, user_id: Uuid, email: String, password_hash: String }
);

row!(
    SeededOperation in "operations" {
        id: Uuid, tenant_id: Uuid, database_name: String, kind: &'static str, status: &'static str,
        reason: Option<&'static str>, requested_by: String, attempts: i32, lease_token: i64, schema_version: Option<i32>, created_at: OffsetDateTime,
        updated_at: OffsetDateTime, finished_at: Option<OffsetDateTime>, next_attempt_at: Option<OffsetDateTime>,
    }
);

row!(
    SeededStep in "operation_steps" {
        operation_id: Uuid, position: i32, name: &'static str, status: &'static str, attempts: i32,
        started_at: Option<OffsetDateTime>, finished_at: Option<OffsetDateTime>,
    }
);

row!(
    SeededAuditEntry in "audit" {
        id: Uuid, at: OffsetDateTime, actor: String, action: &'static str, tenant_id: Option<Uuid>,
        request_id: Option<String>, source_address: Option<String>, details: Value,
    }
);

row!(
    /// Copied to a temporary table: a trigger inserts the row of `tenant_usage` together with its tenant.
    SeededUsage in "seeded_usage" {
        tenant_id: Uuid, agents: Option<i64>, agents_online: Option<i64>, contacts: Option<i64>,
        storage_bytes: Option<i64>, channels: Vec<&'static str>, month: Option<Date>, messages_measured: Option<i64>,
        messages_counted: Option<i64>, measured_at: Option<OffsetDateTime>, error: Option<&'static str>,
        failed_at: Option<OffsetDateTime>, due_at: Timestamp<OffsetDateTime>,
    }
);

row!(
    SeededThreshold in "usage_thresholds" {
        tenant_id: Uuid, month: Date, figure: &'static str, percent: i16, reached_at: OffsetDateTime,
    }
);

row!(
    SeededDay in "usage_days" {
        tenant_id: Uuid, day: Date, agents: Option<i64>, contacts: Option<i64>, messages_month: Option<i64>,
        storage_bytes: Option<i64>, measured_at: OffsetDateTime,
    }
);

row!(
    SeededReachedLimit in "usage_limits_reached" {
        tenant_id: Uuid, figure: &'static str, reached_at: OffsetDateTime, on_limit: &'static str,
    }
);

row!(
    SeededHealthSample in "health_samples" {
        component: &'static str, at: OffsetDateTime, span_seconds: i32, up: i32, degraded: i32, down: i32,
        latency_ms: Option<f32>, error: Option<&'static str>,
    }
);

row!(
    SeededHealthState in "health_states" {
        component: &'static str, state: &'static str, since: OffsetDateTime, recent: Vec<&'static str>,
        sampled_at: OffsetDateTime,
    }
);

row!(
    SeededHealthChange in "health_changes" {
        component: &'static str, at: OffsetDateTime, from_state: &'static str, to_state: &'static str,
        error: Option<&'static str>,
    }
);

row!(
    SeededDirectoryEntry in "user_directory" {
        tenant_id: Uuid, user_id: Uuid, email: String, full_name: String, role: &'static str, status: &'static str,
        revision: i64, created_at: OffsetDateTime, updated_at: OffsetDateTime,
    }
);

row!(
    SeededUser in "users" {
        id: Uuid, email: String, full_name: String, role: &'static str, status: &'static str,
        last_seen_at: Option<OffsetDateTime>, online_until: Option<OffsetDateTime>, created_at: OffsetDateTime,
        updated_at: OffsetDateTime,
    }
);

/// Copies rows to their table and returns their number.
pub(crate) async fn copy<R: CopyRow>(transaction: &Transaction<'_>, rows: &[R]) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let columns = R::COLUMNS.join(", ");
    let described = transaction.prepare(&format!("SELECT {columns} FROM {}", R::TABLE)).await?;
    let types: Vec<_> = described.columns().iter().map(|column| column.type_().clone()).collect();
    let sink = transaction.copy_in(&format!("COPY {} ({columns}) FROM STDIN BINARY", R::TABLE)).await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for row in rows {
        writer.as_mut().write(&row.values()).await?;
    }
    Ok(writer.finish().await?)
}
