//! SQL of copies, in the databases that are read.

use time::OffsetDateTime;
use tokio_postgres::{Client, CopyOutStream, Error};

use super::postgresql::Table;

/// Begins a transaction that sees one snapshot, and returns when and which. Values are written in the same way on every cluster.
pub(super) async fn begin_snapshot(client: &Client) -> Result<(OffsetDateTime, String), Error> {
    // The limits of the session are for short statements. Between two tables, the session waits for an upload.
    client
        .batch_execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SET LOCAL statement_timeout = '15min';
             SET LOCAL idle_in_transaction_session_timeout = '3min';
             SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres';
             SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'",
        )
        .await?;
    let row = client.query_one("SELECT clock_timestamp(), pg_current_snapshot()::text", &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The tables, without those of extensions, and the markers of changes, which belong to the platform and not to the tenant.
pub(super) async fn list_tables(client: &Client) -> Result<Vec<Table>, Error> {
    let rows = client
        .query(
            "SELECT c.relname::text,
                 ARRAY(SELECT a.attname::text FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                       ORDER BY a.attnum),
                 ARRAY(SELECT DISTINCT r.relname::text FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid
                       WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid)
             FROM pg_class c
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                 AND c.relname <> 'changes'
                 AND NOT EXISTS (SELECT FROM pg_depend d
                                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
             ORDER BY c.relname",
            &[],
        )
        .await?;
    let table = |row: &tokio_postgres::Row| {
        Ok(Table { name: row.try_get(0)?, columns: row.try_get(1)?, references: row.try_get(2)? })
    };
    rows.iter().map(table).collect()
}

/// The rows of a table in the text format.
pub(super) async fn copy_out(client: &Client, table: &Table) -> Result<CopyOutStream, Error> {
    let (name, columns) = (table.quoted_name(), table.quoted_columns());
    client.copy_out(&format!("COPY (SELECT {columns} FROM {name}) TO STDOUT")).await
}
