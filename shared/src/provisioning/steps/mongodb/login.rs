//! The login of the platform's services at the tenant's MongoDB database: a user in `admin` with the name of the database.
//!
//! # Fencing
//! MongoDB checks the privileges of each command, so taking the user's roles away cuts every connection off. Commands about users cannot
//! be part of a transaction, so a fence in a document cannot stop those of a late worker. The names of roles do: each grant creates a
//! role of its own in the tenant's database, whose name contains the fencing token.
//!
//! - A worker that revokes drops the roles with its own and smaller tokens only. However late it is, it cannot drop that of a later grant.
//! - A worker that grants creates its role, *then* checks its lease, and *then* gives the role to the user. A worker that revokes later has
//!   taken its lease after that check, so that it finds the role and drops it, and the late command fails, because no such role exists.
//!
//! Neither depends on a clock. A late command can create only a role that nobody has, or a user without a role; both go with the
//! tenant. After the tenant has gone, the late worker removes them. If it dies before, a reconciliation finds them.

use mongodb::{
    Client,
    bson::{Bson, Document, doc},
    error::Error as MongoError,
};
use secrecy::ExposeSecret;

use crate::{
    clients::mongo,
    operations::{StepName, store::breakers::StoreKind},
    provisioning::step::{ServiceAccess, Step, StepContext, StepError},
};

/// What precedes the token in the name of a role.
const ROLE_PREFIX: &str = "service_";

const USER_NOT_FOUND: i32 = 11;
const ROLE_NOT_FOUND: i32 = 31;
const COMMAND_NOT_FOUND: i32 = 59;
const ROLE_EXISTS: i32 = 51_002;
const USER_EXISTS: i32 = 51_003;

pub(in crate::provisioning) struct MongodbAccess(pub(in crate::provisioning) ServiceAccess);

impl Step for MongodbAccess {
    const NAME: StepName = StepName::MongodbAccess;
    const STORE: StoreKind = StoreKind::Mongodb;
    const FENCED: bool = true;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let client = super::client(context).await?;
        match self.0 {
            ServiceAccess::Granted => grant(client, context).await,
            ServiceAccess::Revoked => revoke(client, context).await,
        }
    }

    /// Does nothing: an operation that changes the access is never rolled back, only superseded.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Ensures the user, with the derived password and a role in the tenant's database.
pub(super) async fn grant(client: &Client, context: &StepContext<'_>) -> Result<(), StepError> {
    let (name, admin) = (context.database, client.database("admin"));
    let password = context.stores.service_logins.mongodb_password(name)?;
    let create = doc! { "createUser": name, "pwd": password.expose_secret(), "roles": [] };
    if !accepted(admin.run_command(create).await, &[USER_EXISTS])? {
        admin.run_command(doc! { "updateUser": name, "pwd": password.expose_secret() }).await?;
    }
    let role = format!("{ROLE_PREFIX}{}", context.lease.token);
    let inherited = doc! { "role": "readWrite", "db": name };
    let create = doc! { "createRole": &role, "privileges": [], "roles": [inherited] };
    accepted(client.database(name).run_command(create).await, &[ROLE_EXISTS])?;
    context.check_lease().await?;
    match admin.run_command(doc! { "grantRolesToUser": name, "roles": [{ "role": role, "db": name }] }).await {
        Ok(_) => {}
        Err(error) if code(&error) == Some(ROLE_NOT_FOUND) => {
            // A later worker has dropped it.
            context.check_lease().await?;
            return Err(StepError::transient("The role of the services' MongoDB login was dropped meanwhile"));
        }
        Err(error) => return Err(error.into()),
    }
    drop_roles(client, context, |token| token < context.lease.token).await
}

/// Takes the roles from the user, and ends the user's sessions with their cursors and running commands.
async fn revoke(client: &Client, context: &StepContext<'_>) -> Result<(), StepError> {
    drop_roles(client, context, |token| token <= context.lease.token).await?;
    revoke_other_roles(client, context).await?;
    let user = doc! { "user": context.database, "db": "admin" };
    // Amazon DocumentDB does not know this command. A tenant that was never active may have no user.
    let ended = client.database("admin").run_command(doc! { "killAllSessions": [user] }).await;
    accepted(ended, &[COMMAND_NOT_FOUND, USER_NOT_FOUND])?;
    Ok(())
}

/// Removes the user and the roles, for a database that is removed for good.
pub(super) async fn remove(client: &Client, context: &StepContext<'_>) -> Result<(), StepError> {
    let dropped = client.database("admin").run_command(doc! { "dropUser": context.database }).await;
    accepted(dropped, &[USER_NOT_FOUND])?;
    client.database(context.database).run_command(doc! { "dropAllRolesFromDatabase": 1 }).await?;
    Ok(())
}

/// Drops the roles of grants with some tokens.
async fn drop_roles(
    client: &Client,
    context: &StepContext<'_>,
    is_dropped: impl Fn(i64) -> bool,
) -> Result<(), StepError> {
    let database = client.database(context.database);
    let answer = database.run_command(doc! { "rolesInfo": 1 }).await?;
    let roles = answer.get_array("roles").map(Vec::as_slice).unwrap_or_default();
    for role in roles.iter().filter_map(|role| role.as_document()?.get_str("role").ok()) {
        let token = role.strip_prefix(ROLE_PREFIX).and_then(|token| token.parse().ok());
        if token.is_some_and(&is_dropped) {
            accepted(database.run_command(doc! { "dropRole": role }).await, &[ROLE_NOT_FOUND])?;
        }
    }
    Ok(())
}

/// Takes the roles that no grant of an operation has given to the user.
async fn revoke_other_roles(client: &Client, context: &StepContext<'_>) -> Result<(), StepError> {
    let (name, admin) = (context.database, client.database("admin"));
    let answer = admin.run_command(doc! { "usersInfo": { "user": name, "db": "admin" } }).await?;
    let users = answer.get_array("users").map(Vec::as_slice).unwrap_or_default();
    let roles = users.first().and_then(|user| user.as_document()?.get_array("roles").ok());
    let is_other = |role: &&Bson| {
        let field = |name| role.as_document().and_then(|role| role.get_str(name).ok()).unwrap_or_default();
        field("db") != name || !field("role").starts_with(ROLE_PREFIX)
    };
    let others: Vec<_> = roles.into_iter().flatten().filter(is_other).cloned().collect();
    if !others.is_empty() {
        admin.run_command(doc! { "revokeRolesFromUser": name, "roles": others }).await?;
    }
    Ok(())
}

/// Whether a command has succeeded. An answer with one of `codes` counts as `false`, and every other error as an error.
fn accepted(answer: Result<Document, MongoError>, codes: &[i32]) -> Result<bool, StepError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if code(&error).is_some_and(|code| codes.contains(&code)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn code(error: &MongoError) -> Option<i32> {
    mongo::answer(error).map(|(code, _)| code)
}
