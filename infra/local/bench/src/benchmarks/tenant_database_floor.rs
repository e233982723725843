//! Floors of provisioning: the duration of creating each of a tenant's databases, without the saga around it.

use std::{
    fs,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use shared::{
    clients::postgres::connect_once,
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{error::Result, platform::instance::BenchPlatform};

const COLLECTIONS: &str = "infra/migrations/tenant/mongodb";

pub(crate) struct TenantDatabaseFloor {
    postgres: Client,
    mongo: mongodb::Client,
    collections: Vec<CollectionDefinition>,
}

struct CollectionDefinition {
    name: String,
    validator: Document,
    indexes: Vec<Document>,
}

impl TenantDatabaseFloor {
    pub(crate) async fn of(platform: &BenchPlatform) -> Result<Self> {
        let stores = &platform.stores;
        let postgres = connect_once(&stores.provisioner, None).await.map_err(|error| error.chain())?;
        Ok(Self { postgres, mongo: stores.mongo.clone(), collections: collections()? })
    }

    /// Duration of cloning a PostgreSQL database from the template.
    pub(crate) async fn clone_postgres(&self) -> Result<Duration> {
        let name = format!("bench_clone_{}", Uuid::now_v7().simple());
        let begun = Instant::now();
        self.clone_template(&name).await?;
        let took = begun.elapsed();
        self.postgres.batch_execute(&format!("DROP DATABASE {name}")).await?;
        Ok(took)
    }

    /// Duration of creating the MongoDB collections with their validators and indexes, one after another.
    pub(crate) async fn create_collections(&self) -> Result<Duration> {
        let database = self.mongo.database(&format!("bench_{}", Uuid::now_v7().simple()));
        let begun = Instant::now();
        self.create_collections_of(&database).await?;
        let took = begun.elapsed();
        database.drop().await?;
        Ok(took)
    }

    /// Duration of dropping both databases of a tenant, one after the other. They are empty.
    pub(crate) async fn remove(&self) -> Result<Duration> {
        let name = format!("bench_clone_{}", Uuid::now_v7().simple());
        let database = self.mongo.database(&name);
        self.clone_template(&name).await?;
        self.create_collections_of(&database).await?;
        let begun = Instant::now();
        self.postgres.batch_execute(&format!("DROP DATABASE {name}")).await?;
        database.drop().await?;
        Ok(begun.elapsed())
    }

    async fn clone_template(&self, name: &str) -> Result<()> {
        let template = tenant_template(TENANT_SCHEMA_VERSION);
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER landlord_provisioner STRATEGY wal_log");
        Ok(self.postgres.batch_execute(&create).await?)
    }

    async fn create_collections_of(&self, database: &mongodb::Database) -> Result<()> {
        for CollectionDefinition { name, validator, indexes } in &self.collections {
            database.run_command(doc! { "create": name, "validator": validator }).await?;
            database.run_command(doc! { "createIndexes": name, "indexes": indexes }).await?;
        }
        Ok(())
    }
}

/// Reads the definitions of the tenant's migrations.
fn collections() -> Result<Vec<CollectionDefinition>> {
    let mut collections = Vec::new();
    for entry in fs::read_dir(COLLECTIONS)? {
        let path = entry?.path();
        let definition: Document = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a collection has no name")?;
        let indexes = definition.get_array("indexes")?.iter().filter_map(|index| index.as_document().cloned());
        collections.push(CollectionDefinition {
            name: name.to_owned(),
            validator: definition.get_document("validator")?.clone(),
            indexes: indexes.collect(),
        });
    }
    Ok(collections)
}
