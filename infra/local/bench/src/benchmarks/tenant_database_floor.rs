//! The floors of a tenant's databases: the least that each of the two takes.

use std::{
    fs,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use shared::{
    clients::postgres::connect_once,
    domain::{TENANT_SCHEMA_VERSION, tenant_template},
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{Result, world::World};

/// What a tenant's databases are made of.
pub(super) struct TenantDatabases {
    postgres: Client,
    mongo: mongodb::Client,
    collections: Vec<Collection>,
}

struct Collection {
    name: String,
    validator: Document,
    indexes: Vec<Document>,
}

impl TenantDatabases {
    pub(super) async fn of(world: &World) -> Result<Self> {
        let postgres = connect_once(&world.provisioner, None).await.map_err(|error| error.chain())?;
        Ok(Self { postgres, mongo: world.mongo.clone(), collections: collections()? })
    }

    /// How long it takes to clone a database from the template.
    pub(super) async fn clone_postgres(&self) -> Result<Duration> {
        let (name, template) =
            (format!("bench_clone_{}", Uuid::now_v7().simple()), tenant_template(TENANT_SCHEMA_VERSION));
        let begun = Instant::now();
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER landlord_provisioner STRATEGY wal_log");
        self.postgres.batch_execute(&create).await?;
        let took = begun.elapsed();
        self.postgres.batch_execute(&format!("DROP DATABASE {name}")).await?;
        Ok(took)
    }

    /// How long it takes to make the collections with their validators and indexes, one after another.
    pub(super) async fn create_collections(&self) -> Result<Duration> {
        let database = self.mongo.database(&format!("bench_{}", Uuid::now_v7().simple()));
        let begun = Instant::now();
        for Collection { name, validator, indexes } in &self.collections {
            database.run_command(doc! { "create": name, "validator": validator }).await?;
            database.run_command(doc! { "createIndexes": name, "indexes": indexes }).await?;
        }
        let took = begun.elapsed();
        database.drop().await?;
        Ok(took)
    }
}

/// Those of `infra/migrations`.
fn collections() -> Result<Vec<Collection>> {
    let mut collections = Vec::new();
    for entry in fs::read_dir("infra/migrations/tenant/mongodb")? {
        let path = entry?.path();
        let definition: Document = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a collection without a name")?;
        let indexes = definition.get_array("indexes")?.iter().filter_map(|index| index.as_document().cloned());
        collections.push(Collection {
            name: name.to_owned(),
            validator: definition.get_document("validator")?.clone(),
            indexes: indexes.collect(),
        });
    }
    Ok(collections)
}
