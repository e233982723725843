//! Creating a user in a tenant's own database ([`tenant_changes`]). A request that was cut off is finished when it is repeated
//! with the same idempotency key.

use serde_json::json;

use crate::{
    audit::{AuditAction, AuditEntry},
    clients::{
        postgres::{Connection, Postgres},
        tenant_databases::TenantDatabases,
    },
    error::{Error, Result},
    idempotency::{RequestIdentity, store::StoredResponse},
    passwords,
    tenant_changes::{self, ChangeResult, NewChange, Outcome},
    tenants::{self, store::TenantLocation},
    types::{EmailAddress, FaultCode, InvalidValue, NewPassword, TenantId, UserId},
    users::{
        Authority, FullName, PlatformAction, User, UserEvent, UserRole, rules,
        store::{self, NewUser},
    },
};

const ACTION: AuditAction = AuditAction::UserCreate;

/// A request to create a user.
#[derive(Debug)]
pub struct CreateUser<'a> {
    pub authority: Authority<'a>,
    pub tenant_id: TenantId,
    pub email: &'a EmailAddress,
    pub full_name: &'a FullName,
    pub role: UserRole,
    pub password: &'a NewPassword,
    /// `None` for a request without an idempotency key.
    pub request: Option<RequestIdentity>,
}

impl CreateUser<'_> {
    fn actions(&self) -> Vec<PlatformAction> {
        PlatformAction::of(None, self.role, true)
    }

    /// Refuses an admin by anyone but an owner with a reason.
    pub async fn check_authority(&self, platform: &Postgres) -> Result<()> {
        let details = json!({ "email": self.email.as_str(), "role": self.role });
        self.authority.check(platform, (self.tenant_id, ACTION), &self.actions(), details).await
    }

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

    fn new_user<'a>(&'a self, id: UserId, prepared: &'a PreparedUser) -> NewUser<'a> {
        NewUser {
            id,
            email: self.email,
            full_name: self.full_name,
            role: self.role,
            password_hash: &prepared.password_hash,
        }
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

/// Creates the user if the tenant has a free seat. Returns the response, which `respond` builds, and which is stored with the
/// outcome if the request is idempotent.
pub async fn create(
    platform: &mut Connection,
    databases: &TenantDatabases,
    command: &CreateUser<'_>,
    prepared: &PreparedUser,
    respond: impl FnOnce(&User) -> Result<StoredResponse>,
) -> Result<StoredResponse> {
    if let Some(response) = finish_earlier(platform, databases, command, prepared).await? {
        return Ok(response);
    }
    let id = UserId::generate();
    let mut details = json!({
        "user_id": id,
        "after": { "email": command.email.as_str(), "full_name": command.full_name.as_str(), "role": command.role },
    });
    command.authority.add_to(&mut details);
    let entry = AuditEntry::done(command.authority.actor, ACTION, command.tenant_id, details.clone());
    let new = NewChange { request: command.request.as_ref(), ..NewChange::new(command.tenant_id, entry) };
    let change = tenant_changes::begin(platform, &new).await?;
    let insert = async {
        let (cluster, database) = prepared.location.require_active()?;
        let mut connection = databases.get(cluster, database).await?;
        let transaction = connection.transaction().await?;
        store::lock(&transaction).await?;
        rules::require_seat(&transaction, prepared.location.limits.max_agents).await?;
        let user = store::insert(&transaction, &command.new_user(id, prepared)).await?;
        let actions = command.actions();
        if !actions.is_empty() {
            let (super_admin, reason) = (command.authority.super_admin(), command.authority.require()?);
            store::platform_actions::insert(&transaction, user.id, &actions, super_admin, reason).await?;
        }
        let response = respond(&user)?;
        let result = ChangeResult {
            details,
            events: vec![UserEvent::Created.of(command.tenant_id, &user)?],
            deactivated_user: None,
            response: command.request.is_some().then(|| response.clone()),
        };
        change.commit(transaction, &result).await?;
        Ok((response, result))
    };
    match databases.within(insert).await {
        Ok((response, result)) => {
            change.complete(platform, result).await?;
            Ok(response)
        }
        Err(error) => {
            change.fail(platform, &error, None).await;
            Err(error)
        }
    }
}

/// Settles an earlier attempt of the same idempotent request that was cut off. Returns its response if it created the user.
async fn finish_earlier(
    platform: &mut Connection,
    databases: &TenantDatabases,
    command: &CreateUser<'_>,
    prepared: &PreparedUser,
) -> Result<Option<StoredResponse>> {
    let Some(request) = &command.request else { return Ok(None) };
    let (tenant_id, actor) = (command.tenant_id, command.authority.actor.id);
    let Some(open) = tenant_changes::store::find_of_request(platform, tenant_id, actor, request).await? else {
        return Ok(None);
    };
    let outcome = tenant_changes::settle_at(platform, databases, &prepared.location, &open).await?;
    Ok(match outcome {
        Outcome::Made(result) => result.response,
        Outcome::NotMade { .. } => None,
    })
}
