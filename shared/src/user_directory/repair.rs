//! Use case: make the directory's rows of a tenant equal to the users in the tenant's own database.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    clients::postgres::Postgres,
    error::Result,
    types::{TenantId, UserId},
    user_directory::{Difference, store},
};

/// Users that are compared at a time, which bounds the memory and the length of a transaction.
const PAGE: usize = 500;

/// What a repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repair {
    /// Users that were compared one by one. None if the fingerprints are equal.
    pub compared: usize,
    /// Rows that were wrong.
    pub repaired: usize,
    /// Whether everything was compared.
    pub is_finished: bool,
}

/// Compares fingerprints, and if they differ all users, in pages. `tenant` is a connection to `database`, the tenant's own, which needs to read
/// the columns of [`DirectoryEntry`](crate::user_directory::DirectoryEntry) only. Nothing is written once the tenant has another database,
/// after a promotion.
///
/// A page of the directory is read **before** the same page of users. A change is committed in the tenant's database before it reaches the
/// directory, so the users are at least as new as the rows that were read. A row is replaced only if it still has the revision that was
/// read; otherwise a later change has arrived meanwhile, which is not overwritten.
///
/// Each page is a transaction, after which `repair` is updated. When the caller's time is over, what was repaired stays, and the next
/// repair goes through it quickly.
pub async fn repair(
    platform: &Postgres,
    (tenant_id, database): (TenantId, &str),
    tenant: &Client,
    repair: &mut Repair,
) -> Result<()> {
    let session = platform.session().await?;
    let (directory, users) =
        tokio::try_join!(store::fingerprint(&*session, tenant_id), store::tenant_users::fingerprint(tenant))?;
    session.give_back();
    if directory == users {
        repair.is_finished = true;
        return Ok(());
    }
    let mut after = UserId(Uuid::nil());
    loop {
        // A session that is cut off by the caller's time limit must not return to the pool with a statement in progress.
        let session = platform.session().await?;
        let mut entries = store::list_after(&*session, tenant_id, after, PAGE).await?;
        session.give_back();
        let end_of_entries = entries.last().filter(|_| entries.len() == PAGE).map(|entry| entry.user_id);
        let users = store::tenant_users::list_between(tenant, after, end_of_entries, PAGE).await?;
        let end_of_users = users.last().filter(|_| users.len() == PAGE).map(|user| user.user_id);
        let end = end_of_users.or(end_of_entries);
        if let Some(end) = end {
            entries.retain(|entry| entry.user_id <= end);
        }
        repair.compared += users.len();
        let difference = Difference::between(entries, users);
        if !difference.is_empty() {
            let mut session = platform.session().await?;
            let transaction = session.transaction().await?;
            if !store::lock_tenant(&transaction, tenant_id, database).await? {
                // The tenant has no databases any more, and no rows; or it has others.
                break;
            }
            store::apply(&transaction, tenant_id, &difference).await?;
            transaction.commit().await?;
            session.give_back();
            repair.repaired += difference.len();
        }
        let Some(end) = end else { break };
        after = end;
    }
    repair.is_finished = true;
    Ok(())
}
