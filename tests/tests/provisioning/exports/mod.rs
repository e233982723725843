//! Exports: what their files contain is what the stores' own clients read, whatever happens to a worker meanwhile.

mod content;
mod deletion;
mod faults;
mod memory;
mod requests;

use std::{collections::BTreeMap, io::Read};

use flate2::read::GzDecoder;
use mongodb::bson::{Document, doc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::{
    exports::{Content, FileCopy, Manifest, Sums, prefix_of_tenant},
    types::{OperationId, TenantId},
};
use tests::Api;

use crate::stage::ProvisioningStage;

/// The files of a complete export, decompressed, by key.
pub(super) struct Downloaded {
    pub(super) manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Downloaded {
    /// Reads the manifest and every file with the store's own client, and checks each against the manifest, and that no other file exists.
    pub(super) async fn of(stage: &ProvisioningStage, operation: OperationId) -> Self {
        let row = "SELECT manifest_key, manifest_sha256, tenant_id, summary FROM exports WHERE operation_id = $1";
        let row = stage.owner.get().await.unwrap().query_one(row, &[&operation.0]).await.unwrap();
        let (key, sha256, tenant): (String, String, uuid::Uuid) = (row.get(0), row.get(1), row.get(2));
        let content = read(stage, &key).await;
        assert_eq!(format!("{:x}", Sha256::digest(&content)), sha256);
        let manifest: Manifest = serde_json::from_slice(&content).unwrap();
        let summary: Value = row.get(3);
        assert_eq!(summary["files"], manifest.files().count());
        let mut files = BTreeMap::new();
        for file in manifest.files() {
            files.insert(file.key.clone(), open(&read(stage, &file.key).await, file));
        }
        let mut named: Vec<String> = files.keys().cloned().chain([key]).collect();
        named.sort();
        assert_eq!(list(stage, TenantId(tenant)).await, named, "no other file is left");
        let downloaded = Self { manifest, files };
        let tables = downloaded.manifest.postgresql.tables.iter().map(|table| &table.content);
        let collections = downloaded.manifest.mongodb.collections.iter().map(|collection| &collection.content);
        for content in tables.chain(collections).chain([&downloaded.manifest.objects.content]) {
            let mut sums = Sums::default();
            for line in downloaded.lines(content) {
                sums.add(format!("{line}\n").as_bytes());
            }
            assert_eq!(sums, content.sums);
        }
        downloaded
    }

    /// The lines of all files of a content, in order.
    pub(super) fn lines(&self, content: &Content) -> Vec<String> {
        let mut lines = Vec::new();
        for file in &content.files {
            let text = std::str::from_utf8(&self.files[&file.key]).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'), "{}", file.key);
            assert_eq!(text.lines().count() as u64, file.lines, "{}", file.key);
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }

    pub(super) fn table(&self, name: &str) -> Vec<String> {
        let table = self.manifest.postgresql.tables.iter().find(|table| table.name == name);
        self.lines(&table.unwrap_or_else(|| panic!("no table {name}")).content)
    }

    pub(super) fn collection(&self, name: &str) -> Vec<Document> {
        let collection = self.manifest.mongodb.collections.iter().find(|collection| collection.name == name);
        let content = &collection.unwrap_or_else(|| panic!("no collection {name}")).content;
        self.lines(content).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn read(stage: &ProvisioningStage, key: &str) -> Vec<u8> {
    let found = stage.s3.get_object().bucket(&stage.bucket).key(key).send().await.unwrap();
    found.body.collect().await.unwrap().to_vec()
}

/// Checks a file against its entry in the manifest, and decompresses it.
pub(super) fn open(bytes: &[u8], file: &FileCopy) -> Vec<u8> {
    assert_eq!(bytes.len() as u64, file.bytes, "{}", file.key);
    assert_eq!(format!("{:x}", Sha256::digest(bytes)), file.sha256, "{}", file.key);
    let mut content = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut content).unwrap();
    content
}

/// The keys of all versions of files of a tenant's exports, and of delete markers.
pub(super) async fn list(stage: &ProvisioningStage, tenant: TenantId) -> Vec<String> {
    let list = stage.s3.list_object_versions().bucket(&stage.bucket).prefix(prefix_of_tenant(tenant));
    let page = list.send().await.unwrap();
    assert_ne!(page.is_truncated(), Some(true));
    let markers = page.delete_markers().iter().map(|marker| format!("delete marker {}", marker.key().unwrap()));
    let mut keys: Vec<_> =
        page.versions().iter().map(|version| version.key().unwrap().to_owned()).chain(markers).collect();
    keys.sort();
    keys
}

/// The status of the newest export of a tenant, from the API.
pub(super) async fn status(api: &Api, tenant: TenantId) -> String {
    let listed = api.get(&format!("/tenants/{tenant}/exports")).await;
    listed.json[0]["status"].as_str().unwrap_or_else(|| panic!("{}", listed.text)).to_owned()
}

/// Inserts documents that cannot be compressed, a megabyte in 16 documents.
pub(super) async fn fill_mongodb(stage: &ProvisioningStage, database: &str, megabytes: usize) {
    let messages = stage.mongo.database(database).collection::<Document>("blobs");
    for megabyte in 0..megabytes {
        let document = |n: usize| {
            let mut bytes = vec![0; 64 << 10];
            rand::fill(&mut bytes[..]);
            let bytes = mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes };
            doc! { "_id": i64::try_from(megabyte * 16 + n).unwrap(), "bytes": bytes }
        };
        messages.insert_many((0..16).map(document)).await.unwrap();
    }
}

/// Inserts rows of about a kilobyte into a table of the tenant.
pub(super) async fn fill_postgresql(stage: &ProvisioningStage, database: &str, megabytes: i32) {
    let inside = inside(stage, database).await;
    let sql = "INSERT INTO divisions (id, name, description)
               SELECT gen_random_uuid(), 'Division ' || n,
                   (SELECT string_agg(md5(n::text || m::text || random()::text), '') FROM generate_series(1, 30) AS m)
               FROM generate_series(1, $1 * 1024) AS n";
    for _ in 0..megabytes / 16 {
        inside.execute(&sql.replace("'Division '", &format!("'{} '", uuid::Uuid::now_v7())), &[&16]).await.unwrap();
    }
}

/// A session with all rights in a tenant's database.
pub(super) async fn inside(stage: &ProvisioningStage, database: &str) -> tokio_postgres::Client {
    let config =
        shared::config::PostgresConfig { statement_timeout: std::time::Duration::from_mins(2), ..stage.world.owner() };
    shared::clients::postgres::connect_once(&config, Some(database)).await.unwrap()
}

/// Follows a link to a file, as somebody without credentials does.
async fn download(url: &str) -> reqwest::Result<reqwest::Response> {
    let authorities = std::fs::read(tests::variable("AWS_CA_BUNDLE")).unwrap();
    let authorities = reqwest::Certificate::from_pem_bundle(&authorities).unwrap();
    let client = reqwest::Client::builder().tls_certs_merge(authorities).build().unwrap();
    client.get(url).send().await
}
