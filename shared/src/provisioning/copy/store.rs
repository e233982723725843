//! SQL of copies, in the databases that are read.

use time::OffsetDateTime;
use tokio_postgres::{Client, CopyOutStream, Error};

use super::postgresql::Table;

/// A snapshot, and the version of the schema that is seen in it.
pub(super) struct Begun {
    pub(super) taken_at: OffsetDateTime,
    pub(super) name: String,
    pub(super) schema_version: i32,
}

/// Begins a transaction that sees one snapshot. Values are written in the same way on every cluster.
pub(super) async fn begin_snapshot(client: &Client) -> Result<Begun, Error> {
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
    // A migration may run at any time, and the platform database knows of it later.
    let row = client
        .query_one(
            "SELECT clock_timestamp(), pg_current_snapshot()::text, max(version) FROM public.refinery_schema_history",
            &[],
        )
        .await?;
    Ok(Begun { taken_at: row.try_get(0)?, name: row.try_get(1)?, schema_version: row.try_get(2)? })
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
