//! The three group roles that privileges are granted to. Roles belong to the whole server, so migrations of several
//! databases may create them at the same time.

use shared::error::Result;
use tokio_postgres::Client;

/// Creates the missing roles, and makes the current role a member of the one that owns tenants' databases.
pub(crate) async fn ensure(client: &Client) -> Result<()> {
    client
        .batch_execute(
            "DO $$
             DECLARE
                 wanted text;
             BEGIN
                 FOREACH wanted IN ARRAY ARRAY['landlord_api', 'landlord_provisioner', 'landlord_service'] LOOP
                     IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                         BEGIN
                             EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
                         EXCEPTION WHEN duplicate_object OR unique_violation THEN
                             NULL; -- created by a concurrent migration
                         END;
                     END IF;
                 END LOOP;
             END
             $$",
        )
        .await?;
    // Since PostgreSQL 16, the creator of a role is a member that cannot act as it without an explicit grant.
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::integer", &[]).await?.try_get(0)?;
    let privilege = if version >= 160_000 { "SET" } else { "MEMBER" };
    let member: bool = client
        .query_one("SELECT pg_has_role(current_user, 'landlord_provisioner', $1)", &[&privilege])
        .await?
        .try_get(0)?;
    if !member {
        client.batch_execute("GRANT landlord_provisioner TO CURRENT_USER").await?;
    }
    Ok(())
}
