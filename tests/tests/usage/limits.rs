//! A limit that is reached is taken back when the tenant is below it again, and events carry what is to happen at a limit.

use std::sync::Arc;

use mongodb::bson::{DateTime, doc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::types::Month;
use tests::{api::tenant_request, platform::mongo};

use crate::stage::{ProvisionedTenant, UsageStage, id, insert, measure, set_counter, tick};

async fn add_contacts(tenant: &ProvisionedTenant, count: usize) {
    let contact = || {
        let now = DateTime::now();
        doc! { "_id": id(), "name": "Contact", "identities": [], "created_at": now, "updated_at": now }
    };
    insert(&mongo().await, tenant, "contacts", (0..count).map(|_| contact()).collect()).await;
}

async fn remove_contact(tenant: &ProvisionedTenant) {
    let contacts = mongo().await.database(&tenant.database).collection::<mongodb::bson::Document>("contacts");
    assert_eq!(contacts.delete_one(doc! {}).await.unwrap().deleted_count, 1);
}

/// The events about limits that are reached as a whole, or not any more, in their order: `reached`, `below`, with the figure,
/// the value, the limit and the setting.
async fn limit_events(stage: &UsageStage) -> Vec<Value> {
    let sql = "SELECT CASE payload ->> 'type' WHEN 'tenant.usage_below_limit' THEN 'below' ELSE 'reached' END,
                      payload -> 'data'
               FROM outbox
               WHERE payload ->> 'type' = 'tenant.usage_below_limit'
                   OR payload ->> 'type' = 'tenant.usage_threshold_reached' AND payload #>> '{data,percent}' = '100'
               ORDER BY id";
    let rows = stage.owner.query(sql, &[]).await.unwrap();
    let event = |row: &tokio_postgres::Row| {
        let (what, data): (String, Value) = (row.get(0), row.get(1));
        json!([what, data["figure"], data["value"], data["limit"], data["on_limit"]])
    };
    rows.iter().map(event).collect()
}

#[tokio::test]
async fn a_limit_is_taken_back_when_usage_falls_and_announced_again_when_it_rises() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant.id);
    let limits = json!({ "max_agents": 5, "max_contacts": 10, "max_messages_month": 100 });
    let changed = stage.api.patch(&path, &json!({ "limits": limits, "on_limit": "block_new" })).await;
    assert_eq!((changed.status, &changed.json["on_limit"]), (StatusCode::OK, &json!("block_new")), "{}", changed.text);
    let app = Arc::new(stage.function().await);
    add_contacts(&tenant, 10).await;
    for _ in 0..2 {
        measure(&app, &[tenant.id]).await;
    }
    let reached = json!(["reached", "contacts", 10, 10, "block_new"]);
    assert_eq!(limit_events(&stage).await, std::slice::from_ref(&reached));

    remove_contact(&tenant).await;
    for _ in 0..2 {
        measure(&app, &[tenant.id]).await;
    }
    let below = json!(["below", "contacts", 9, 10, "block_new"]);
    assert_eq!(limit_events(&stage).await, [reached.clone(), below.clone()]);

    add_contacts(&tenant, 1).await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(limit_events(&stage).await, [reached.clone(), below, reached]);
    assert_eq!(stage.threshold_events().await.len(), 3, "80 percent is announced once a month");
}

#[tokio::test]
async fn a_changed_limit_is_compared_with_the_usage_at_once() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant.id);
    add_contacts(&tenant, 10).await;
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    assert_eq!(limit_events(&stage).await, Vec::<Value>::new());
    for limit in [json!(10), json!(11), json!(7), Value::Null] {
        let changed = stage.api.patch(&path, &json!({ "limits": { "max_contacts": limit } })).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    }
    let events = limit_events(&stage).await;
    let expected = [
        json!(["reached", "contacts", 10, 10, "notify"]),
        json!(["below", "contacts", 10, 11, "notify"]),
        json!(["reached", "contacts", 10, 7, "notify"]),
        json!(["below", "contacts", 10, null, "notify"]),
    ];
    assert_eq!(events, expected);
    // The event of a change precedes those that follow from it.
    let order = "SELECT payload ->> 'type' FROM outbox WHERE destination = 'event' ORDER BY id DESC LIMIT 2";
    let order: Vec<String> = stage.owner.query(order, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(order, ["tenant.usage_below_limit", "tenant.updated"]);
}

