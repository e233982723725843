//! Settling a change that its request has left open.

use crate::{
    clients::{
        postgres::{Connection, Postgres},
        tenant_databases::TenantDatabases,
    },
    error::{Error, Result},
    revocations::{EndedImpersonation, ImpersonationEnd, store::tenant_record},
    tenant_changes::{ChangeResult, DueChange, OpenChange, Outcome, outcome, store},
    tenants::{self, TenantStatus, store::TenantLocation},
    types::UserId,
};

/// Settles a change. Returns the impersonations that have ended, to be passed to the live list. Fails while the tenant's
/// database cannot be reached, or a transaction that may still commit the change has not ended.
///
/// While it works on the tenant's database, it holds no connection to the platform database, so that tenants whose databases
/// hang do not delay others.
pub async fn settle(
    platform: &Postgres,
    databases: &TenantDatabases,
    change: &DueChange,
) -> Result<Vec<EndedImpersonation>> {
    let location = tenants::store::find_location(&platform.get().await?, change.tenant_id()).await?;
    match change {
        DueChange::Change(change) => settle_change(platform, databases, &location, change).await,
        DueChange::End(end) => record_end(platform, databases, &location, end).await.map(|()| Vec::new()),
    }
}

/// Settles all open changes of a user, erasures last. Returns the impersonations that have ended.
pub async fn settle_of_user(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    user_id: UserId,
) -> Result<Vec<EndedImpersonation>> {
    let open = store::list_of_user(&platform.get().await?, location.id, user_id).await?;
    let mut ended = Vec::new();
    for change in &open {
        ended.extend(settle_change(platform, databases, location, change).await?);
    }
    Ok(ended)
}

async fn settle_change(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    change: &OpenChange,
) -> Result<Vec<EndedImpersonation>> {
    match determine(databases, location, change).await? {
        Outcome::Made(result) => write_made(platform, databases, location, change, result).await,
        not_made @ Outcome::NotMade { .. } => write(platform, databases, location, change, &not_made).await,
    }
}

/// Writes the consequences of a change that was made. If it is an erasure, the other open changes of the user are settled before,
/// because their consequences contain what is erased.
pub(super) async fn write_made(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    change: &OpenChange,
    result: ChangeResult,
) -> Result<Vec<EndedImpersonation>> {
    let mut ended = Vec::new();
    if let Some(user) = &change.erased_user {
        let open = store::list_of_user(&platform.get().await?, change.tenant_id, user.id).await?;
        for other in open.iter().filter(|other| other.erased_user.is_none()) {
            // In their order, which this function keeps for a change that is no erasure.
            ended.extend(Box::pin(settle_change(platform, databases, location, other)).await?);
        }
    } else if let Some((user_id, revision)) = result.user_revision() {
        let open = store::list_of_user(&platform.get().await?, change.tenant_id, user_id).await?;
        for (earlier, result) in made_before(databases, location, open, revision).await? {
            ended.extend(write(platform, databases, location, &earlier, &Outcome::Made(result)).await?);
        }
    }
    ended.extend(write(platform, databases, location, change, &Outcome::Made(result)).await?);
    Ok(ended)
}

/// Those of the open changes of a user that were made before the user had a revision, in their order. A change that has not
/// committed its marker yet follows later.
pub(super) async fn made_before(
    databases: &TenantDatabases,
    location: &TenantLocation,
    open: Vec<OpenChange>,
    revision: i64,
) -> Result<Vec<(OpenChange, ChangeResult)>> {
    // The change with this revision is one of them.
    if open.len() < 2 {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = open.iter().map(|change| change.id).collect();
    let (cluster, database) = location.require_placed()?;
    let mut results = databases
        .within(async { store::marker::list_results(&databases.get(cluster, database).await?, &ids).await })
        .await?;
    let mut earlier = Vec::new();
    for change in open {
        let Some(result) = results.remove(&change.id) else { continue };
        let result: ChangeResult = serde_json::from_value(result).map_err(Error::internal)?;
        match result.user_revision() {
            Some((_, made)) if made < revision => earlier.push((made, change, result)),
            _ => {}
        }
    }
    earlier.sort_by_key(|(made, ..)| *made);
    Ok(earlier.into_iter().map(|(_, change, result)| (change, result)).collect())
}

async fn write(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    change: &OpenChange,
    outcome: &Outcome,
) -> Result<Vec<EndedImpersonation>> {
    let consequences = outcome::write(&mut platform.get().await?, change, outcome).await?;
    if let Some(end) = &consequences.to_record {
        // If this fails, the relay finds it among the open changes.
        record_end(platform, databases, location, end).await?;
    }
    Ok(consequences.ended)
}

/// Settles a change that starts no impersonation and ends none, for a caller that has a session. Returns whether it was made.
pub async fn settle_at(
    platform: &mut Connection,
    databases: &TenantDatabases,
    location: &TenantLocation,
    change: &OpenChange,
) -> Result<Outcome> {
    let outcome = determine(databases, location, change).await?;
    outcome::write(platform, change, &outcome).await?;
    Ok(outcome)
}

/// Determines whether a change was made. Afterwards that is final: a change that was not made can never commit.
async fn determine(databases: &TenantDatabases, location: &TenantLocation, change: &OpenChange) -> Result<Outcome> {
    if location.status == TenantStatus::Deleted {
        let error = "The tenant was deleted before the change was settled".to_owned();
        return Ok(Outcome::NotMade { error, end_reason: None });
    }
    let (cluster, database) = location.require_placed()?;
    let result = databases
        .within(async {
            let mut connection = databases.get(cluster, database).await?;
            store::marker::void(&mut connection, change.id).await
        })
        .await?;
    Ok(match result {
        Some(result) => Outcome::Made(serde_json::from_value(result).map_err(Error::internal)?),
        None => {
            Outcome::NotMade { error: "The request was interrupted before its change".to_owned(), end_reason: None }
        }
    })
}

/// Records an end in the tenant's database. Repeating it has no effect.
async fn record_end(
    platform: &Postgres,
    databases: &TenantDatabases,
    location: &TenantLocation,
    end: &ImpersonationEnd,
) -> Result<()> {
    if location.status == TenantStatus::Deleted {
        // The record is gone with the tenant's database.
        return store::delete(&platform.get().await?, end.id).await;
    }
    let (cluster, database) = location.require_placed()?;
    let record = async {
        let connection = databases.get(cluster, database).await?;
        tenant_record::end_one(&connection, end.impersonation_id, end.ended_at).await
    };
    databases.within(record).await?;
    store::delete(&platform.get().await?, end.id).await
}
