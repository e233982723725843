//! Workers that stand still, wherever and however long, and go on after others have ended their work.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use shared::{
    config::Clusters,
    domain::{OperationStatus, StepName, TenantStatus},
    provisioning::{Moment, Outcome},
};
use tests::{
    proxy::{Mode, Proxy},
    variable,
};
use tokio::time::sleep;

use crate::stage::{Asked, Fault, Saboteur, Stage, minute, start, stores};

/// Where a worker can stand still between two of its writes, with the store's effect ahead of it or behind it.
const STANDSTILLS: [Moment; 11] = [
    Moment::Leased,
    Moment::Applying(StepName::Placement),
    Moment::Recorded(StepName::Placement),
    Moment::Applying(StepName::PostgresqlDatabase),
    Moment::Applied(StepName::PostgresqlDatabase),
    Moment::Applying(StepName::MongodbDatabase),
    Moment::Applied(StepName::MongodbDatabase),
    Moment::Applying(StepName::ObjectPrefix),
    Moment::Applied(StepName::ObjectPrefix),
    Moment::Applying(StepName::AdminAgent),
    Moment::Applying(StepName::Activation),
];

/// What became of the operation while the worker stood still.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Active,
    Failed,
    FailedAndRetried,
}

async fn takes_over(stage: &Stage, asked: Asked, meanwhile: Meanwhile) {
    stage.expire(asked.operation).await;
    if matches!(meanwhile, Meanwhile::Active) {
        assert_eq!(stage.finish(asked).await, OperationStatus::Succeeded);
        return;
    }
    stage.turn(asked.operation).await;
    assert_eq!(stage.finish(asked).await, OperationStatus::Failed);
    if matches!(meanwhile, Meanwhile::FailedAndRetried) {
        let again = stage.ask_again(asked.tenant).await;
        assert_eq!(stage.finish(again).await, OperationStatus::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not steady yet on a loaded machine: run it alone with --ignored"]
async fn a_worker_that_wakes_up_after_others_have_ended_its_work_changes_nothing() {
    let stage = Stage::new().await;
    let cases = STANDSTILLS.into_iter().flat_map(|moment| {
        [Meanwhile::Active, Meanwhile::Failed, Meanwhile::FailedAndRetried].map(|meanwhile| (moment, meanwhile))
    });
    let case = |(moment, meanwhile)| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let saboteur = Saboteur::new([(moment, Fault::Freeze)]);
            let sleeper = start(stage.watched(saboteur.clone()), asked.operation);
            saboteur.frozen().await;
            takes_over(&stage, asked, meanwhile).await;
            saboteur.thaw();
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, Outcome::Again(_)), "{moment:?} {meanwhile:?} {outcome:?}");
            match meanwhile {
                Meanwhile::Active => stage.assert_active(asked.tenant).await,
                Meanwhile::Failed => stage.assert_failed(asked.tenant, &database).await,
                Meanwhile::FailedAndRetried => {
                    stage.assert_active(asked.tenant).await;
                    assert_ne!(stage.database(asked.tenant).await, database);
                    stage.assert_nothing_under(&database).await;
                }
            }
        }
    };
    stream::iter(cases).map(case).buffer_unordered(6).collect::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not steady yet on a loaded machine: run it alone with --ignored"]
async fn a_worker_that_wakes_up_in_the_middle_of_undoing_harms_nothing_that_was_made_since() {
    let stage = Stage::new().await;
    let mut moments = vec![Moment::Turning, Moment::Turned, Moment::Failing];
    for step in [StepName::PostgresqlDatabase, StepName::MongodbDatabase, StepName::ObjectPrefix] {
        moments.extend([Moment::Undoing(step), Moment::Undone(step)]);
    }
    let case = |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let saboteur =
                Saboteur::new([(Moment::Applying(StepName::Activation), Fault::Permanent), (moment, Fault::Freeze)]);
            let sleeper = start(stage.watched(saboteur.clone()), asked.operation);
            saboteur.frozen().await;
            stage.expire(asked.operation).await;
            // At Turning nobody else knows of the fault, and the next worker makes the tenant active.
            if stage.finish(asked).await == OperationStatus::Failed {
                stage.assert_retry_works(asked.tenant).await;
            }
            saboteur.thaw();
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, Outcome::Again(_)), "{moment:?} {outcome:?}");
            stage.assert_active(asked.tenant).await;
        }
    };
    stream::iter(moments).map(case).buffer_unordered(6).collect::<()>().await;
}

