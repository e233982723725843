//! Files of exports that should not exist are found, and never removed.

use shared::{
    exports::prefix,
    operations::OperationStatus,
    reconciliation::{FindingKind, FindingStore},
    types::{ExportId, TenantId},
};

use super::{Reconciling, kinds};

#[tokio::test(flavor = "multi_thread")]
async fn files_of_expired_and_of_unknown_exports_are_found_and_others_are_left_alone() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    stage.world.leaves_contradictions("files of an unknown export");
    let (active, _) = all.active().await;
    let tenant = active.tenant;
    let requested = stage.request_export(tenant).await;
    let client = stage.owner.get().await.unwrap();
    let sql = "SELECT id FROM exports WHERE operation_id = $1";
    let known = ExportId(client.query_one(sql, &[&requested.operation.0]).await.unwrap().get(0));
    let unknown = prefix(tenant, ExportId::generate());
    let of_nobody = prefix(TenantId::generate(), known);
    let odd = format!("exports/{tenant}/odd/");
    for prefix in [&unknown, &of_nobody, &odd] {
        all.put(format!("{prefix}manifest/1/manifest.json")).await;
    }
    let running = format!("{}postgresql/1/users.copy.gz", prefix(tenant, known));
    all.put(running.clone()).await;
    let found = async |prefix: &str| {
        let report = all.run(false).await;
        all.about(&report, prefix).await
    };
    let known = prefix(tenant, known);
    for prefix in [&unknown, &of_nobody, &odd] {
        assert_eq!(
            kinds(&found(prefix).await),
            [(FindingKind::Unknown, FindingStore::ObjectStorage, None)],
            "{prefix}"
        );
    }
    assert!(found(&known).await.is_empty(), "its operation is running");
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    assert!(found(&known).await.is_empty(), "it is complete");
    all.sql("UPDATE exports SET expires_at = now() - interval '2 days'").await;
    assert!(found(&known).await.is_empty(), "the bucket may take its time");
    all.sql("UPDATE exports SET expires_at = now() - interval '4 days'").await;
    let expired = found(&known).await;
    assert_eq!(kinds(&expired), [(FindingKind::Orphan, FindingStore::ObjectStorage, None)]);
    assert!(expired[0].detail.as_deref().unwrap().contains("rule"), "{expired:?}");
    all.sql(
        "UPDATE exports SET finished_at = NULL, expires_at = NULL, manifest_key = NULL, manifest_sha256 = NULL,
                            summary = NULL",
    )
    .await;
    let failed = found(&known).await;
    assert!(failed[0].detail.as_deref().unwrap().contains("not completed"), "{failed:?}");

    let left =
        stage.s3.list_objects_v2().bucket(&stage.bucket).prefix(format!("exports/{tenant}/")).send().await.unwrap();
    assert!(left.contents().iter().any(|object| object.key().unwrap().starts_with(&unknown)), "nothing is removed");
    let nobody = stage.s3.list_objects_v2().bucket(&stage.bucket).prefix(&of_nobody).send().await.unwrap();
    for object in left.contents().iter().chain(nobody.contents()) {
        stage.s3.delete_object().bucket(&stage.bucket).key(object.key().unwrap()).send().await.unwrap();
    }
}
