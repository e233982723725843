//! A fixture: an active tenant with its own PostgreSQL database, created without the saga because that is faster.

use std::time::Duration;

use shared::{
    clients::postgres::connect_once,
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
    types::TenantId,
};
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::World;

/// A tenant. It exists as far as the test has created it.
pub struct TestTenant {
    pub id: TenantId,
    /// Name of the tenant's database.
    pub database: String,
    /// Id of the first user, an admin.
    pub admin: Uuid,
}

impl TestTenant {
    /// A tenant with this id that does not exist anywhere yet.
    pub fn of(id: TenantId) -> Self {
        Self { id, database: format!("tenant_{}", Uuid::now_v7().simple()), admin: Uuid::now_v7() }
    }

    /// An active tenant with one user and a limit of `max_agents` users.
    pub async fn new(world: &World, owner: &Client, max_agents: Option<i64>) -> Self {
        let tenant = Self::of(TenantId::generate());
        tenant.clone_database(owner).await;
        tenant.register(owner, TENANT_SCHEMA_VERSION, max_agents).await;
        tenant.insert_first_user(&tenant.inside(world).await).await;
        tenant
    }

    /// Inserts the user that a tenant begins with.
    pub async fn insert_first_user(&self, inside: &Client) {
        let first = "INSERT INTO users (id, email, full_name, role, created_at, updated_at)
                     VALUES ($1, 'sari@kopi.example', 'Sari Wulandari', 'admin', '2026-01-01', '2026-01-01')";
        inside.execute(first, &[&self.admin]).await.unwrap();
    }

    /// Clones the tenant's database from the newest template.
    pub async fn clone_database(&self, owner: &Client) {
        let template = tenant_template(TENANT_SCHEMA_VERSION);
        let create = format!("CREATE DATABASE {} TEMPLATE {template} OWNER landlord_provisioner", self.database);
        // PostgreSQL refuses to clone a template that another process is cloning.
        let mut attempts = 0;
        while let Err(error) = owner.batch_execute(&create).await {
            attempts += 1;
            assert!(attempts < 100, "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Inserts the tenant in the platform database: active, on the only cluster.
    pub async fn register(&self, owner: &Client, schema_version: i32, max_agents: Option<i64>) {
        let row = "INSERT INTO tenants (id, name, slug, status, database_name, schema_version, country, max_agents,
                                              postgres_cluster, mongo_cluster, created_at, updated_at)
                   VALUES ($1, 'Kopi', $2, 'active', $3, $4, 'ID', $5, 'main', 'main', now(), now())";
        let slug = format!("t{}", self.id.0.simple());
        owner.execute(row, &[&self.id.0, &slug, &self.database, &schema_version, &max_agents]).await.unwrap();
    }

    /// A connection to the tenant's database, as the owner.
    pub async fn inside(&self, world: &World) -> Client {
        connect_once(&world.owner(), Some(&self.database)).await.unwrap()
    }
}
