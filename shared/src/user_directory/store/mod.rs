//! SQL of the user directory: the table `user_directory`, and the users of a tenant ([`tenant_users`]).

pub mod tenant_users;

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use tokio_postgres::types::ToSql;

use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    types::{TenantId, UserId},
    user_directory::{Difference, DirectoryEntry},
};

sql::columns! {
    EntryColumns -> DirectoryEntry {
        user_id: "user_id",
        email: "email",
        full_name: "full_name",
        role: "role",
        status: "status",
        revision: "revision",
        created_at: "created_at",
        updated_at: "updated_at",
    }
}

/// Depends on every entry of a tenant, but not on their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    entries: i64,
    /// The sum of a digest of each entry.
    digest: String,
}

sql::columns! {
    /// Of rows with the columns of [`EntryColumns`]. Servers of different versions compute the same: SHA-256, unlike the hash functions
    /// of PostgreSQL's indexes, is the same everywhere, and unlike MD5 it is also available where FIPS 140 applies.
    FingerprintColumns -> Fingerprint {
        entries: "count(*)",
        digest: "coalesce(sum(('x' || encode(substr(sha256(convert_to(concat_ws(E'\\n',
                     user_id, email, full_name, role, status, revision, (extract(epoch FROM created_at) * 1000000)::bigint,
                     (extract(epoch FROM updated_at) * 1000000)::bigint), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint), 0)::text",
    }
}

const INSERT: &str = sql::text!("INSERT INTO user_directory AS d (tenant_id, ", EntryColumns::LIST, ") ");

/// What an upsert does with an entry that exists.
const REPLACE_IF_NEWER: &str = "
    ON CONFLICT (tenant_id, user_id) DO UPDATE
    SET email = excluded.email, full_name = excluded.full_name, role = excluded.role, status = excluded.status,
        revision = excluded.revision, created_at = excluded.created_at, updated_at = excluded.updated_at
    WHERE d.revision < excluded.revision";

/// Writes a user as the data of an event about them show it, unless the directory contains a later revision. The caller has locked the
/// tenant.
///
/// Texts that a service of the platform made longer than the API allows are cut, as in [`tenant_users`]. Nothing is written for a
/// tenant that has no databases any more. Data without one of the fields are left to the next repair, so that
/// they do not keep their change from being settled.
pub async fn follow(transaction: &Transaction<'_>, tenant_id: TenantId, data: &Value) -> Result<()> {
    let statement = transaction
        .prepare_cached(sql::text!(
            INSERT,
            "SELECT t.id, u.id, left(u.email, 254), left(u.full_name, 120), u.role, u.status,
                    ($2::jsonb ->> 'revision')::bigint, u.created_at, u.updated_at
             FROM tenants t,
                  jsonb_to_record(CASE jsonb_typeof($2::jsonb -> 'user') WHEN 'object' THEN $2::jsonb -> 'user' END)
                      AS u (id uuid, email text, full_name text, role text, status text,
                            created_at timestamptz, updated_at timestamptz)
             WHERE t.id = $1 AND t.status IN ('active', 'suspended', 'deleting')
                 AND num_nulls(u.id, u.email, u.full_name, u.role, u.status, u.created_at, u.updated_at,
                               $2::jsonb -> 'revision') = 0",
            REPLACE_IF_NEWER
        ))
        .await?;
    transaction.execute(&statement, &[&tenant_id, data]).await?;
    Ok(())
}

/// Inserts the first user of a tenant, an `admin`, in the transaction that activates the tenant. The tenant's database may have given
/// them other times, which the first repair copies.
pub async fn insert_first(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    (user_id, email, full_name): (UserId, &str, &str),
) -> Result<()> {
    // Without a target of the conflict, the statement needs no right to read the table.
    let statement = transaction
        .prepare_cached(sql::text!(
            INSERT,
            "VALUES ($1, $2, $3, $4, 'admin', 'active', 1, now(), now()) ON CONFLICT DO NOTHING"
        ))
        .await?;
    transaction.execute(&statement, &[&tenant_id, &user_id, &email, &full_name]).await?;
    Ok(())
}

/// The fingerprint of a tenant's entries.
pub async fn fingerprint(client: &impl GenericClient, tenant_id: TenantId) -> Result<Fingerprint> {
    let statement = client
        .prepare_cached(sql::text!("SELECT ", FingerprintColumns::LIST, " FROM user_directory WHERE tenant_id = $1"))
        .await?;
    FingerprintColumns::read(&client.query_one(&statement, &[&tenant_id]).await?)
}

