//! The fixture of the property of tenants: an API, workers, and looks into every store.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::Client as S3;
use mongodb::Client as Mongo;
use shared::{
    clients::{postgres::Postgres, redis::Redis, s3::Bucket},
    config::{
        Clusters, FromEnv, MongoSettings, PostgresConfig, ProvisioningConfig, RedisConfig, S3Config, ServiceLoginConfig,
    },
    provisioning::{Provisioner, Stores},
    tenants::TENANT_SCHEMA_VERSION,
    types::{OperationId, TenantId},
};
use tests::{Api, World, variable};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::{ModelTenant, Phase};

pub(crate) struct TenantStage {
    pub(crate) api: Api,
    owner: Client,
    platform: Postgres,
    stores: Arc<Stores>,
    mongo: Mongo,
    s3: S3,
    bucket: String,
    world: World,
}

impl TenantStage {
    pub(crate) async fn new(world: World) -> Self {
        let config = PostgresConfig { pool_size: 16, ..world.provisioner() };
        let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
        let (s3, name) = (bucket.client().await.clone(), bucket.name.clone());
        let mongo = Clusters::single(variable("MONGODB_URL"));
        let (settings, logins) = (MongoSettings::from_env().unwrap(), ServiceLoginConfig::from_env().unwrap());
        let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
        let stores = Stores::connect(world.postgres_clusters(), &config, mongo, &settings, bucket, redis, &logins);
        let owner = world.patient_client().await;
        world.ignore_breakers().await;
        Self {
            api: Api::of(&world).await,
            owner,
            platform: Postgres::connect(&config).unwrap(),
            stores: Arc::new(stores.unwrap()),
            mongo: tests::platform::mongo().await,
            s3,
            bucket: name,
            world,
        }
    }

    /// A worker with the rights of the function.
    pub(crate) fn worker(&self) -> Provisioner {
        Provisioner {
            platform: self.platform.clone(),
            stores: Arc::clone(&self.stores),
            config: ProvisioningConfig::new(Duration::from_mins(1)),
            tenant_schema_version: TENANT_SCHEMA_VERSION,
            observer: None,
        }
    }

    /// Makes an operation due, if it is open: time passes, so that its lease has expired, and it waits no longer.
    pub(crate) async fn expire(&self, operation: OperationId) {
        let sql = "UPDATE operations SET lease_expires_at = now() - interval '1 ms', next_attempt_at = now()
                   WHERE id = $1 AND finished_at IS NULL";
        self.owner.execute(sql, &[&operation.0]).await.unwrap();
    }

    pub(crate) async fn spend_budget(&self, operation: OperationId) {
        let sql = "UPDATE operations SET gives_up_at = now() WHERE id = $1";
        self.owner.execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Where a tenant is, as the API shows its newest operation and the tenant itself.
    pub(crate) async fn phase(&self, tenant: &ModelTenant) -> Phase {
        let operation = self.api.get(&format!("/operations/{}", tenant.operation)).await.json;
        let shown = self.api.get(&format!("/tenants/{}", tenant.id)).await.json;
        match (operation["status"].as_str().unwrap(), shown["status"].as_str().unwrap()) {
            ("pending" | "running", "provisioning") => Phase::Applying,
            ("undoing", "provisioning") => Phase::Undoing,
            ("succeeded", "active") => Phase::Active,
            ("succeeded", "suspended") => Phase::Suspended,
            ("failed", "failed") => Phase::Failed,
            other => panic!("{tenant:?} and its operation contradict each other: {other:?}"),
        }
    }

    async fn count(&self, sql: &str) -> i64 {
        self.owner.query_one(&format!("SELECT count(*) FROM ({sql}) AS rows"), &[]).await.unwrap().get(0)
    }

    /// Everything of an active tenant exists in every store, and nothing of its earlier names; nothing at all of a failed one.
    pub(crate) async fn assert_complete_or_absent(&self, tenant: &ModelTenant) {
        let exists = matches!(tenant.phase, Phase::Active | Phase::Suspended);
        let of_tenant = format!("tenant_id = '{}'", tenant.id);
        let in_mongo = self.mongo.list_database_names().await.unwrap();
        let ledger = format!(
            "SELECT d.name, d.state, d.name = t.database_name, EXISTS (SELECT FROM pg_database WHERE datname = d.name)
             FROM tenant_databases d JOIN tenants t ON t.id = d.tenant_id WHERE d.{of_tenant}"
        );
        for row in self.owner.query(&ledger, &[]).await.unwrap() {
            let (name, state): (String, String) = (row.get(0), row.get(1));
            let is_live = exists && row.get(2);
            let found = (state.as_str(), row.get(3), in_mongo.contains(&name));
            assert_eq!(found, (if is_live { "live" } else { "dropped" }, is_live, is_live), "{name} of {tenant:?}");
            if is_live {
                let inside = shared::clients::postgres::connect_once(&self.world.owner(), Some(&name)).await.unwrap();
                let users = inside.query("SELECT FROM users WHERE role = 'admin' AND status = 'active'", &[]).await;
                assert_eq!(users.unwrap().len(), 1, "{tenant:?}");
                assert_eq!(self.mongo.database(&name).list_collection_names().await.unwrap().len(), 8, "{tenant:?}");
            }
        }
        let prefix = TenantId(tenant.id).object_prefix();
        let objects = self.s3.list_object_versions().bucket(&self.bucket).prefix(prefix).send().await.unwrap();
        assert_eq!(objects.versions().len() + objects.delete_markers().len(), usize::from(exists), "{tenant:?}");
        // A change of the status has left one that changes the access of services.
        let open = format!(
            "SELECT id FROM operations WHERE {of_tenant} AND finished_at IS NULL AND kind IN ('suspend', 'resume')"
        );
        for row in self.owner.query(&open, &[]).await.unwrap() {
            let until = Instant::now() + Duration::from_mins(1);
            self.worker().run(OperationId(row.get(0)), until).await.unwrap();
        }
        let open = format!("SELECT FROM operations WHERE {of_tenant} AND finished_at IS NULL");
        assert_eq!(self.count(&open).await, 0, "{tenant:?}");
        let pending = self.count(&format!("SELECT FROM pending_admins WHERE {of_tenant}")).await;
        assert_eq!(pending, i64::from(!exists), "{tenant:?}");
        let sql = "SELECT payload ->> 'type' FROM outbox WHERE destination = 'event' AND key = $1 ORDER BY id";
        let events = self.owner.query(sql, &[&tenant.id.to_string()]).await.unwrap();
        let events: Vec<String> = events.iter().map(|row| row.get(0)).collect();
        assert_eq!(events, tenant.events, "{tenant:?}");
    }
}
