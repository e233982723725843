//! SQL on the clusters of tenants' databases.

use deadpool_postgres::GenericClient;

use crate::error::Result;

/// A database on a cluster.
#[derive(Debug, Clone)]
pub(in crate::reconciliation) struct ObservedDatabase {
    pub(in crate::reconciliation) name: String,
    pub(in crate::reconciliation) comment: Option<String>,
    /// Whether the platform's services may connect to it.
    pub(in crate::reconciliation) is_accessible: bool,
}

/// A page of the databases whose names begin with `prefix`, in the order of their names.
pub(in crate::reconciliation) async fn list_databases(
    client: &impl GenericClient,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<ObservedDatabase>> {
    let statement = client
        .prepare_cached(
            r#"SELECT datname::text, shobj_description(oid, 'pg_database'),
                    has_database_privilege('landlord_service', oid, 'CONNECT')
             FROM pg_database
             WHERE starts_with(datname::text, $1) AND datname::text COLLATE "C" > $2
             ORDER BY datname::text COLLATE "C" LIMIT $3"#,
        )
        .await?;
    let rows = client.query(&statement, &[&prefix, &after, &limit]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(ObservedDatabase { name: row.try_get(0)?, comment: row.try_get(1)?, is_accessible: row.try_get(2)? })
    };
    rows.iter().map(read).collect()
}

/// Those of the databases that do not exist.
pub(in crate::reconciliation) async fn select_missing_databases(
    client: &impl GenericClient,
    names: &[String],
) -> Result<Vec<String>> {
    let statement = client
        .prepare_cached("SELECT n FROM unnest($1::text[]) AS n WHERE n NOT IN (SELECT datname::text FROM pg_database)")
        .await?;
    client.query(&statement, &[&names]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