/// A worker whose traffic with a store is held up at any instant, and arrives after another one has undone its work.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "not steady yet on a loaded machine: run it alone with --ignored"]
async fn what_was_sent_to_a_store_and_arrives_late_takes_no_effect() {
    let stage = Stage::new().await;
    // From the beginning of the steps to beyond their end, a few milliseconds apart.
    let delays = (0..24).map(|n| Duration::from_millis(n * 6));
    let case = |delay: Duration| {
        let stage = stage.clone();
        async move {
            let late = Late::new(&stage).await;
            // Connections are made before, so that what is late is what is asked of the stores, and not the connecting.
            let warm = stage.ask().await;
            stage.worker_on(Arc::clone(&late.stores)).run(warm.operation, minute()).await.unwrap();
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let saboteur = Saboteur::new([(Moment::Recorded(StepName::Placement), Fault::Freeze)]);
            let worker = stage.worker_on(Arc::clone(&late.stores));
            let sleeper = start(
                shared::provisioning::Provisioner { observer: Some(saboteur.clone()), ..worker },
                asked.operation,
            );
            saboteur.frozen().await;
            saboteur.thaw();
            sleep(delay).await;
            late.set(Mode::Hang);
            sleep(Duration::from_millis(50)).await;
            let before = stage.status(asked.tenant).await;
            if before == TenantStatus::Provisioning {
                stage.turn(asked.operation).await;
                stage.expire(asked.operation).await;
                let _ended_or_waiting = stage.worker().run(asked.operation, minute()).await.unwrap();
            }
            late.set(Mode::Pass);
            sleeper.await.unwrap().unwrap();
            let status = stage.finish(asked).await;
            let expected =
                if before == TenantStatus::Active { OperationStatus::Succeeded } else { OperationStatus::Failed };
            assert_eq!(status, expected, "{delay:?}");
            stage.assert_settled(asked.tenant, &database).await;
        }
    };
    stream::iter(delays).map(case).buffer_unordered(4).collect::<()>().await;
}

/// Stores behind proxies.
struct Late {
    stores: Arc<shared::provisioning::Stores>,
    proxies: [Proxy; 2],
}

impl Late {
    async fn new(stage: &Stage) -> Self {
        let postgres = stage.world.provisioner();
        let url = secrecy::ExposeSecret::expose_secret(&postgres.url).to_owned();
        let (postgres_url, to_postgres) = behind_proxy(&url).await;
        // A replica set's members name themselves; the driver must not go round the proxy.
        let (mongo_url, to_mongo) = behind_proxy(&variable("MONGODB_URL")).await;
        let mongo_url = mongo_url.replace("replicaSet=rs0", "directConnection=true");
        let stores = stores(&postgres, Clusters::single(postgres_url), Clusters::single(mongo_url));
        Self { stores, proxies: [to_postgres, to_mongo] }
    }

    fn set(&self, mode: Mode) {
        for proxy in &self.proxies {
            proxy.set(mode);
        }
    }
}

/// The same URL with a proxy in front of its server.
async fn behind_proxy(url: &str) -> (String, Proxy) {
    let (_, rest) = url.split_once('@').unwrap();
    let host = rest.split('/').next().unwrap();
    let proxy = Proxy::to(host).await;
    (url.replace(host, &proxy.address), proxy)
}
