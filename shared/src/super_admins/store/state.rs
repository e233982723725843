//! What an operator may do now.

use deadpool_postgres::GenericClient;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::super_admins::store::sign_in::read_role;
use crate::{
    error::{Error, Result},
    types::{SuperAdminId, SuperAdminRole},
};

/// By what a token names an operator.
#[derive(Debug, Clone, Copy)]
pub enum SuperAdminKey<'a> {
    /// One of our own tokens.
    Id(SuperAdminId),
    /// A token of the identity provider.
    Subject(&'a str),
}

impl SuperAdminKey<'_> {
    /// The column that holds it.
    fn column(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Subject(_) => "subject",
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Id(id) => &id.0,
            Self::Subject(subject) => subject,
        }
    }
}

/// What an operator is at this moment.
#[derive(Debug, Clone)]
pub struct SuperAdminState {
    /// Who.
    pub id: SuperAdminId,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: SuperAdminRole,
    /// Whether they may do nothing any more.
    pub is_disabled: bool,
    /// The epoch of the sessions that have not ended.
    pub session_epoch: i32,
}

const COLUMNS: &str =
    "operator.id, operator.email, operator.role, operator.disabled_at IS NOT NULL, operator.session_epoch";
/// How many they are.
const COLUMN_COUNT: usize = 5;

/// What an operator is at this moment; `None` where there is no such operator.
pub async fn find_state(client: &impl GenericClient, name: SuperAdminKey<'_>) -> Result<Option<SuperAdminState>> {
    let column = name.column();
    let statement =
        client.prepare_cached(&format!("SELECT {COLUMNS} FROM super_admins operator WHERE {column} = $1")).await?;
    let row = client.query_opt(&statement, &[name.value()]).await?;
    row.map_or(Ok(None), |row| read(&row, 0))
}

/// One row, and what the operator who asks for it is at this moment.
#[derive(Debug)]
pub struct WithSuperAdminState<T> {
    /// The operator; `None` where there is no such operator.
    pub standing: Option<SuperAdminState>,
    /// The row, or that it is not there.
    pub found: Result<T>,
}

/// The one row of `query`, whose `$1` is its id and whose first column too, or `missing`; and in the same statement what
/// the operator is: a statement of its own would cost a request that reads one row half as much time again.
pub async fn find_with_super_admin_state<T>(
    client: &impl GenericClient,
    name: SuperAdminKey<'_>,
    query: &str,
    id: Uuid,
    missing: Error,
    read_found: impl FnOnce(&Row) -> Result<T>,
) -> Result<WithSuperAdminState<T>> {
    let column = name.column();
    let statement = client
        .prepare_cached(&format!(
            "SELECT found.*, {COLUMNS}
             FROM super_admins operator LEFT JOIN ({query}) found ON true
             WHERE operator.{column} = $2"
        ))
        .await?;
    if let Some(row) = client.query_opt(&statement, &[&id, name.value()]).await? {
        let is_found = row.try_get::<_, Option<Uuid>>(0)?.is_some();
        return Ok(WithSuperAdminState {
            standing: read(&row, row.len() - COLUMN_COUNT)?,
            found: if is_found { read_found(&row) } else { Err(missing) },
        });
    }
    // Nobody has said here what the operator is; whom the identity provider vouches for may read all the same.
    let row = client.query_opt(&client.prepare_cached(query).await?, &[&id]).await?;
    Ok(WithSuperAdminState { standing: None, found: row.map_or(Err(missing), |row| read_found(&row)) })
}

/// Reads the operator whose columns begin at `first`.
fn read(row: &Row, first: usize) -> Result<Option<SuperAdminState>> {
    let Some(id) = row.try_get(first)? else { return Ok(None) };
    Ok(Some(SuperAdminState {
        id: SuperAdminId(id),
        email: row.try_get(first + 1)?,
        role: read_role(row.try_get(first + 2)?)?,
        is_disabled: row.try_get(first + 3)?,
        session_epoch: row.try_get(first + 4)?,
    }))
}
