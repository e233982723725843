//! Tenants with databases of their own, and something in them to be counted.

use bson::{DateTime, Document, doc};
use seed::agents::{self, Home};
use shared::{
    config::Clusters,
    domain::{Month, TenantId},
};
use uuid::Uuid;

use crate::{Result, world::World};

/// What each of them has.
pub(super) const AGENTS: usize = 40;
pub(super) const CONTACTS: usize = 500;
pub(super) const MESSAGES: usize = 2_000;
pub(super) const OBJECTS: usize = 5;
const CHANNELS: [&str; 2] = ["email", "whatsapp"];

/// The tenants.
pub(super) struct FilledTenants {
    pub(super) ids: Vec<Uuid>,
    /// Names of their databases.
    pub(super) databases: Vec<String>,
}

impl FilledTenants {
    /// Makes so many.
    pub(super) async fn make(world: &World, count: usize) -> Result<Self> {
        let provisioning = world.provisioning().await?;
        let ids = provisioning.ask_for_many("measured", count).await?;
        provisioning.wait_for(&ids).await?;
        let platform = world.owner().await?;
        let clusters = Clusters::single(world.owner.url.clone());
        let mut databases = Vec::new();
        for id in &ids {
            let id = TenantId(*id);
            let home = Home::find(&platform, id).await.map_err(|error| error.chain())?;
            let filled = agents::fill(&platform, &home, (&clusters, &world.owner), AGENTS, drop).await;
            filled.map_err(|error| error.chain())?;
            let name = "SELECT database_name FROM organizations WHERE id = $1";
            let name: String = platform.query_one(name, &[&id.0]).await?.try_get(0)?;
            talk(world, &name).await?;
            objects(world, id).await?;
            databases.push(name);
        }
        // Whatever else is in the world is left alone.
        let others = "UPDATE tenant_usage SET due_at = 'infinity' WHERE organization_id <> ALL($1)";
        platform.execute(others, &[&ids]).await?;
        Ok(Self { ids, databases })
    }

    /// How many of them show what they have, measured after that time.
    pub(super) async fn measured(
        &self,
        platform: &tokio_postgres::Client,
        after: time::OffsetDateTime,
    ) -> Result<usize> {
        let right = "SELECT count(*) FROM tenant_usage
                     WHERE organization_id = ANY($1) AND error IS NULL AND measured_at >= $2 AND contacts = $3
                         AND messages_measured = $4 AND channels = $5 AND agents > 0";
        let (contacts, messages) = (i64::try_from(CONTACTS)?, i64::try_from(MESSAGES)?);
        let row = platform.query_one(right, &[&self.ids, &after, &contacts, &messages, &&CHANNELS[..]]).await?;
        Ok(usize::try_from(row.try_get::<_, i64>(0)?)?)
    }
}

/// Contacts, channels, and messages of this month, and as many of the one before.
async fn talk(world: &World, database: &str) -> Result<()> {
    let database = world.mongo.database(database);
    let id = || Uuid::now_v7().to_string();
    let now = DateTime::now();
    let of_last_month = DateTime::from_millis(Month::current().begin().unix_timestamp() * 1_000 - 86_400_000);
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
            "created_at": if number < MESSAGES { now } else { of_last_month },
        }
    };
    database.collection("messages").insert_many((0..2 * MESSAGES).map(message)).await?;
    Ok(())
}

async fn objects(world: &World, id: TenantId) -> Result<()> {
    let (client, bucket) = (world.bucket.client().await, &world.bucket.name);
    for number in 0..OBJECTS {
        let key = format!("{}attachments/{number}", id.object_prefix());
        client.put_object().bucket(bucket).key(key).body(vec![0; 10_000].into()).send().await?;
    }
    Ok(())
}
