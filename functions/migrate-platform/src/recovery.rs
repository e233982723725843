//! The event that lets an owner in again: `{"recover_owner": {"email": "…", "reason": "…"}}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    clients::postgres::Postgres,
    error::{Error, Result},
    events::dispatch::Dispatcher,
    super_admins::{RecoverOwner, recover_owner},
    types::{EmailAddress, InvalidValue, Reason, SuperAdminId},
};

use crate::App;

const NAME: &str = "recover_owner";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryEvent {
    email: String,
    reason: String,
}

/// The result of a recovery. It has no `Debug`, because it contains a password.
#[derive(Serialize)]
pub struct Recovery {
    pub admin_id: SuperAdminId,
    pub email: String,
    /// Whether the super-admin is new.
    pub created: bool,
    /// To be replaced after signing in. It is in this response only.
    pub temporary_password: String,
}

/// The recovery in an event. An event without one is of another kind.
pub(crate) fn in_event(event: &Value) -> Option<&Value> {
    event.get(NAME)
}

pub(crate) async fn run(app: &App, recovery: &Value) -> Result<Recovery> {
    let malformed = |error: String| Error::Malformed(format!("{NAME}: {error}"));
    let event = RecoveryEvent::deserialize(recovery).map_err(|error| malformed(error.to_string()))?;
    let invalid = |field: &str, error: InvalidValue| malformed(format!("{field} {error}"));
    let email = EmailAddress::parse(&event.email).map_err(|error| invalid("email", error))?;
    let reason = Reason::parse(&event.reason).map_err(|error| invalid("reason", error))?;
    let mut connection = Postgres::connect(&app.platform).map_err(Error::internal)?.get().await?;
    let recovered = recover_owner(&mut connection, &RecoverOwner { email: &email, reason: &reason }).await?;
    // The account's impersonations end as soon as the relay has written the denials.
    Dispatcher::new(app.queues.clone()).poke_relay().await;
    tracing::warn!(admin.id = %recovered.super_admin.id, created = recovered.is_new, "an owner was recovered");
    Ok(Recovery {
        admin_id: recovered.super_admin.id,
        email: recovered.super_admin.email,
        created: recovered.is_new,
        temporary_password: recovered.temporary_password.expose().to_owned(),
    })
}
