//! A tenant of 1 GiB: half in PostgreSQL, half in MongoDB.

use bson::{DateTime, Document, doc};
use secrecy::ExposeSecret;
use shared::clients::postgres::connect_once;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    error::Result,
    platform::{
        instance::BenchPlatform,
        urls::{patient, postgres_database},
    },
};

/// Rows of about 290 bytes, as `COPY` writes them.
const USERS: usize = 1_850_000;
const USERS_PER_STATEMENT: usize = 185_000;
/// Documents of about 370 bytes, as MongoDB stores them.
const MESSAGES: usize = 1_450_000;
const MESSAGES_PER_COMMAND: usize = 5_000;
/// Commands at once.
const WRITERS: usize = 4;

pub(crate) struct LargeTenant {
    pub(crate) id: Uuid,
    /// The name of its databases.
    pub(crate) database: String,
}

impl LargeTenant {
    pub(crate) async fn create(platform: &BenchPlatform) -> Result<Self> {
        let provisioning = platform.provisioning().await?;
        let id = provisioning.request("large").await?;
        provisioning.wait_until_active(&[id]).await?;
        let name = "SELECT database_name FROM tenants WHERE id = $1";
        let database: String = platform.stores.connect_owner().await?.query_one(name, &[&id]).await?.try_get(0)?;
        insert_users(platform, &database).await?;
        insert_messages(platform, &database).await?;
        Ok(Self { id, database })
    }

    /// The bytes of the users as `COPY` writes them, and of the messages as MongoDB stores them.
    pub(crate) async fn bytes(&self, platform: &BenchPlatform) -> Result<(u64, u64)> {
        let sample = "SELECT (avg(length(u::text)) * (SELECT count(*) FROM users))::bigint
                      FROM (SELECT id, email, full_name, role, status, password_hash, must_change_password, session_epoch,
                                   last_seen_at, online_until, revision, created_at, updated_at, erased_at
                            FROM users LIMIT 10000) AS u";
        let users: i64 = connect(platform, &self.database).await?.query_one(sample, &[]).await?.try_get(0)?;
        let statistics = doc! { "collStats": "messages" };
        let statistics = platform.stores.mongo.database(&self.database).run_command(statistics).await?;
        let messages = statistics.get("size").and_then(|size| size.as_i64().or(size.as_i32().map(i64::from)));
        Ok((users.try_into()?, messages.ok_or("MongoDB does not report the size of the messages")?.try_into()?))
    }
}

async fn connect(platform: &BenchPlatform, database: &str) -> Result<tokio_postgres::Client> {
    let url = postgres_database(platform.stores.owner.url.expose_secret(), database)?;
    Ok(connect_once(&patient(&url), None).await.map_err(|error| error.chain())?)
}

async fn insert_users(platform: &BenchPlatform, database: &str) -> Result<()> {
    let client = connect(platform, database).await?;
    // Maintaining the index of trigrams would take most of the time, and no export reads it.
    client.batch_execute("DROP INDEX users_search").await?;
    let insert = "INSERT INTO users (id, email, full_name, role, password_hash, last_seen_at)
                  SELECT gen_random_uuid(), 'user-' || n || '@kopikenangan.example', 'Sari Wulandari ' || n, 'agent',
                         '$argon2id$v=19$m=19456,t=2,p=1$' || encode(substr(sha256(n::text::bytea), 1, 16), 'base64') || '$'
                             || encode(sha256(('hash' || n)::bytea), 'base64'),
                         now() - n * interval '1 second'
                  FROM generate_series($1::bigint, $2::bigint) AS n";
    for first in (1..=USERS).step_by(USERS_PER_STATEMENT) {
        let (first, last) = (i64::try_from(first)?, i64::try_from(first + USERS_PER_STATEMENT - 1)?);
        client.execute(insert, &[&first, &last]).await?;
    }
    Ok(())
}

async fn insert_messages(platform: &BenchPlatform, database: &str) -> Result<()> {
    let messages = platform.stores.mongo.database(database).collection::<Document>("messages");
    let (conversation, channel) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let message = |number: usize| {
        doc! {
            "_id": Uuid::now_v7().to_string(), "conversation_id": &conversation, "channel_id": &channel,
            "direction": "inbound", "type": "text", "status": "read", "external_id": format!("wamid.{}", Uuid::now_v7().simple()),
            "text": format!("Apakah pesanan nomor {number} sudah dikirim? Saya belum menerima paketnya."),
            "created_at": DateTime::now(),
        }
    };
    let mut commands = JoinSet::new();
    for first in (0..MESSAGES).step_by(MESSAGES_PER_COMMAND) {
        if commands.len() >= WRITERS
            && let Some(inserted) = commands.join_next().await
        {
            inserted??;
        }
        let (messages, batch) =
            (messages.clone(), (first..first + MESSAGES_PER_COMMAND).map(message).collect::<Vec<_>>());
        commands.spawn(async move { messages.insert_many(batch).await });
    }
    while let Some(inserted) = commands.join_next().await {
        inserted??;
    }
    Ok(())
}
