//! The audit entry of a read of users, whose data are personal.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::{Postgres, Session},
    error::{Error, Result},
    types::{Actor, TenantId, UserId},
    users::UserFilter,
};

/// How long a response waits for its entry.
const TIME_LIMIT: Duration = Duration::from_millis(500);

/// A read of users of a tenant.
#[derive(Debug)]
pub struct UsersRead<'a> {
    pub actor: Actor<'a>,
    pub tenant_id: TenantId,
    pub scope: ReadScope<'a>,
}

/// Which users were read.
#[derive(Debug)]
pub enum ReadScope<'a> {
    /// A page of a list.
    Page { filter: &'a UserFilter, rows: usize },
    /// One user by id.
    One(UserId),
}

impl ReadScope<'_> {
    fn action(&self) -> AuditAction {
        match self {
            Self::Page { .. } => AuditAction::UserList,
            Self::One(_) => AuditAction::UserRead,
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Page { filter, rows } => json!({ "rows": rows, "filter": shown(filter) }),
            Self::One(id) => json!({ "user_id": id }),
        }
    }
}

/// Writes the entry, after the users were read and before the response is sent.
///
/// Where that fails or takes too long, the response is sent nevertheless: reading is what support needs while something is broken,
/// and an entry guards nothing that was not authorized before. The log then contains the entry, so that the read is on record.
///
/// The entry states whether the list was searched but not for what, because that is usually a name or an e-mail address, and
/// the audit log keeps everything.
pub async fn record_read(platform: &Postgres, read: &UsersRead<'_>) {
    record(platform, &AuditEntry::done(read.actor, read.scope.action(), read.tenant_id, read.scope.details())).await;
}

/// As [`record_read`], with an entry of another read of users.
pub async fn record(platform: &Postgres, entry: &AuditEntry<'_>) {
    let error = match timeout(TIME_LIMIT, insert(platform, entry)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.chain(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::error!(
        error,
        audit.actor = entry.actor.id,
        audit.action = entry.action,
        audit.details = %entry.details,
        tenant.id = entry.tenant_id.map(tracing::field::display),
        "a read of users could not be recorded in the audit log"
    );
}

async fn insert(platform: &Postgres, entry: &AuditEntry<'_>) -> Result<(), Error> {
    // If the time is over, the session ends with this future. In its pool it would delay another request.
    let session = Session::of(platform.get().await?);
    audit::store::insert(&*session, entry).await?;
    session.give_back();
    Ok(())
}

fn shown(filter: &UserFilter) -> Value {
    let fields = [
        ("search", filter.search.as_ref().map(|_| json!(true))),
        ("role", filter.role.as_ref().map(|roles| json!(roles.as_slice()))),
        ("status", filter.status.map(|status| json!(status))),
        ("is_online", filter.is_online.map(|is_online| json!(is_online))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}
