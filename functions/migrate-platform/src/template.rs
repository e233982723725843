//! The template on a PostgreSQL cluster that tenants' databases are cloned from.
//!
//! It is built under another name and gets its own in one transaction, so what has the name is whole. A comment on it tells
//! which migrations it was built from.

use std::time::Duration;

use shared::{
    clients::postgres::connect_once,
    config::PostgresConfig,
    error::{Error, Result},
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
};
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::roles;

/// The schema of a tenant's PostgreSQL database.
pub(crate) mod embedded {
    refinery::embed_migrations!("../../infra/migrations/tenant/postgresql");
}

/// What a template is called while it is built; a UUIDv7 follows, which tells when that began.
const DRAFT: &str = "landlord_template_draft_";

/// A draft older than this was left by a migration that died.
const ABANDONED: Duration = Duration::from_hours(1);

/// Makes the template, unless it is there and was built from the same migrations. `false` when there was nothing to do.
pub(crate) async fn ensure(config: &PostgresConfig) -> Result<bool> {
    let client = connect_once(config, None).await?;
    roles::ensure(&client).await?;
    drop_abandoned(&client).await?;
    let name = tenant_template(TENANT_SCHEMA_VERSION);
    let wanted = fingerprint();
    if fingerprint_of(&client, &name).await?.is_some_and(|found| found == wanted) {
        return Ok(false);
    }
    let draft = format!("{DRAFT}{}", Uuid::now_v7().simple());
    let made = make(config, &client, &draft, &name, &wanted).await;
    if !matches!(made, Ok(true)) {
        // What is left behind here is found by the next migration.
        let _gone = client.batch_execute(&format!("DROP DATABASE IF EXISTS {draft}")).await;
    }
    made
}

async fn make(config: &PostgresConfig, client: &Client, draft: &str, name: &str, wanted: &str) -> Result<bool> {
    client.batch_execute(&format!("CREATE DATABASE {draft} TEMPLATE template0 OWNER landlord_provisioner")).await?;
    let mut inside = connect_once(config, Some(draft)).await?;
    inside.batch_execute("SET ROLE landlord_provisioner").await?;
    embedded::migrations::runner().run_async(&mut inside).await.map_err(Error::internal)?;
    drop(inside);
    // A connection takes a moment to end, and nobody may be connected to what is renamed.
    let mut patience = 50;
    loop {
        match publish(client, draft, name, wanted).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && patience > 0 => {
                patience -= 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // Another migration of the same cluster was faster.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(true),
        }
    }
}

/// Gives the draft its name; one that had it before, built from other migrations, goes.
async fn publish(client: &Client, draft: &str, name: &str, wanted: &str) -> Result<(), tokio_postgres::Error> {
    let found = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await?;
    let old = format!("{DRAFT}{}", Uuid::now_v7().simple());
    let retire = match &found {
        Some(_) => format!("ALTER DATABASE {name} IS_TEMPLATE false; ALTER DATABASE {name} RENAME TO {old};"),
        None => String::new(),
    };
    client
        // One message is one transaction.
        .batch_execute(&format!(
            "{retire}
             REVOKE ALL ON DATABASE {draft} FROM PUBLIC;
             COMMENT ON DATABASE {draft} IS '{wanted}';
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

/// Which migrations these are: version and checksum of each. Digits, dots and spaces only.
fn fingerprint() -> String {
    let runner = embedded::migrations::runner();
    let parts: Vec<_> = runner
        .get_migrations()
        .iter()
        .map(|migration| format!("{}.{}", migration.version(), migration.checksum()))
        .collect();
    parts.join(" ")
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
        if began(&name).is_some_and(|age| age > ABANDONED) {
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await?;
        }
    }
    Ok(())
}

/// How long ago a draft was begun; `None` when the name is not one of ours.
fn began(draft: &str) -> Option<Duration> {
    let id = Uuid::try_parse(draft.strip_prefix(DRAFT)?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (std::time::UNIX_EPOCH + Duration::new(seconds, nanos)).elapsed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_migration_is_the_version_that_tenants_are_told_to_have() {
        let newest = embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max();
        assert_eq!(newest.map(i64::from), Some(i64::from(TENANT_SCHEMA_VERSION)));
    }

    #[test]
    fn only_our_own_drafts_are_taken_for_abandoned() {
        assert!(began(&format!("{DRAFT}{}", Uuid::now_v7().simple())).is_some_and(|age| age < ABANDONED));
        assert!(began(&format!("{DRAFT}0190a0c48f6e7c3a9d2b5e1f00c0ffee")).is_some_and(|age| age > ABANDONED));
        assert_eq!(began("landlord_template_draft_mine"), None);
        assert_eq!(began("landlord_template_v1"), None);
    }
}
