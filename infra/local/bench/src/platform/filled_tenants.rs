//! Tenants with databases of their own that contain users, contacts, messages and objects.

use bson::{DateTime, Document, doc};
use seed::users::{self, TargetTenant};
use shared::{
    config::Clusters,
    types::{Month, TenantId},
};
use uuid::Uuid;

use crate::{error::Result, platform::instance::BenchPlatform};

/// Contents of each tenant.
pub(crate) const USERS: usize = 40;
pub(crate) const CONTACTS: usize = 500;
pub(crate) const MESSAGES: usize = 2_000;
pub(crate) const OBJECTS: usize = 5;
const CHANNELS: [&str; 2] = ["email", "whatsapp"];

pub(crate) struct FilledTenants {
    pub(crate) ids: Vec<Uuid>,
    /// The names of their databases.
    pub(crate) databases: Vec<String>,
}

impl FilledTenants {
    /// Their slugs are `slug` with a number.
    pub(crate) async fn create(platform: &BenchPlatform, slug: &str, count: usize) -> Result<Self> {
        let provisioning = platform.provisioning().await?;
        let ids = provisioning.request_many(slug, count).await?;
        provisioning.wait_until_active(&ids).await?;
        let database = platform.stores.connect_owner().await?;
        let mut databases = Vec::new();
        for id in &ids {
            let id = TenantId(*id);
            fill_users(platform, id, USERS).await?;
            let name = "SELECT database_name FROM tenants WHERE id = $1";
            let name: String = database.query_one(name, &[&id.0]).await?.try_get(0)?;
            insert_messages(platform, &name).await?;
            put_objects(platform, id).await?;
            databases.push(name);
        }
        // No other tenant of the platform may be measured meanwhile.
        let others = "UPDATE tenant_usage SET due_at = 'infinity' WHERE tenant_id <> ALL($1)";
        database.execute(others, &[&ids]).await?;
        Ok(Self { ids, databases })
    }

    /// Counts the tenants whose usage was measured after that time and is correct.
    pub(crate) async fn count_measured(
        &self,
        database: &tokio_postgres::Client,
        after: time::OffsetDateTime,
    ) -> Result<usize> {
        let correct = "SELECT count(*) FROM tenant_usage
                       WHERE tenant_id = ANY($1) AND error IS NULL AND measured_at >= $2 AND contacts = $3
                           AND messages_measured = $4 AND channels = $5 AND agents > 0";
        let (contacts, messages) = (i64::try_from(CONTACTS)?, i64::try_from(MESSAGES)?);
        let row = database.query_one(correct, &[&self.ids, &after, &contacts, &messages, &&CHANNELS[..]]).await?;
        Ok(usize::try_from(row.try_get::<_, i64>(0)?)?)
    }
}

/// Adds users to an active tenant.
pub(crate) async fn fill_users(platform: &BenchPlatform, id: TenantId, count: usize) -> Result<()> {
    let database = platform.stores.connect_owner().await?;
    let owner = &platform.stores.owner;
    let tenant = TargetTenant::find(&database, id).await.map_err(|error| error.chain())?;
    let clusters = Clusters::single(owner.url.clone());
    let filled = users::fill(&database, &tenant, (&clusters, owner), count, drop).await;
    filled.map_err(|error| error.chain())?;
    Ok(())
}

/// Inserts contacts, channels, and the same number of messages for this month and for the previous one.
async fn insert_messages(platform: &BenchPlatform, database: &str) -> Result<()> {
    let database = platform.stores.mongo.database(database);
    let id = || Uuid::now_v7().to_string();
    let now = DateTime::now();
    let last_month = DateTime::from_millis(Month::current().begin().unix_timestamp() * 1_000 - 86_400_000);
    let contacts: Vec<Document> =
        (0..CONTACTS).map(|_| doc! { "_id": id(), "identities": [], "created_at": now, "updated_at": now }).collect();
    database.collection("contacts").insert_many(contacts).await?;
    let channel = |kind: &str| {
        doc! {
            "_id": id(), "kind": kind, "name": kind, "external_id": id(), "status": "connected", "created_at": now,
            "updated_at": now,
        }
    };
    database.collection("channels").insert_many(CHANNELS.map(channel)).await?;
    let (conversation, channel) = (id(), id());
    let message = |number: usize| {
        doc! {
            "_id": id(), "conversation_id": &conversation, "channel_id": &channel, "direction": "inbound",
            "type": "text", "status": "read", "text": "Apakah kopinya masih ada?",
            "created_at": if number < MESSAGES { now } else { last_month },
        }
    };
    database.collection("messages").insert_many((0..2 * MESSAGES).map(message)).await?;
    Ok(())
}

async fn put_objects(platform: &BenchPlatform, id: TenantId) -> Result<()> {
    let (client, bucket) = (platform.stores.bucket.client().await, &platform.stores.bucket.name);
    for number in 0..OBJECTS {
        let key = format!("{}attachments/{number}", id.object_prefix());
        client.put_object().bucket(bucket).key(key).body(vec![0; 10_000].into()).send().await?;
    }
    Ok(())
}
