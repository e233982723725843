//! What the live list must contain.

use deadpool_postgres::GenericClient;

use crate::{
    error::Result,
    revocations::{
        live_list::{Denial, LiveListEntry, MARGIN_SECONDS},
        store::LIVE,
    },
    sql::{self, Columns},
};

/// An impersonation that had begun, and whose token some service may not consider expired yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unexpired {
    pub impersonation: LiveListEntry,
    pub is_live: bool,
    /// One that has not ended and is not live is only suspended, by the state of its tenant or its super-admin.
    pub has_ended: bool,
}

impl Unexpired {
    pub fn denial(&self) -> Denial {
        Denial { sid: self.impersonation.id.0, expires_at: self.impersonation.expires_at }
    }
}

sql::columns! {
    /// The columns of an impersonation `i`.
    UnexpiredColumns -> LiveListEntry {
        id: "i.id",
        tenant_id: "i.tenant_id",
        user_id: "i.user_id",
        access: "i.access",
        expires_at: "i.expires_at",
    }
}

/// Whether [`list_unexpired`] would return any.
pub async fn exist_unexpired(client: &impl GenericClient) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT FROM impersonations
                 WHERE expires_at > now() - make_interval(secs => $1) AND recorded_at IS NOT NULL
             )",
        )
        .await?;
    Ok(client.query_one(&statement, &[&margin()]).await?.try_get(0)?)
}

/// The impersonations that had begun and have not expired, or only just.
pub async fn list_unexpired(client: &impl GenericClient) -> Result<Vec<Unexpired>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            UnexpiredColumns::LIST,
            ", i.ended_at IS NOT NULL OR i.expires_at <= now(), ",
            LIVE,
            " FROM impersonations i JOIN tenants t ON t.id = i.tenant_id
             WHERE i.expires_at > now() - make_interval(secs => $1) AND i.recorded_at IS NOT NULL"
        ))
        .await?;
    let rows = client.query(&statement, &[&margin()]).await?;
    let read = rows.iter().map(|row| {
        Ok(Unexpired {
            impersonation: UnexpiredColumns::read(row)?,
            has_ended: row.try_get(UnexpiredColumns::COUNT)?,
            is_live: row.try_get(UnexpiredColumns::COUNT + 1)?,
        })
    });
    read.collect()
}

/// In seconds.
fn margin() -> f64 {
    std::time::Duration::from_secs(MARGIN_SECONDS.unsigned_abs()).as_secs_f64()
}
