//! A PostgreSQL cluster of tenants.

use shared::operations::StepName;
use tests::second_server::SecondServer;

use super::{Servers, Trial};

/// A trial on a cluster.
async fn on(server: &SecondServer) -> Trial {
    Trial::with_own(|servers| Servers { postgres: server.cluster(), ..servers }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_its_postgresql_cluster_is_read_only() {
    let server = SecondServer::start().await;
    server.prepare().await;
    let trial = on(&server).await;
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    let (requested, reason) = trial.waits_for("PostgreSQL").await;
    assert!(reason.contains("read-only"), "{reason}");
    assert!(trial.step_error(requested, StepName::PostgresqlDatabase).await.contains("read-only"));
    server.sql("ALTER SYSTEM RESET default_transaction_read_only");
    server.sql("SELECT pg_reload_conf()");
    trial.ends_by_itself(requested).await;
}

/// After a failover to a standby that is not promoted yet.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_its_postgresql_cluster_is_in_recovery() {
    let primary = SecondServer::start().await;
    primary.prepare().await;
    let standby = primary.standby().await;
    drop(primary);
    let trial = on(&standby).await;
    assert_eq!(standby.sql("SELECT pg_is_in_recovery()"), "t");
    let (requested, reason) = trial.waits_for("PostgreSQL").await;
    assert!(reason.contains("read-only"), "{reason}");
    standby.sql("SELECT pg_promote()");
    trial.ends_by_itself(requested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_the_disk_of_its_postgresql_cluster_is_full() {
    /// In KiB, of a database of 8 MiB.
    const LEFT: usize = 2048;
    let mut server = SecondServer::start_on_small_disk(256).await;
    server.prepare().await;
    let trial = on(&server).await;
    server.fill_disk(LEFT);
    let (requested, _) = trial.waits_for("PostgreSQL").await;
    server.free_disk().await;
    trial.ends_by_itself(requested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_its_postgresql_cluster_is_suspended() {
    let server = SecondServer::start().await;
    server.prepare().await;
    let trial = on(&server).await;
    // The worker has connections already.
    let before = trial.stage.request().await;
    trial.ends_by_itself(before).await;
    server.freeze();
    let (requested, _) = trial.waits_for("PostgreSQL").await;
    server.thaw();
    trial.ends_by_itself(requested).await;
}
