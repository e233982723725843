//! What an export contains, beside what the stores' own clients read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Decimal128, Document, Timestamp, doc, oid::ObjectId};
use serde_json::json;
use shared::{exports::ObjectLine, operations::OperationStatus, tenants::TenantStatus};
use tokio::time::sleep;

use super::{Downloaded, inside};
use crate::stage::ProvisioningStage;

/// A row in every table, with values that need escapes.
const ROWS: &str = r#"
    INSERT INTO roles (name, description) VALUES ('night_shift', E'Tab\t, line\n, backslash \\ and "quotes"');
    INSERT INTO role_permissions VALUES ('night_shift', 'reports.read');
    INSERT INTO users (id, email, full_name, role, last_seen_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'ümlaut@example.com', E'\\N', 'night_shift', '2026-01-01T01:02:03.456789+02');
    INSERT INTO divisions (id, name, description) VALUES ('00000000-0000-7000-8000-000000000002', 'Sales', '');
    INSERT INTO user_divisions VALUES ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002');
    INSERT INTO impersonations (id, user_id, super_admin, reason, access, started_at, expires_at)
    VALUES (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'ada', 'Looks into it', 'read', now(), now());
    INSERT INTO platform_actions (id, user_id, action, super_admin, reason)
    VALUES (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'password_set', 'ada', 'Asked for it');
    INSERT INTO settings (name, value) VALUES ('odd', '{"b": [1, 2.50, null], "a": "x"}');
    INSERT INTO changes (id, result) VALUES (gen_random_uuid(), '{}');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_contains_every_row_document_and_object() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    let session = inside(&stage, &database).await;
    session.batch_execute(ROWS).await.unwrap();
    let mongo = stage.mongo.database(&database);
    let odd = doc! {
        "z": 1, "a": 2_i64, "double": 1.0, "text": "line\nfeed \u{1F600}", "at": DateTime::from_millis(1_768_469_400_123),
        "decimal": "1.50".parse::<Decimal128>().unwrap(), "id": ObjectId::new(), "none": Bson::Null,
        "nested": { "y": [1, { "x": true }], "b": {} }, "time": Timestamp { time: 7, increment: 1 },
    };
    let ids =
        [Bson::Int32(7), "text".into(), ObjectId::new().into(), Bson::Double(7.5), doc! { "b": 1, "a": 2 }.into()];
    let documents = ids.into_iter().map(|id| {
        let mut document = doc! { "_id": id };
        document.extend(odd.clone());
        document
    });
    mongo.collection::<Document>("scratch").insert_many(documents).await.unwrap();
    for (key, body) in
        [("media/1", &b"one"[..]), ("media/1", b"two"), ("media/ümlaut \"2\"", b""), ("media/gone", b"x")]
    {
        let put = stage.s3.put_object().bucket(&stage.bucket).key(format!("{}{key}", tenant.object_prefix()));
        put.body(body.to_vec().into()).send().await.unwrap();
    }
    let gone = format!("{}media/gone", tenant.object_prefix());
    stage.s3.delete_object().bucket(&stage.bucket).key(gone).send().await.unwrap();

    let requested = stage.request_export(tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    assert_eq!(stage.status(tenant).await, TenantStatus::Active);
    let exported = Downloaded::of(&stage, requested.operation).await;

    let settings = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 3";
    session.batch_execute(settings).await.unwrap();
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'changes'";
    let tables: Vec<String> = session.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(exported.manifest.postgresql.tables.len(), tables.len());
    for name in &tables {
        let entry = exported.manifest.postgresql.tables.iter().find(|table| table.name == *name).unwrap();
        let copy = format!("COPY (SELECT {} FROM {name}) TO STDOUT", entry.columns.join(", "));
        let rows: Vec<_> = session.copy_out(&copy).await.unwrap().try_collect().await.unwrap();
        let mut expected: Vec<_> =
            rows.iter().map(|row| std::str::from_utf8(&row[..]).unwrap().trim_end_matches('\n').to_owned()).collect();
        let mut lines = exported.table(name);
        expected.sort();
        lines.sort();
        assert_eq!(lines, expected, "{name}");
        assert!(!lines.is_empty(), "{name}");
    }
    let users = exported.manifest.postgresql.tables.iter().find(|table| table.name == "users").unwrap();
    assert!(!users.columns.contains(&"search_text".to_owned()), "{:?}", users.columns);
    let position =
        |name: &str| exported.manifest.postgresql.tables.iter().position(|table| table.name == name).unwrap();
    assert!(position("roles") < position("users") && position("users") < position("user_divisions"));

    let mut names = mongo.list_collection_names().await.unwrap();
    names.sort();
    let collections = &exported.manifest.mongodb.collections;
    assert_eq!(
        collections.iter().map(|collection| &collection.name).collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    for name in &names {
        let found = mongo.collection::<Document>(name);
        let sorted = found.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        let expected: Vec<Document> = sorted.try_collect().await.unwrap();
        assert_eq!(exported.collection(name), expected, "{name}");
    }

    let objects = exported.lines(&exported.manifest.objects.content);
    let objects: Vec<ObjectLine> = objects.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<_> = objects.iter().map(|object| (object.key.as_str(), object.bytes)).collect();
    assert_eq!(keys, [("media/1", 3), ("media/ümlaut \"2\"", 0)]);
    let version = objects[0].version_id.clone().unwrap();
    let key = format!("{}media/1", tenant.object_prefix());
    let found = stage.s3.get_object().bucket(&stage.bucket).key(&key).version_id(version).send().await.unwrap();
    assert_eq!(found.body.collect().await.unwrap().to_vec(), b"two");

    assert_eq!(exported.manifest.tenant.id, tenant);
    assert_eq!(stage.events(tenant, "tenant.exported").await, 1);
    let audited = format!("SELECT FROM audit WHERE tenant_id = '{tenant}' AND action = 'tenant.exported'");
    assert_eq!(stage.count(&audited).await, 1);
}

/// Transactions that write to two tables, or to two collections, are in an export with both of their rows or with none.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_contains_whole_transactions_while_a_tenant_is_in_use() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    super::fill_postgresql(&stage, &database, 32).await;
    super::fill_mongodb(&stage, &database, 16).await;
    let (ends, rows, documents) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let session = inside(&stage, &database).await;
    let (end, count) = (Arc::clone(&ends), Arc::clone(&rows));
    let postgres = tokio::spawn(async move {
        while !end.load(Ordering::Relaxed) {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // The table that is copied last first, so that a copy without a snapshot would see one row only.
            let sql = format!(
                "BEGIN; INSERT INTO settings (name, value) VALUES ('transfer {number}', '1');
                 INSERT INTO divisions (id, name) VALUES (gen_random_uuid(), 'transfer {number}'); COMMIT"
            );
            session.batch_execute(&sql).await.unwrap();
        }
    });
    let (mongo, name, end, count) = (stage.mongo.clone(), database.clone(), Arc::clone(&ends), Arc::clone(&documents));
    let collection = |of: &str| stage.mongo.database(&database).collection::<Document>(of);
    for of in ["alpha", "omega"] {
        collection(of).insert_one(doc! { "_id": -1 }).await.unwrap();
    }
    let writer = tokio::spawn(async move {
        let mut session = mongo.start_session().await.unwrap();
        while !end.load(Ordering::Relaxed) {
            let number = count.fetch_add(1, Ordering::Relaxed);
            session.start_transaction().await.unwrap();
            for of in ["omega", "alpha"] {
                let collection = mongo.database(&name).collection::<Document>(of);
                collection.insert_one(doc! { "_id": number }).session(&mut session).await.unwrap();
            }
            session.commit_transaction().await.unwrap();
        }
    });
    sleep(Duration::from_millis(300)).await;
    let requested = stage.request_export(tenant).await;
    let before = (rows.load(Ordering::Relaxed), documents.load(Ordering::Relaxed));
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let after = (rows.load(Ordering::Relaxed), documents.load(Ordering::Relaxed));
    ends.store(true, Ordering::Relaxed);
    postgres.await.unwrap();
    writer.await.unwrap();
    println!("transactions before and after: {before:?} {after:?}");
    assert!(after.0 > before.0 + 10 && after.1 > before.1 + 10, "too few transactions happened meanwhile");

    let exported = Downloaded::of(&stage, requested.operation).await;
    let transfers = |table: &str| exported.table(table).iter().filter(|line| line.contains("transfer ")).count();
    assert_eq!(transfers("settings"), transfers("divisions"));
    assert!(transfers("settings") > 0);
    assert_eq!(exported.collection("alpha"), exported.collection("omega"));
    assert!(exported.collection("alpha").len() > 1);
    let at = json!(exported.manifest.mongodb.cluster_time);
    assert!(at["seconds"].as_u64().unwrap() > 0, "{at}");
}
