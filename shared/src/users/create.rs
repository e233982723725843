//! Creating a user in a tenant's own database.
//!
//! The intent is committed in the platform database, then the user in the tenant's, then the event and the outcome in the
//! platform's. A request that was cut off in between is finished when it is repeated with the same idempotency key.

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditEntry, AuditedChange},
    clients::{postgres::Connection, tenant_databases::TenantDatabases},
    error::{Error, Result},
    events, passwords,
    tenants::{self, store::TenantLocation},
    types::{Actor, EmailAddress, FaultCode, InvalidValue, NewPassword, TenantId, UserId},
    users::{
        FullName, User, UserEvent, UserRole, rules,
        store::{self, NewUser},
    },
};

const ACTION: &str = "user.create";

/// A request to create a user.
#[derive(Debug)]
pub struct CreateUser<'a> {
    pub actor: Actor<'a>,
    pub tenant_id: TenantId,
    pub email: &'a EmailAddress,
    pub full_name: &'a FullName,
    pub role: UserRole,
    pub password: &'a NewPassword,
    /// Identifies an idempotent request in the audit entry of its intent, so that a repetition finds it.
    pub request: Option<String>,
}

impl CreateUser<'_> {
    /// Refuses a password that can be guessed from the e-mail address or the name.
    pub fn check_password(&self) -> Result<()> {
        if self.password.is_guessable_from(&[self.email.as_str(), self.full_name.as_str()]) {
            return Err(Error::invalid_body(
                "/password",
                InvalidValue::new(FaultCode::WeakPassword, "is too easy to guess from the user's own name"),
            ));
        }
        Ok(())
    }
}

/// The part of a creation that needs no lock.
#[derive(Debug)]
pub struct PreparedUser {
    location: TenantLocation,
    /// Argon2id in the PHC string format.
    password_hash: String,
}

/// Checks that the tenant is active, and hashes the password. Hashing takes longer than everything else together, so the
/// connection returns to its pool before.
pub async fn prepare(platform: Connection, command: &CreateUser<'_>) -> Result<PreparedUser> {
    let location = tenants::store::find_location(&platform, command.tenant_id).await?;
    location.require_active()?;
    drop(platform);
    let password_hash = passwords::hash(command.password.expose()).await?;
    Ok(PreparedUser { location, password_hash })
}

/// Creates the user if the tenant has a free seat. `complete` runs in the transaction that writes the event and the outcome,
/// before its commit; it stores the response of an idempotent request, and its result is returned with the user.
pub async fn create<R>(
    platform: &mut Connection,
    databases: &TenantDatabases,
    command: &CreateUser<'_>,
    prepared: &PreparedUser,
    complete: impl AsyncFnOnce(&Transaction<'_>, &User) -> Result<R>,
) -> Result<(User, R)> {
    let cut_off = match &command.request {
        Some(request) => {
            audit::store::find_unfinished_intent(platform, command.actor.id, ACTION, command.tenant_id, request).await?
        }
        None => None,
    };
    let id = cut_off.as_ref().and_then(|(_, details)| details["user_id"].as_str()?.parse().ok());
    let id = id.unwrap_or_else(UserId::generate);
    let mut details = json!({
        "user_id": id,
        "after": { "email": command.email.as_str(), "full_name": command.full_name.as_str(), "role": command.role },
    });
    if let Some(request) = &command.request {
        details["request"] = json!(request);
    }
    let entry = AuditEntry::done(command.actor, ACTION, command.tenant_id, details.clone());
    let change = match cut_off {
        Some((intent_id, _)) => AuditedChange::resume(entry, intent_id),
        None => AuditedChange::begin(platform, entry).await?,
    };
    let user = match databases.within(insert(databases, command, prepared, id, &change)).await {
        Ok(user) => user,
        Err(error) => {
            change.fail(platform, &error).await;
            return Err(error);
        }
    };
    let transaction = platform.transaction().await?;
    // The lock orders the event among those of the tenant.
    tenants::store::find_for_update(&transaction, command.tenant_id).await?;
    events::store::enqueue_event(&transaction, &UserEvent::Created.of(command.tenant_id, &user)).await?;
    change.complete(&transaction, details).await?;
    let completed = complete(&transaction, &user).await?;
    transaction.commit().await?;
    Ok((user, completed))
}

async fn insert(
    databases: &TenantDatabases,
    command: &CreateUser<'_>,
    prepared: &PreparedUser,
    id: UserId,
    change: &AuditedChange<'_>,
) -> Result<User> {
    let (cluster, database) = prepared.location.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    store::lock(&transaction).await?;
    match store::find(&transaction, id).await {
        // An earlier attempt of this request committed the user, and was cut off before the outcome.
        Ok(user) => return Ok(user),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    rules::require_seat(&transaction, prepared.location.limits.max_agents).await?;
    let new = NewUser {
        id,
        email: command.email,
        full_name: command.full_name,
        role: command.role,
        password_hash: &prepared.password_hash,
    };
    let user = store::insert(&transaction, &new).await?;
    change.commit(transaction).await?;
    Ok(user)
}
