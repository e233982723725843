//! Markers in tenants' databases.

use serde_json::json;
use shared::{
    error::Error,
    tenant_changes::store::marker::{self, Marker},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stage::{Stage, user_path};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_deletes_some_old_markers_but_not_those_of_open_changes() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    stage.cut_off_deactivation(&tenant, user).await;
    let inside = stage.inside(&tenant).await;
    inside
        .batch_execute(
            "INSERT INTO changes (id) SELECT gen_random_uuid() FROM generate_series(1, 30);
             UPDATE changes SET created_at = now() - interval '2 days';
             INSERT INTO changes (id) VALUES (gen_random_uuid())",
        )
        .await
        .unwrap();
    let mut left = Vec::new();
    for name in ["One", "Two", "Three"] {
        // Another user: a change of the same one would settle the open change.
        stage.api.patch(&user_path(&tenant, tenant.admin), &json!({ "full_name": name })).await;
        let sql = "SELECT count(*) FROM changes WHERE created_at < now() - interval '1 day'";
        left.push(inside.query_one(sql, &[]).await.unwrap().get::<_, i64>(0));
    }
    assert_eq!(left, [11, 1, 1], "the marker of the open change stays");
    let new = "SELECT count(*) FROM changes WHERE created_at > now() - interval '1 day'";
    assert_eq!(inside.query_one(new, &[]).await.unwrap().get::<_, i64>(0), 4);

    assert_eq!(stage.settle().await["changes_settled"], 1);
    assert!(stage.event_types(&tenant).contains(&"user.deactivated".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_older_than_an_hour_cannot_commit() {
    let stage = Stage::new().await;
    let (tenant, _) = stage.tenant().await;
    let mut connection = stage.world.tenant_databases().get("main", &tenant.database).await.unwrap();
    for (age, commits) in [(59, true), (61, false)] {
        let begun_at = OffsetDateTime::now_utc() - time::Duration::minutes(age);
        let marker = Marker { id: Uuid::now_v7(), result: json!({}), begun_at, kept: &[] };
        let transaction = connection.transaction().await.unwrap();
        let inserted = marker::insert(&transaction, &marker).await;
        assert_eq!(inserted.is_ok(), commits, "{age} minutes");
        assert!(commits || matches!(inserted, Err(Error::DeadlineExceeded)), "{inserted:?}");
    }
}
