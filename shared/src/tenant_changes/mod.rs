//! Changes in tenants' own databases that have consequences in the platform database: events, the row of a user in the user
//! directory, ends of impersonations, the outcome in the audit log, the stored response of an idempotent request.
//!
//! Two databases cannot commit together. Therefore a change has three commits:
//!
//! 1. the platform database: the intent in the audit log and an **open change** ([`begin()`]);
//! 2. the tenant's database: the change and a **marker** with the same id, which contains the consequences
//!    ([`Change::commit`]);
//! 3. the platform database: the consequences, and the deletion of the open change ([`Change::complete`]).
//!
//! A request that dies, freezes or loses a connection in between leaves the change open. The relay, or a repetition of the
//! request, then settles it ([`settle()`]). It inserts a **void marker** with the id of the change into the tenant's database:
//!
//! - If the insertion succeeds, the change was not made, and it never will be: its transaction inserts the same primary key,
//!   fails, and rolls back. The outcome is `failed`.
//! - If the id is taken, the change was made, and its marker contains the consequences. An insertion by a transaction that has
//!   not ended makes PostgreSQL wait for its end, so the answer is final.
//!
//! Only the transaction that deletes the open change writes the consequences, so they are written exactly once,
//! even if several processes settle the same change.
//!
//! The end of an impersonation is decided in the platform database. It is an open change too, until it is recorded in the
//! tenant's database ([`ImpersonationEnd`]).
//!
//! The events about a user keep the order of the user's revisions: before the consequences of a change are written, those of the
//! user's earlier changes are, if their requests have left them open.
//!
//! An **erasure** of a user's personal data ([`ErasedUser`]) reaches the platform database in its third commit. Before that,
//! all other open changes of the user are settled, so that none of them can write these data again later.
//!
//! A later change in the same database deletes markers that are older than a day, unless their change is still open. That is
//! safe because a transaction that is older than an hour cannot insert its marker any more.

mod change;
mod outcome;
mod settle;
pub mod store;

pub use self::{
    change::{Change, NewChange, begin},
    outcome::{Consequences, Outcome},
    settle::{settle, settle_at, settle_of_user},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    events::EventType,
    idempotency::{RequestIdentity, store::StoredResponse},
    revocations::ImpersonationEnd,
    types::{Actor, ImpersonationId, TenantId, TraceId, UserId},
};

/// A change that is begun and not settled.
#[derive(Debug, Clone)]
pub struct OpenChange {
    /// Also the id of the marker.
    pub id: Uuid,
    pub tenant_id: TenantId,
    /// The action in the audit log.
    pub action: String,
    /// The audit entry of the intent.
    pub intent_id: Uuid,
    /// The details of that entry.
    pub details: Value,
    pub begun_at: OffsetDateTime,
    /// The impersonation that starts with the change.
    pub impersonation_id: Option<ImpersonationId>,
    /// The idempotent request whose response is stored with the outcome.
    pub request: Option<RequestIdentity>,
    /// The user whose personal data are erased.
    pub erased_user: Option<ErasedUser>,
    actor: ActorOfChange,
    /// That of the request.
    trace_id: TraceId,
}

/// An [`Actor`] that outlives its request.
#[derive(Debug, Clone)]
struct ActorOfChange {
    id: String,
    request_id: Option<String>,
    client_request_id: Option<String>,
    source_address: Option<String>,
}

impl OpenChange {
    fn actor(&self) -> Actor<'_> {
        Actor {
            id: &self.actor.id,
            request_id: self.actor.request_id.as_deref(),
            client_request_id: self.actor.client_request_id.as_deref(),
            source_address: self.actor.source_address.as_deref(),
        }
    }
}

/// A user whose personal data are erased, with what must be found in the platform database. Only the open change contains it, so
/// that it is gone when the change is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedUser {
    pub id: UserId,
    pub email: String,
    pub full_name: String,
}

/// What the relay settles.
#[derive(Debug, Clone)]
pub enum DueChange {
    Change(Box<OpenChange>),
    End(ImpersonationEnd),
}

impl DueChange {
    pub fn id(&self) -> Uuid {
        match self {
            Self::Change(change) => change.id,
            Self::End(end) => end.id,
        }
    }

    pub fn tenant_id(&self) -> TenantId {
        match self {
            Self::Change(change) => change.tenant_id,
            Self::End(end) => end.tenant_id,
        }
    }

    /// That of the request which left it open.
    pub fn trace_id(&self) -> TraceId {
        match self {
            Self::Change(change) => change.trace_id,
            Self::End(end) => end.trace_id,
        }
    }
}

/// The consequences of a change that was made. The marker contains them, so they must not contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeResult {
    /// The details of the outcome in the audit log.
    pub details: Value,
    /// In their order.
    pub events: Vec<ChangeEvent>,
    /// The user who was deactivated, and whose impersonations end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_user: Option<UserId>,
    /// The response to the idempotent request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<StoredResponse>,
}

impl ChangeResult {
    /// The user whom the change's events are about, and the user's revision after it. `None` if no event is about a user.
    fn user_revision(&self) -> Option<(UserId, i64)> {
        self.events.iter().find_map(|event| {
            let revision = event.data.get("revision")?.as_i64()?;
            let id = event.data.get("user")?.get("id")?;
            Some((serde_json::from_value(id.clone()).ok()?, revision))
        })
    }
}

/// An event about the tenant of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// The `type` of the event.
    #[serde(rename = "type")]
    pub kind: String,
    pub data: Value,
}

impl ChangeEvent {
    pub fn new(kind: EventType, data: impl Serialize) -> Result<Self> {
        let data = serde_json::to_value(data).map_err(Error::internal)?;
        Ok(Self { kind: kind.as_str().to_owned(), data })
    }
}
