//! SQL of the table `idempotency_keys`. A response is stored in the transaction of the work that it reports.

use deadpool_postgres::{GenericClient, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::Result,
    sql::{self, Columns},
};

/// Identifies a request with an idempotency key.
#[derive(Debug, Clone, Copy)]
pub struct RequestKey<'a> {
    /// The caller.
    pub admin_id: &'a str,
    /// Method and path.
    pub route: &'a str,
    /// The value of `Idempotency-Key`.
    pub key: &'a str,
}

/// A response. Serialized, it does not contain the fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// Keyed digest of the request body.
    #[serde(skip)]
    pub fingerprint: Vec<u8>,
    pub status_code: i16,
    /// Headers, as an object of strings.
    pub headers: Value,
    pub body: String,
}

sql::columns! {
    ResponseColumns -> StoredResponse {
        fingerprint: "fingerprint",
        status_code: "status_code",
        headers: "headers",
        body: "body",
    }
}

/// The number of a key's advisory lock.
const LOCK: &str = "hashtextextended($1 || ' ' || $2 || ' ' || $3, 0)";

/// The stored response of a request in the last 24 hours.
pub async fn find(client: &impl GenericClient, request: RequestKey<'_>) -> Result<Option<StoredResponse>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ResponseColumns::LIST,
            " FROM idempotency_keys
             WHERE admin_id = $1 AND route = $2 AND key = $3 AND created_at > now() - interval '24 hours'"
        ))
        .await?;
    let row = client.query_opt(&statement, &[&request.admin_id, &request.route, &request.key]).await?;
    row.map(|row| ResponseColumns::read(&row)).transpose()
}

/// Locks the key until the transaction ends. Returns `false` if another session or transaction holds the lock.
pub async fn try_claim(transaction: &Transaction<'_>, request: RequestKey<'_>) -> Result<bool> {
    let statement = transaction.prepare_cached(sql::text!("SELECT pg_try_advisory_xact_lock(", LOCK, ")")).await?;
    Ok(transaction.query_one(&statement, &[&request.admin_id, &request.route, &request.key]).await?.try_get(0)?)
}

/// Locks the key until [`release`] or the end of the session. Returns `false` if another session or transaction holds the
/// lock.
pub async fn try_hold(client: &impl GenericClient, request: RequestKey<'_>) -> Result<bool> {
    let statement = client.prepare_cached(sql::text!("SELECT pg_try_advisory_lock(", LOCK, ")")).await?;
    Ok(client.query_one(&statement, &[&request.admin_id, &request.route, &request.key]).await?.try_get(0)?)
}

/// Releases a lock that the session holds.
pub async fn release(client: &impl GenericClient, request: RequestKey<'_>) -> Result<()> {
    let statement = client.prepare_cached(sql::text!("SELECT pg_advisory_unlock(", LOCK, ")")).await?;
    client.query_one(&statement, &[&request.admin_id, &request.route, &request.key]).await?;
    Ok(())
}

/// Stores a response. Replaces a response to the same key that is older than 24 hours, and deletes some other expired
/// responses.
pub async fn insert(transaction: &Transaction<'_>, request: RequestKey<'_>, response: &StoredResponse) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "WITH expired AS (
                 DELETE FROM idempotency_keys
                 WHERE ctid IN (
                     SELECT ctid FROM idempotency_keys WHERE created_at <= now() - interval '24 hours'
                     ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED
                 )
                 AND (admin_id, route, key) <> ($1, $2, $3)
             )
             INSERT INTO idempotency_keys (admin_id, route, key, fingerprint, status_code, headers, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (admin_id, route, key) DO UPDATE
             SET fingerprint = $4, status_code = $5, headers = $6, body = $7, created_at = now()",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &request.admin_id,
                &request.route,
                &request.key,
                &response.fingerprint,
                &response.status_code,
                &response.headers,
                &response.body,
            ],
        )
        .await?;
    Ok(())
}

/// Deletes at most `limit` responses that are older than 24 hours. Returns their number.
pub async fn delete_expired(client: &impl GenericClient, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM idempotency_keys
             WHERE ctid IN (
                 SELECT ctid FROM idempotency_keys WHERE created_at <= now() - interval '24 hours'
                 ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[&limit]).await?)
}