#[tokio::test]
async fn a_tenant_that_is_deleted_has_reached_no_limit() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant.id);
    add_contacts(&tenant, 10).await;
    let changed = stage.api.patch(&path, &json!({ "limits": { "max_contacts": 10 } })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    let reached = async || stage.api.get(&format!("{path}?include=limits_reached")).await.json["limits_reached"].take();
    assert_eq!(reached().await[0]["figure"], "contacts");
    stage.world.leaves_contradictions("the databases of the tenant were never dropped");
    stage.sql(&format!("UPDATE tenants SET status = 'deleted' WHERE id = '{}'", tenant.id)).await;
    assert_eq!(reached().await, json!([]));
}

#[tokio::test]
async fn messages_are_below_their_limit_when_the_month_ends() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let path = format!("/tenants/{}", tenant.id);
    stage.api.patch(&path, &json!({ "limits": { "max_messages_month": 10 } })).await;
    set_counter(tenant.id, Month::current(), "12").await;
    for _ in 0..2 {
        tick(stage.function().await).await.unwrap();
    }
    let reached = json!(["reached", "messages_month", 12, 10, "notify"]);
    assert_eq!(limit_events(&stage).await, std::slice::from_ref(&reached));
    // The counter of the next month does not exist yet, and services that block messages do not create it.
    stage.sql("UPDATE tenant_usage SET month = month - interval '1 month'").await;
    set_counter(tenant.id, Month::current(), "0").await;
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    assert_eq!(limit_events(&stage).await, [reached, json!(["below", "messages_month", 0, 10, "notify"])]);
}

#[tokio::test]
async fn what_happens_at_a_limit_is_a_setting_of_the_tenant_that_events_carry() {
    let stage = UsageStage::new().await;
    let mut request = tenant_request("kopi-kenangan");
    request["on_limit"] = json!("block_new");
    let blocking = stage.api.post("/tenants", &request).await;
    assert_eq!((blocking.status, &blocking.json["on_limit"]), (StatusCode::CREATED, &json!("block_new")));
    let notifying = stage.api.create_tenant("teh-botol").await;
    assert_eq!(notifying["on_limit"], "notify");
    let events =
        "SELECT payload #>> '{data,on_limit}' FROM outbox WHERE payload ->> 'type' = 'tenant.requested' ORDER BY id";
    let carried: Vec<String> = stage.owner.query(events, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(carried, ["block_new", "notify"]);
    for invalid in [json!("block"), json!(null), json!(1)] {
        let mut request = tenant_request("kopi-susu");
        request["on_limit"] = invalid.clone();
        let refused = stage.api.post("/tenants", &request).await;
        assert_eq!(
            (refused.status, refused.faults()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["/on_limit".to_owned()])
        );
    }

    let tenant = stage.provision("kopi-jago").await;
    let path = format!("/tenants/{}", tenant.id);
    let changed = stage.api.patch(&path, &json!({ "on_limit": "block_new" })).await;
    assert_eq!((changed.status, &changed.json["on_limit"]), (StatusCode::OK, &json!("block_new")), "{}", changed.text);
    assert_eq!(stage.api.get(&path).await.json, changed.json);
    let same = stage.api.patch(&path, &json!({ "on_limit": "block_new" })).await;
    assert_eq!(same.header("etag"), changed.header("etag"), "a patch that changes nothing");
    let updated = "SELECT FROM outbox WHERE payload ->> 'type' = 'tenant.updated' AND payload #>> '{data,on_limit}' = 'block_new'";
    assert_eq!(stage.world.count(updated).await, 1);
    let audited = "SELECT FROM audit WHERE action = 'tenant.update' AND details #>> '{before,on_limit}' = 'notify'
                   AND details #>> '{after,on_limit}' = 'block_new'";
    assert_eq!(stage.world.count(audited).await, 1);
}
