//! The template database on each PostgreSQL cluster, from which tenants' databases are cloned.
//!
//! It is built under a draft name and renamed in one transaction, so a database with the final name is complete. A comment
//! on it records the migrations that it was built from.

use std::time::Duration;

use shared::{clients::postgres::connect_once, config::PostgresConfig, error::Result, tenants::tenant_template};
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::{roles, schema::TenantSchema};

/// Prefix of a draft's name. A UUIDv7 follows, which contains the time of its creation.
const DRAFT: &str = "landlord_template_draft_";

/// A draft older than this was left behind by a migration that died.
const ABANDONED: Duration = Duration::from_hours(1);

/// Creates the template unless one built from the same migrations exists. Returns whether it was created.
pub(crate) async fn ensure(config: &PostgresConfig, schema: &TenantSchema) -> Result<bool> {
    let client = connect_once(config, None).await?;
    roles::ensure(&client).await?;
    drop_abandoned(&client).await?;
    let name = tenant_template(schema.version);
    let fingerprint = schema.fingerprint();
    if fingerprint_of(&client, &name).await?.is_some_and(|found| found == fingerprint) {
        return Ok(false);
    }
    let draft = format!("{DRAFT}{}", Uuid::now_v7().simple());
    let created = create(config, &client, schema, &draft, &name).await;
    if !matches!(created, Ok(true)) {
        // If this fails, a later migration drops the draft.
        let _dropped = client.batch_execute(&format!("DROP DATABASE IF EXISTS {draft}")).await;
    }
    created
}

async fn create(
    config: &PostgresConfig,
    client: &Client,
    schema: &TenantSchema,
    draft: &str,
    name: &str,
) -> Result<bool> {
    let fingerprint = schema.fingerprint();
    client.batch_execute(&format!("CREATE DATABASE {draft} TEMPLATE template0 OWNER landlord_provisioner")).await?;
    let mut inside = connect_once(config, Some(draft)).await?;
    inside.batch_execute("SET ROLE landlord_provisioner").await?;
    schema.apply(&mut inside).await?;
    drop(inside);
    // Closing a connection takes a moment, and a database with connections cannot be renamed.
    let mut retries = 50;
    loop {
        match publish(client, draft, name, &fingerprint).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && retries > 0 => {
                retries -= 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // A concurrent migration of the same cluster created it first.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(true),
        }
    }
}

/// Renames the draft. Drops a template of that name which was built from other migrations.
async fn publish(client: &Client, draft: &str, name: &str, fingerprint: &str) -> Result<(), tokio_postgres::Error> {
    let found = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await?;
    let old = format!("{DRAFT}{}", Uuid::now_v7().simple());
    let retire = match &found {
        Some(_) => format!("ALTER DATABASE {name} IS_TEMPLATE false; ALTER DATABASE {name} RENAME TO {old};"),
        None => String::new(),
    };
    client
        // One message of the simple query protocol is one transaction.
        .batch_execute(&format!(
            "{retire}
             REVOKE ALL ON DATABASE {draft} FROM PUBLIC;
             COMMENT ON DATABASE {draft} IS '{fingerprint}';
             ALTER DATABASE {draft} ALLOW_CONNECTIONS false;
             ALTER DATABASE {draft} IS_TEMPLATE true;
             ALTER DATABASE {draft} RENAME TO {name}"
        ))
        .await?;
    if found.is_some() {
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {old}")).await?;
    }
    Ok(())
}

async fn fingerprint_of(client: &Client, name: &str) -> Result<Option<String>> {
    let row = client
        .query_opt(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1",
            &[&name],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn drop_abandoned(client: &Client) -> Result<()> {
    let rows = client.query("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", &[&DRAFT]).await?;
    for row in rows {
        let name: String = row.try_get(0)?;
        if age(&name).is_some_and(|age| age > ABANDONED) {
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await?;
        }
    }
    Ok(())
}

/// The age of a draft; `None` for a name that is not a draft's.
fn age(draft: &str) -> Option<Duration> {
    let id = Uuid::try_parse(draft.strip_prefix(DRAFT)?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (std::time::UNIX_EPOCH + Duration::new(seconds, nanos)).elapsed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drafts_can_be_abandoned() {
        assert!(age(&format!("{DRAFT}{}", Uuid::now_v7().simple())).is_some_and(|age| age < ABANDONED));
        assert!(age(&format!("{DRAFT}0190a0c48f6e7c3a9d2b5e1f00c0ffee")).is_some_and(|age| age > ABANDONED));
        assert_eq!(age("landlord_template_draft_mine"), None);
        assert_eq!(age("landlord_template_v1"), None);
    }
}
