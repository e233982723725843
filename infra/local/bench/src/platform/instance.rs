//! The platform of a run: a migrated database with generated tenants, queues, and a super-admin.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use aws_sdk_sqs::types::QueueAttributeName;
use secrecy::ExposeSecret;
use seed::tenants::TenantOptions;
use shared::{
    auth::TokenSigner,
    config::{FromEnv, SigningConfig, TokenConfig},
    types::SuperAdminId,
};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    error::Result,
    measure::{binary, functions::Workspace, runtime::Program},
    options::BenchOptions,
    platform::{
        cleanup,
        provisioning::{ProvisionQueue, Provisioning},
        stores::StoreClients,
    },
};

/// Tenants of the platform that most benchmarks use.
pub(crate) const TENANTS: usize = 10_000;

pub(crate) struct BenchPlatform {
    options: BenchOptions,
    pub(crate) workspace: Workspace,
    /// Number of tenants that were generated at the start.
    pub(crate) tenants: usize,
    pub(crate) stores: StoreClients,
    database: String,
    /// A connection that marks the database as in use; see [`cleanup::remove_abandoned`].
    presence: Option<Client>,
    pub(crate) provision_queue_url: String,
    pub(crate) measure_queue_url: String,
    pub(crate) relay_queue_url: String,
    /// A super-admin's bearer token.
    pub(crate) token: String,
    provisioning: OnceCell<Provisioning>,
}

impl BenchPlatform {
    /// Creates the database with this number of tenants and their usage, and the queues.
    pub(crate) async fn create(options: &BenchOptions, tenants: usize) -> Result<Self> {
        let workspace = Workspace::read()?;
        let database = format!("bench_{}", Uuid::now_v7().simple());
        let stores = StoreClients::create(options, &database).await?;
        let queue = async |name: &str| -> Result<String> {
            let queue =
                stores.sqs.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, "120");
            Ok(queue.send().await?.queue_url.ok_or("SQS returned no queue URL")?)
        };
        let [provision, measure, relay] = cleanup::queues(&database);
        let (provision_queue_url, measure_queue_url) = (queue(&provision).await?, queue(&measure).await?);
        let relay_queue_url = queue(&relay).await?;
        let super_admin = SuperAdminId::generate();
        let mut platform = Self {
            options: options.clone(),
            workspace,
            tenants,
            stores,
            database,
            presence: None,
            provision_queue_url,
            measure_queue_url,
            relay_queue_url,
            token: sign(super_admin)?,
            provisioning: OnceCell::new(),
        };
        let ready = async {
            platform.presence = Some(platform.stores.connect_owner().await?);
            cleanup::remove_abandoned(&platform.stores, &platform.database).await?;
            platform.migrate()?;
            platform.insert_owner(super_admin).await?;
            platform.fill().await
        };
        match ready.await {
            Ok(()) => Ok(platform),
            Err(error) => {
                platform.remove().await?;
                Err(error)
            }
        }
    }

    /// Creates a second platform with another number of tenants.
    pub(crate) async fn another(&self, tenants: usize) -> Result<Self> {
        Box::pin(Self::create(&self.options, tenants)).await
    }

    /// Removes the platform and everything that was created on it.
    pub(crate) async fn remove(mut self) -> Result<()> {
        drop((self.presence.take(), self.provisioning.take()));
        cleanup::remove(&self.stores, &self.database).await
    }

    /// The functions that create tenants, started at first use. A platform has one set of them: of two mappings that poll one
    /// queue, the one that has just stopped may receive a message, which is then hidden for two minutes.
    pub(crate) async fn provisioning(&self) -> Result<&Provisioning> {
        let start = || async {
            let queue = ProvisionQueue { sqs: self.stores.sqs.clone(), url: self.provision_queue_url.clone() };
            let database = self.stores.connect_owner().await?;
            let (create, provision) = (self.program("create-tenant"), self.program("provision-tenant"));
            Provisioning::start(&create, &provision, queue, self.token.clone(), database).await
        };
        self.provisioning.get_or_try_init(start).await
    }

    /// A function or a floor on this platform.
    pub(crate) fn program(&self, name: &str) -> Program {
        let provisions = self.workspace.provisions(name);
        let postgres = if provisions { &self.stores.provisioner } else { &self.stores.api };
        Program {
            name: name.to_owned(),
            path: binary::path(&self.options.target, name),
            variables: vec![
                ("POSTGRES_URL", postgres.url.expose_secret().to_owned()),
                ("REDIS_URL", self.stores.redis_config.url.expose_secret().to_owned()),
                ("PROVISION_QUEUE_URL", self.provision_queue_url.clone()),
                ("MEASURE_QUEUE_URL", self.measure_queue_url.clone()),
                // Most benchmarks run no relay, so that functions must not poke it.
                ("RELAY_QUEUE_URL", String::new()),
            ],
        }
    }

    /// Creates another owner and returns a bearer token of it.
    pub(crate) async fn another_owner(&self) -> Result<String> {
        let super_admin = SuperAdminId::generate();
        self.insert_owner(super_admin).await?;
        sign(super_admin)
    }

    /// The URL of object storage, and the file with its authority.
    pub(crate) fn s3(&self) -> Result<(&str, Option<&Path>)> {
        let url = self.options.s3_endpoint.as_deref().ok_or("AWS_ENDPOINT_URL_S3 is not set")?;
        Ok((url, self.options.s3_authority.as_deref()))
    }

    fn migrate(&self) -> Result<()> {
        let migrate = Command::new(binary::path(&self.options.target, "migrate-platform"))
            .env("POSTGRES_URL", self.stores.owner.url.expose_secret())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("migrate-platform cannot be run: {error}"))?;
        if migrate.status.success() {
            return Ok(());
        }
        Err(format!("migrate-platform failed: {}", String::from_utf8_lossy(&migrate.stderr)).into())
    }

    async fn fill(&self) -> Result<()> {
        let wanted = TenantOptions { count: self.tenants, history: false, users: 0 };
        let mut owner = self.stores.connect_owner().await?;
        seed::tenants::fill(&mut owner, Some(&self.stores.redis), wanted, drop).await.map_err(|error| error.chain())?;
        Ok(())
    }

    /// Inserts a super-admin who cannot sign in: `-` is the hash of no password.
    async fn insert_owner(&self, super_admin: SuperAdminId) -> Result<()> {
        let insert = "INSERT INTO super_admins (id, email, password_hash, role) VALUES ($1, $2, '-', 'owner')";
        let email = format!("{super_admin}@landlord.example");
        self.stores.connect_owner().await?.execute(insert, &[&super_admin.0, &email]).await?;
        Ok(())
    }
}

fn sign(super_admin: SuperAdminId) -> Result<String> {
    let signer = TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?;
    Ok(signer.sign(super_admin, 0, false).map_err(|error| error.chain())?.access_token)
}
