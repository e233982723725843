//! The memory of the process that exports a large tenant.

use std::time::Duration;

use shared::operations::OperationStatus;
use tests::{process::TestProcess, processes::memory, worker::WorkerProxies};
use tokio::time::{Instant, sleep};

use super::{Downloaded, fill_mongodb, fill_postgresql};
use crate::stage::ProvisioningStage;

const MEGABYTES: usize = 100;

/// The program of the tests is larger than the function, and not optimized: what counts is what an export adds.
const MAX_GROWTH: u64 = 112 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_an_export_does_not_depend_on_the_size_of_the_tenant() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    fill_mongodb(&stage, &database, MEGABYTES).await;
    fill_postgresql(&stage, &database, i32::try_from(MEGABYTES).unwrap()).await;
    let requested = stage.request_export(tenant).await;
    let proxies = WorkerProxies::new(&stage.world).await;
    let ports = proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let arguments = [&*stage.world.database, &ports, &requested.operation.to_string(), "-", "Leased"];
    let (mut process, _) = TestProcess::start(env!("CARGO_BIN_EXE_run-operation"), &arguments, "started").await;
    process.next("reached").await.unwrap();
    let (before, _) = memory(process.id()).unwrap();
    process.send("go on");
    let (begun, mut most) = (Instant::now(), before);
    let mut ended = tokio::spawn(process.next("ended"));
    while !ended.is_finished() {
        most = memory(process.id()).map_or(most, |(_, highest)| highest);
        sleep(Duration::from_millis(20)).await;
    }
    println!(
        "{:?} after {:?}: {} MiB before, {} MiB at most",
        (&mut ended).await,
        begun.elapsed(),
        before >> 20,
        most >> 20
    );
    assert!(most - before < MAX_GROWTH, "{} MiB", (most - before) >> 20);
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let exported = Downloaded::of(&stage, requested.operation).await;
    assert_eq!(exported.collection("blobs").len(), MEGABYTES * 16);
}
