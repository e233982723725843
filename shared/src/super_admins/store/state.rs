//! The current state of a super-admin, for authorization.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    types::{SuperAdminId, SuperAdminRole},
};

/// The key by which a token refers to a super-admin.
#[derive(Debug, Clone, Copy)]
pub enum SuperAdminKey<'a> {
    /// In a token of this platform.
    Id(SuperAdminId),
    /// In a token of the identity provider.
    Subject(&'a str),
}

impl SuperAdminKey<'_> {
    fn column(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Subject(_) => "subject",
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Id(id) => id,
            Self::Subject(subject) => subject,
        }
    }
}

#[derive(Debug, Clone)]
pub struct SuperAdminState {
    pub id: SuperAdminId,
    pub email: String,
    pub role: SuperAdminRole,
    pub is_disabled: bool,
    pub must_change_password: bool,
    /// Sessions of another epoch have ended.
    pub session_epoch: i32,
    /// Tokens of the identity provider from before have ended.
    pub sessions_ended_at: Option<OffsetDateTime>,
}

sql::columns! {
    StateColumns -> SuperAdminState {
        id: "id",
        email: "email",
        role: "role",
        is_disabled: "disabled_at IS NOT NULL",
        must_change_password: "must_change_password",
        session_epoch: "session_epoch",
        sessions_ended_at: "sessions_ended_at",
    }
}

/// The columns in a query that calls the table `super_admin`.
const COLUMNS: &str = sql::qualified!("super_admin", StateColumns);

/// The state of a super-admin; `None` if no such super-admin exists.
pub async fn find_state(client: &impl GenericClient, key: SuperAdminKey<'_>) -> Result<Option<SuperAdminState>> {
    let column = key.column();
    let statement =
        client.prepare_cached(&format!("SELECT {COLUMNS} FROM super_admins super_admin WHERE {column} = $1")).await?;
    let row = client.query_opt(&statement, &[key.value()]).await?;
    row.map(|row| StateColumns::read(&row)).transpose()
}

/// The result of a query for one row, and the state of the super-admin who reads it.
#[derive(Debug)]
pub struct WithSuperAdminState<T> {
    /// `None` if no such super-admin exists.
    pub state: Option<SuperAdminState>,
    /// The row, or the error that it does not exist.
    pub found: Result<T>,
}

/// Reads one row and the state of a super-admin in one statement. A second statement would make a request that reads one
/// row about 50 % slower.
///
/// `query` selects the row by its id, `$1`, and returns the id as its first column. If it finds nothing, `found` is `missing`.
pub async fn find_with_super_admin_state<T>(
    client: &impl GenericClient,
    key: SuperAdminKey<'_>,
    query: &str,
    id: Uuid,
    missing: Error,
    read_found: impl FnOnce(&Row) -> Result<T>,
) -> Result<WithSuperAdminState<T>> {
    let column = key.column();
    let statement = client
        .prepare_cached(&format!(
            "SELECT found.*, {COLUMNS}
             FROM super_admins super_admin LEFT JOIN ({query}) found ON true
             WHERE super_admin.{column} = $2"
        ))
        .await?;
    if let Some(row) = client.query_opt(&statement, &[&id, key.value()]).await? {
        let is_found = row.try_get::<_, Option<Uuid>>(0)?.is_some();
        return Ok(WithSuperAdminState {
            state: StateColumns::read_optional_at(&row, row.len() - StateColumns::COUNT)?,
            found: if is_found { read_found(&row) } else { Err(missing) },
        });
    }
    // A super-admin of the identity provider may read without a row in `super_admins`.
    let row = client.query_opt(&client.prepare_cached(query).await?, &[&id]).await?;
    Ok(WithSuperAdminState { state: None, found: row.map_or(Err(missing), |row| read_found(&row)) })
}
