//! Restores: a copy of a tenant from its export is equal to the tenant, whatever happens meanwhile, or nothing is left of it.

mod copied_objects;
mod faults;
mod promotion;
mod refusals;
mod versions;

pub(crate) use self::promotion::Pair;

use std::collections::BTreeMap;

use aws_sdk_s3::Client as S3;
use futures::TryStreamExt;
use mongodb::{
    Database,
    bson::{
        Binary, Bson, DateTime, Decimal128, Document, RawDocumentBuf, Regex, Timestamp, doc, oid::ObjectId,
        spec::BinarySubtype,
    },
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::postgres::connect_once,
    operations::OperationStatus,
    tenants::TenantStatus,
    types::{ExportId, TenantId},
};
use tests::{Answer, Api, api::answer};
use uuid::Uuid;

use crate::{
    access::Service,
    stage::{ProvisioningStage, Requested},
};

const REASON: &str = "Contacts were deleted by mistake";

/// A tenant with rows, documents and objects of every kind, and a complete export of it.
pub(crate) struct Exported {
    pub(crate) tenant: TenantId,
    pub(crate) database: String,
    pub(crate) export: ExportId,
}

impl Exported {
    pub(crate) async fn new(stage: &ProvisioningStage, size: i32) -> Self {
        let tenant = stage.active().await.tenant;
        let database = stage.database(tenant).await;
        fill_postgres(stage, &database, size).await;
        fill_mongo(&stage.mongo.database(&database), size).await;
        for (key, body) in [("media/1", "one"), ("media/ä +%&?=.png", "two"), ("z/empty", "")] {
            put(&stage.s3, &stage.bucket, tenant, key, body).await;
        }
        let export = export(stage, tenant).await;
        Self { tenant, database, export }
    }

