//! The users in a tenant's own database, as entries of the directory.
//!
//! Only the columns that the directory contains are read. The platform's services write users too: those with a role that the API does
//! not have are left out, because no response can show them, and longer texts than the API allows are cut, because an index limits
//! the length of its entries.

use tokio_postgres::Client;

use super::{EntryColumns, Fingerprint, FingerprintColumns};
use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    types::UserId,
    user_directory::DirectoryEntry,
};

const USERS: &str = " FROM (
    SELECT id AS user_id, left(email, 254) AS email, left(full_name, 120) AS full_name, role, status, revision, created_at, updated_at FROM users
    WHERE role IN ('admin', 'supervisor', 'agent')) AS users ";

/// The fingerprint of all users.
pub async fn fingerprint(client: &Client) -> Result<Fingerprint> {
    let query = sql::text!("SELECT ", FingerprintColumns::LIST, USERS);
    FingerprintColumns::read(&client.query_one(query, &[]).await?)
}

/// The users after one and up to another, in the order of their ids.
pub async fn list_between(
    client: &Client,
    after: UserId,
    until: Option<UserId>,
    limit: usize,
) -> Result<Vec<DirectoryEntry>> {
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let query = sql::text!(
        "SELECT ",
        EntryColumns::LIST,
        USERS,
        "WHERE user_id > $1 AND ($2::uuid IS NULL OR user_id <= $2) ORDER BY user_id LIMIT $3"
    );
    client.query(query, &[&after, &until, &limit]).await?.iter().map(EntryColumns::read).collect()
}