/// A tenant's entries after a user, in the order of their ids.
pub async fn list_after(
    client: &impl GenericClient,
    tenant_id: TenantId,
    after: UserId,
    limit: usize,
) -> Result<Vec<DirectoryEntry>> {
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            EntryColumns::LIST,
            " FROM user_directory WHERE tenant_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3"
        ))
        .await?;
    client.query(&statement, &[&tenant_id, &after, &limit]).await?.iter().map(EntryColumns::read).collect()
}

/// Keeps the status of a tenant until the transaction ends. `false` if the tenant has no databases any more, or others.
pub async fn lock_tenant(transaction: &Transaction<'_>, tenant_id: TenantId, database: &str) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "SELECT FROM tenants
             WHERE id = $1 AND database_name = $2 AND status IN ('active', 'suspended', 'deleting')
             FOR SHARE",
        )
        .await?;
    Ok(transaction.query_opt(&statement, &[&tenant_id, &database]).await?.is_some())
}

/// The fields of entries, each as an array.
struct EntryArrays<'a> {
    ids: Vec<UserId>,
    /// E-mail address, name, role, status.
    texts: [Vec<&'a str>; 4],
    revisions: Vec<i64>,
    times: [Vec<time::OffsetDateTime>; 2],
}

impl<'a> EntryArrays<'a> {
    fn of(entries: impl Iterator<Item = &'a DirectoryEntry> + Clone) -> Self {
        let texts: [fn(&DirectoryEntry) -> &str; 4] =
            [|entry| &entry.email, |entry| &entry.full_name, |entry| &entry.role, |entry| &entry.status];
        Self {
            ids: entries.clone().map(|entry| entry.user_id).collect(),
            texts: texts.map(|text| entries.clone().map(text).collect()),
            revisions: entries.clone().map(|entry| entry.revision).collect(),
            times: [
                entries.clone().map(|entry| entry.created_at).collect(),
                entries.map(|entry| entry.updated_at).collect(),
            ],
        }
    }

    /// The parameters from `$2`.
    fn after<'b>(&'b self, tenant_id: &'b TenantId) -> Vec<&'b (dyn ToSql + Sync)> {
        let [email, full_name, role, status] = &self.texts;
        let [created_at, updated_at] = &self.times;
        vec![tenant_id, &self.ids, email, full_name, role, status, &self.revisions, created_at, updated_at]
    }
}

const ENTRIES: &str = "unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[], $9::timestamptz[]";

/// Applies a difference to the entries of a tenant, except to those that have changed since it was found.
pub async fn apply(transaction: &Transaction<'_>, tenant_id: TenantId, difference: &Difference) -> Result<()> {
    if !difference.missing.is_empty() {
        let statement = transaction
            .prepare_cached(sql::text!(INSERT, "SELECT $1::uuid, * FROM ", ENTRIES, ")", REPLACE_IF_NEWER))
            .await?;
        let entries = EntryArrays::of(difference.missing.iter());
        transaction.execute(&statement, &entries.after(&tenant_id)).await?;
    }
    if !difference.outdated.is_empty() {
        let statement = transaction
            .prepare_cached(sql::text!(
                "UPDATE user_directory d
                 SET email = u.email, full_name = u.full_name, role = u.role, status = u.status, revision = u.revision,
                     created_at = u.created_at, updated_at = u.updated_at
                 FROM ",
                ENTRIES,
                ", $10::bigint[]) AS u (",
                EntryColumns::LIST,
                ", found)
                 WHERE d.tenant_id = $1 AND d.user_id = u.user_id AND (d.revision = u.found OR d.revision < u.revision)"
            ))
            .await?;
        let entries = EntryArrays::of(difference.outdated.iter().map(|(_, entry)| entry));
        let found: Vec<i64> = difference.outdated.iter().map(|(revision, _)| *revision).collect();
        let mut values = entries.after(&tenant_id);
        values.push(&found);
        transaction.execute(&statement, &values).await?;
    }
    if !difference.surplus.is_empty() {
        let statement = transaction
            .prepare_cached(
                "DELETE FROM user_directory d USING unnest($2::uuid[], $3::bigint[]) AS u (user_id, found)
                 WHERE d.tenant_id = $1 AND d.user_id = u.user_id AND d.revision = u.found",
            )
            .await?;
        let (ids, found): (Vec<UserId>, Vec<i64>) = difference.surplus.iter().copied().unzip();
        transaction.execute(&statement, &[&tenant_id, &ids, &found]).await?;
    }
    Ok(())
}