    /// Requests a restore, as a super-admin does.
    pub(crate) async fn request(&self, api: &Api) -> Requested {
        let answer = self.request_with(api, &json!({ "reason": REASON })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        requested(&answer.json)
    }

    async fn request_with(&self, api: &Api, body: &Value) -> Answer {
        answer(api.request(Method::POST, &self.path()).json(body)).await
    }

    fn path(&self) -> String {
        format!("/tenants/{}/exports/{}/restore", self.tenant, self.export)
    }

    /// A restored copy, which is suspended.
    pub(crate) async fn restored(&self, stage: &ProvisioningStage, api: &Api) -> TenantId {
        let requested = self.request(api).await;
        assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
        requested.tenant
    }
}

/// The tenant and the operation of a response.
fn requested(json: &Value) -> Requested {
    Requested {
        tenant: json["id"].as_str().unwrap().parse().unwrap(),
        operation: json["operation_id"].as_str().unwrap().parse().unwrap(),
    }
}

/// Exports a tenant.
pub(crate) async fn export(stage: &ProvisioningStage, tenant: TenantId) -> ExportId {
    let (requested, export) = request_export(stage, tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    export
}

/// Requests an export.
async fn request_export(stage: &ProvisioningStage, tenant: TenantId) -> (Requested, ExportId) {
    let requested = stage.request_export(tenant).await;
    let client = stage.owner.get().await.unwrap();
    let sql = "SELECT id FROM exports WHERE operation_id = $1";
    (requested, ExportId(client.query_one(sql, &[&requested.operation.0]).await.unwrap().get(0)))
}

async fn fill_postgres(stage: &ProvisioningStage, database: &str, size: i32) {
    let inside = connect_once(&stage.world.owner(), Some(database)).await.unwrap();
    let rows = format!(
        r#"SET statement_timeout = 0;
           INSERT INTO users (id, email, full_name, role, last_seen_at, created_at)
           SELECT gen_random_uuid(), 'user' || n || '@kopi.example',
                  CASE n % 4 WHEN 0 THEN E'Tab\t and back\\slash' WHEN 1 THEN E'two\nlines' WHEN 2 THEN 'Sari "ä" 東京 \N'
                       ELSE '' END || n,
                  'agent', CASE WHEN n % 2 = 0 THEN now() END, timestamptz '2026-01-01 00:00:00.123456+07' + n * interval '1 s'
           FROM generate_series(1, {size}) AS n;
           INSERT INTO divisions (id, name) SELECT gen_random_uuid(), 'Division ' || n FROM generate_series(1, 3) AS n;
           INSERT INTO user_divisions SELECT u.id, d.id FROM (SELECT id FROM users LIMIT 50) u CROSS JOIN divisions d;
           INSERT INTO impersonations (id, user_id, super_admin, reason, access, started_at, expires_at)
           SELECT gen_random_uuid(), id, 'ada@landlord.example', 'Looks into an inbox', 'read', now(), now() FROM users LIMIT 5;
           INSERT INTO platform_actions (id, user_id, action, super_admin, reason)
           SELECT gen_random_uuid(), id, 'password_set', 'ada@landlord.example', 'They cannot reset it' FROM users LIMIT 5;
           INSERT INTO roles (name, description) VALUES ('night_shift', 'Answers at night');
           INSERT INTO role_permissions VALUES ('night_shift', 'reports.read');
           INSERT INTO settings (name, value) VALUES ('odd', '{{"a": [1.50, null, "\u00e4\n\\"]}}');
           DELETE FROM settings WHERE name = 'retention'"#
    );
    inside.batch_execute(&rows).await.unwrap();
}

async fn fill_mongo(database: &Database, size: i32) {
    let at = DateTime::from_millis(1_767_225_600_123);
    let contact = |n: i32| {
        doc! { "_id": Uuid::from_u128(u128::from(n.unsigned_abs())).to_string(), "name": format!("Sari {n}"),
        "identities": [{ "kind": "whatsapp", "external_id": format!("62{n}") }],
        "attributes": { "z": n, "a": i64::from(n), "score": f64::from(n) / 3.0, "text": "x".repeat(200) },
        "created_at": at, "updated_at": at }
    };
    let contacts = database.collection::<Document>("contacts");
    for from in (0..size).step_by(1000) {
        contacts.insert_many((from..size.min(from + 1000)).map(contact)).await.unwrap();
    }
    // Ids of several types, and a collection that no migration creates.
    let ids = [
        Bson::Int32(7),
        Bson::Int64(8),
        Bson::String("7".to_owned()),
        Bson::ObjectId(ObjectId::from_bytes([7; 12])),
        Bson::Document(doc! { "b": 1, "a": 2 }),
        Bson::DateTime(at),
    ];
    let odd = |id: Bson| {
        doc! { "_id": id, "decimal": "1.05E+3".parse::<Decimal128>().unwrap(), "double": -0.0, "infinite": f64::INFINITY,
        "binary": Binary { subtype: BinarySubtype::Uuid, bytes: vec![255; 16] },
        "regex": Bson::RegularExpression(Regex {
            pattern: "^a\"".to_owned().try_into().unwrap(), options: "i".to_owned().try_into().unwrap()
        }),
        "timestamp": Timestamp { time: u32::MAX, increment: 1 }, "nothing": Bson::Null, "min": Bson::MinKey,
        "nested": { "b": [{ "d": 1_i64, "c": [] }], "a": {} }, "text": "nul \u{1} line \n" }
    };
    database.collection::<Document>("scratch").insert_many(ids.map(odd)).await.unwrap();
    // One that does not match the validator of its collection.
    let messages = database.collection::<Document>("messages");
    let odd = messages.insert_one(doc! { "_id": 1 });
    odd.bypass_document_validation(true).await.unwrap();
}

async fn put(s3: &S3, bucket: &str, tenant: TenantId, key: &str, body: &str) {
    let key = format!("{}{key}", tenant.object_prefix());
    let put = s3.put_object().bucket(bucket).key(key).body(body.as_bytes().to_vec().into());
    put.content_type("text/x-test").send().await.unwrap();
}

/// Everything of a tenant, as the stores' own clients read it.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    rows: BTreeMap<String, Vec<String>>,
    documents: BTreeMap<String, Vec<RawDocumentBuf>>,
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
}

impl Contents {
    pub(crate) async fn of(stage: &ProvisioningStage, tenant: TenantId) -> Self {
        let database = stage.database(tenant).await;
        Self {
            rows: rows(stage, &database).await,
            documents: documents(&stage.mongo.database(&database)).await,
            objects: objects(&stage.s3, &stage.bucket, tenant).await,
        }
    }

    /// Panics with the first differences only, because the contents are large.
    pub(crate) fn assert_equal(&self, other: &Self) {
        assert_eq!(self.rows.keys().collect::<Vec<_>>(), other.rows.keys().collect::<Vec<_>>());
        for (table, rows) in &self.rows {
            let differs = rows.iter().zip(&other.rows[table]).find(|(one, other)| one != other);
            assert_eq!((differs, rows.len()), (None, other.rows[table].len()), "{table}");
        }
        let names = |of: &Self| of.documents.iter().map(|(name, of)| (name.clone(), of.len())).collect::<Vec<_>>();
        assert_eq!(names(self), names(other));
        for (collection, documents) in &self.documents {
            let differs = documents.iter().zip(&other.documents[collection]).find(|(one, other)| one != other);
            assert_eq!(differs, None, "{collection}");
        }
        assert_eq!(self.objects, other.objects);
    }
}

/// The rows of every table as text, without the markers of changes.
async fn rows(stage: &ProvisioningStage, database: &str) -> BTreeMap<String, Vec<String>> {
    let inside = connect_once(&stage.world.owner(), Some(database)).await.unwrap();
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'changes'";
    let mut rows = BTreeMap::new();
    for table in inside.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let all = inside.query(&format!("SELECT t::text FROM public.{table} t ORDER BY 1"), &[]).await.unwrap();
        rows.insert(table, all.iter().map(|row| row.get(0)).collect());
    }
    rows
}

