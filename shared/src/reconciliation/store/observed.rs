//! SQL on the clusters of tenants' databases.

use deadpool_postgres::GenericClient;

use crate::error::Result;

/// A page of the databases whose names begin with `prefix`, in the order of their names, with their comments.
pub(in crate::reconciliation) async fn list_databases(
    client: &impl GenericClient,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Option<String>)>> {
    let statement = client
        .prepare_cached(
            r#"SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database
             WHERE starts_with(datname::text, $1) AND datname::text COLLATE "C" > $2
             ORDER BY datname::text COLLATE "C" LIMIT $3"#,
        )
        .await?;
    let rows = client.query(&statement, &[&prefix, &after, &limit]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
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
