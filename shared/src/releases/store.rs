//! SQL of the versions.

use deadpool_postgres::GenericClient;

use crate::{
    error::Result,
    releases::{SchemaVersions, TenantsOfVersion},
    sql::{self, Columns},
    tenants::TENANT_SCHEMA_VERSION,
};

sql::columns! {
    TenantsOfVersionColumns -> TenantsOfVersion {
        schema_version: "schema_version",
        tenants: "count(*)",
    }
}

/// The versions of the schemas of the platform database and of tenants' databases.
pub async fn find_versions(client: &impl GenericClient) -> Result<SchemaVersions> {
    let platform = async {
        let statement = client.prepare_cached("SELECT max(version) FROM refinery_schema_history").await?;
        Result::<i32>::Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    };
    let by_version = async {
        let statement = client
            .prepare_cached(sql::text!(
                "SELECT ",
                TenantsOfVersionColumns::LIST,
                " FROM tenants WHERE status IN ('active', 'suspended', 'deleting') AND schema_version > 0
                 GROUP BY schema_version ORDER BY schema_version DESC"
            ))
            .await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(TenantsOfVersionColumns::read).collect::<Result<Vec<_>>>()
    };
    let (platform, tenants_by_version) = futures::try_join!(platform, by_version)?;
    Ok(SchemaVersions { platform, tenants: TENANT_SCHEMA_VERSION, tenants_by_version })
}