/// The bytes of every document.
async fn documents(database: &Database) -> BTreeMap<String, Vec<RawDocumentBuf>> {
    let mut documents = BTreeMap::new();
    for name in database.list_collection_names().await.unwrap() {
        let all = database.collection::<RawDocumentBuf>(&name).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        documents.insert(name, all.try_collect().await.unwrap());
    }
    documents
}

/// The bytes and the type of every object, without the markers of operations.
async fn objects(s3: &S3, bucket: &str, tenant: TenantId) -> BTreeMap<String, (Vec<u8>, Option<String>)> {
    let prefix = tenant.object_prefix();
    let listed = s3.list_objects_v2().bucket(bucket).prefix(&prefix).send().await.unwrap();
    let mut objects = BTreeMap::new();
    for object in listed.contents() {
        let key = object.key().unwrap();
        let name = key.strip_prefix(&prefix).unwrap();
        if !name.starts_with(".landlord/") {
            let read = s3.get_object().bucket(bucket).key(key).send().await.unwrap();
            let kind = read.content_type().map(ToOwned::to_owned);
            objects.insert(name.to_owned(), (read.body.collect().await.unwrap().to_vec(), kind));
        }
    }
    objects
}

fn problem(name: &str) -> String {
    format!("/api/super-admin/problems/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_equal_to_the_tenant_and_suspended() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, 3000).await;
    let exported_contents = Contents::of(&stage, exported.tenant).await;
    assert_eq!(exported_contents.rows["users"].len(), 3001);
    assert_eq!(exported_contents.documents["contacts"].len(), 3000);
    assert_eq!(exported_contents.documents["scratch"].len(), 6);
    assert_eq!(exported_contents.objects.len(), 3);
    let original = api.get(&format!("/tenants/{}", exported.tenant)).await.json;
    // The tenant goes on meanwhile, and the copy shows it as it was.
    let inside = connect_once(&stage.world.owner(), Some(&exported.database)).await.unwrap();
    inside.batch_execute("DELETE FROM users WHERE email LIKE 'user9%'").await.unwrap();
    let contacts = stage.mongo.database(&exported.database).collection::<Document>("contacts");
    contacts.delete_many(doc! { "name": { "$regex": "9$" } }).await.unwrap();
    let (changed, database) = (Contents::of(&stage, exported.tenant).await, exported.database.clone());

    let body = json!({ "reason": REASON });
    let request = || api.request(Method::POST, &exported.path()).header("idempotency-key", "restore-1").json(&body);
    let first = answer(request()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let again = answer(request()).await;
    assert_eq!(again.json, first.json, "the request is repeated");
    let copy = requested(&first.json);
    assert_eq!(first.header("location"), format!("/api/super-admin/tenants/{}", copy.tenant));
    assert_eq!(first.json["status"], "provisioning");
    let source = json!({ "tenant_id": exported.tenant, "export_id": exported.export });
    assert_eq!(first.json["restored_from"], source);
    assert_eq!(original["restored_from"], Value::Null);
    let slug = first.json["slug"].as_str().unwrap();
    assert!(slug.contains("-restored-"), "{slug}");
    for field in ["name", "limits", "country", "on_limit"] {
        assert_eq!(first.json[field], original[field], "{field}");
    }

    assert_eq!(stage.finish(copy).await, OperationStatus::Succeeded);
    let shown = api.get(&format!("/tenants/{}", copy.tenant)).await.json;
    assert_eq!(shown["status"], "suspended");
    assert_eq!(shown["suspension"]["reason"], "restored_copy");
    assert_eq!(shown["suspension"]["comment"], Value::Null, "no object is missing");
    assert_eq!(shown["schema_version"], original["schema_version"]);
    assert_ne!(shown["mongo_database"], original["mongo_database"]);
    Contents::of(&stage, copy.tenant).await.assert_equal(&exported_contents);
    Contents::of(&stage, exported.tenant).await.assert_equal(&changed);
    assert_eq!(stage.status(exported.tenant).await, TenantStatus::Active);
    assert_eq!(stage.database(exported.tenant).await, database);
    assert_eq!(stage.events(copy.tenant, "tenant.requested").await, 1);
    assert_eq!(stage.events(copy.tenant, "tenant.suspended").await, 1);

    // No service may use it, until a super-admin reactivates it.
    let service = Service::of(&stage, copy.tenant).await;
    assert!(!service.may_connect().await);
    assert_eq!(stage.services_login(&stage.database(copy.tenant).await).await, (0, 0));
    let resumed = stage.request_status(copy.tenant, TenantStatus::Active).await;
    assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
    assert!(service.may_connect().await);
    service.end().await;
    let users = api.get(&format!("/tenants/{}/users?limit=5&search=user99", copy.tenant)).await;
    assert_eq!(users.json.as_array().unwrap().len(), 5, "{}", users.text);
}
