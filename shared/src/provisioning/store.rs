//! SQL of provisioning on the tenants' PostgreSQL clusters.

use bytes::Bytes;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, CopyInSink, Error};

use crate::{
    exports::TableCopy,
    tenants::{TENANT_TEMPLATE_PREFIX, store::PendingAdmin},
};

/// Name of the first user until they change it, because the request for a tenant contains none.
pub(super) const FULL_NAME: &str = "Administrator";

/// The newest schema version, up to a limit, whose template exists on a cluster.
pub(super) async fn find_newest_template(client: &Client, limit: i32) -> Result<Option<i32>, Error> {
    let pattern = format!("^{TENANT_TEMPLATE_PREFIX}([0-9]{{1,9}})$");
    client
        .query_one(
            "SELECT max(version)
             FROM (SELECT substring(datname FROM $1)::integer AS version FROM pg_database WHERE datistemplate) AS templates
             WHERE version <= $2",
            &[&pattern, &limit],
        )
        .await?
        .try_get(0)
}

/// The size of a database in bytes. `None` if it does not exist.
pub(super) async fn find_database_size(client: &Client, name: &str) -> Result<Option<i64>, Error> {
    let row = client.query_opt("SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1", &[&name]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// The number of rows in all tables of a tenant's database.
pub(super) async fn count_rows(client: &Client) -> Result<i64, Error> {
    let tables = client
        .query("SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", &[])
        .await?;
    let mut rows = 0;
    for table in &tables {
        let table: String = table.try_get(0)?;
        rows += client.query_one(&format!("SELECT count(*) FROM public.{table}"), &[]).await?.try_get::<_, i64>(0)?;
    }
    Ok(rows)
}

/// Removes all rows of tables, which may have foreign keys among them.
pub(super) async fn truncate(client: &Client, tables: &[TableCopy]) -> Result<(), Error> {
    let names: Vec<_> = tables.iter().map(|table| format!("public.{}", quoted(&table.name))).collect();
    if names.is_empty() { Ok(()) } else { client.batch_execute(&format!("TRUNCATE {}", names.join(", "))).await }
}

/// The number of rows of a table.
pub(super) async fn count_rows_of(client: &Client, table: &TableCopy) -> Result<u64, Error> {
    let row = client.query_one(&format!("SELECT count(*) FROM public.{}", quoted(&table.name)), &[]).await?;
    row.try_get::<_, i64>(0).map(|rows| u64::try_from(rows).unwrap_or(0))
}

/// Takes rows in the text format. They are in the table when the sink is finished.
pub(super) async fn copy_in(client: &Client, table: &TableCopy) -> Result<CopyInSink<Bytes>, Error> {
    let columns: Vec<_> = table.columns.iter().map(|column| quoted(column)).collect();
    client.copy_in(&format!("COPY public.{} ({}) FROM STDIN", quoted(&table.name), columns.join(", "))).await
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Those of the databases that exist on a cluster, and those whose comment begins with `comment`.
pub(super) async fn find_databases(client: &Client, names: &[String], comment: &str) -> Result<Vec<String>, Error> {
    let rows = client
        .query(
            "SELECT datname::text FROM pg_database
             WHERE datname = ANY($1) OR starts_with(shobj_description(oid, 'pg_database'), $2)",
            &[&names, &comment],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Inserts the tenant's first user, unless the user exists. The password is temporary, because the request contained it. The id was chosen in advance, so a late second attempt finds the user
/// even if their e-mail address was changed.
pub(super) async fn insert_admin(client: &Client, admin: &PendingAdmin) -> Result<(), Error> {
    client
        .execute(
            "INSERT INTO users (id, email, full_name, role, password_hash, must_change_password)
             VALUES ($1, $2, $3, 'admin', $4, true)
             ON CONFLICT (id) DO NOTHING",
            &[&admin.user_id, &admin.email, &FULL_NAME, &admin.password_hash.expose_secret()],
        )
        .await?;
    Ok(())
}
