//! Workers that stand still, wherever and however long, and go on after others have ended their work.

use std::sync::Arc;

use secrecy::ExposeSecret;
use shared::{
    config::Clusters,
    operations::{OperationStatus, StepName},
    provisioning::{Moment, Outcome, Stores},
};
use tests::{
    proxy::{Held, Mode, Proxy},
    variable,
};

use crate::stage::{Asked, Fault, Saboteur, Stage, each, minute, start, stores};

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
    Moment::Applying(StepName::AdminUser),
    Moment::Applying(StepName::Activation),
];

/// What became of the operation while the worker stood still.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Active,
    Failed,
    FailedAndRetried,
}

/// Another worker ends the operation, in one go.
async fn takes_over(stage: &Stage, asked: Asked, meanwhile: Meanwhile) {
    stage.expire(asked.operation).await;
    let status = if matches!(meanwhile, Meanwhile::Active) {
        OperationStatus::Succeeded
    } else {
        stage.turn(asked.operation).await;
        OperationStatus::Failed
    };
    let outcome = stage.worker().run(asked.operation, minute()).await.unwrap();
    assert_eq!(outcome, Outcome::Finished { status, now: true }, "{asked:?} {meanwhile:?}");
    if matches!(meanwhile, Meanwhile::FailedAndRetried) {
        let again = stage.ask_again(asked.tenant).await;
        assert_eq!(stage.finish(again).await, OperationStatus::Succeeded);
    }
}

/// The tenant is what it became, and only that; `database` is the name that its databases had first.
async fn assert_still(stage: &Stage, asked: Asked, database: &str, meanwhile: Meanwhile) {
    match meanwhile {
        Meanwhile::Active => stage.assert_active(asked.tenant).await,
        Meanwhile::Failed => stage.assert_failed(asked.tenant, database).await,
        Meanwhile::FailedAndRetried => {
            stage.assert_active(asked.tenant).await;
            assert_ne!(stage.database(asked.tenant).await, database);
            stage.assert_nothing_under(database).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_others_have_ended_its_work_changes_nothing() {
    let stage = Stage::new().await;
    // Whatever would show in a tenant that has failed shows in one that was retried since.
    let cases = STANDSTILLS
        .into_iter()
        .flat_map(|moment| [Meanwhile::Active, Meanwhile::FailedAndRetried].map(|meanwhile| (moment, meanwhile)));
    each(&stage, cases, |(moment, meanwhile)| {
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
            assert!(matches!(outcome, Outcome::Retry(_)), "{moment:?} {meanwhile:?} {outcome:?}");
            assert_still(&stage, asked, &database, meanwhile).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_in_the_middle_of_undoing_harms_nothing_that_was_made_since() {
    let stage = Stage::new().await;
    let mut moments = vec![Moment::BeginningRollback, Moment::RollbackBegun, Moment::Failing];
    for step in [StepName::PostgresqlDatabase, StepName::MongodbDatabase, StepName::ObjectPrefix] {
        moments.extend([Moment::Undoing(step), Moment::Undone(step)]);
    }
    each(&stage, moments, |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let saboteur =
                Saboteur::new([(Moment::Applying(StepName::Activation), Fault::Permanent), (moment, Fault::Freeze)]);
            let sleeper = start(stage.watched(saboteur.clone()), asked.operation);
            saboteur.frozen().await;
            stage.expire(asked.operation).await;
            // At Turning nobody else knows of the fault, and the next worker makes the tenant active.
            let turned = moment != Moment::BeginningRollback;
            let status = if turned { OperationStatus::Failed } else { OperationStatus::Succeeded };
            let outcome = stage.worker().run(asked.operation, minute()).await.unwrap();
            assert_eq!(outcome, Outcome::Finished { status, now: true }, "{moment:?}");
            if turned {
                stage.assert_retry_works(asked.tenant).await;
            }
            saboteur.thaw();
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, Outcome::Retry(_)), "{moment:?} {outcome:?}");
            stage.assert_active(asked.tenant).await;
        }
    })
    .await;
}

/// What a worker sends to a store, each at a place of its own between the effects.
const SENT: [(StepName, &str); 8] = [
    (StepName::PostgresqlDatabase, "SET application_name"),
    (StepName::PostgresqlDatabase, "CREATE DATABASE"),
    (StepName::PostgresqlDatabase, "REVOKE ALL ON DATABASE"),
    (StepName::AdminUser, "ada@example.com"),
    (StepName::MongodbDatabase, "provisioning_fences"),
    (StepName::MongodbDatabase, "startTransaction"),
    (StepName::MongodbDatabase, "automations"),
    (StepName::MongodbDatabase, "commitTransaction"),
];

/// A worker whose traffic with a store stops in the middle of an exchange, and goes on after another one has ended its
/// work: which that one does at once, whatever the store keeps for the first.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_to_a_store_and_arrives_late_holds_up_nobody_and_takes_no_effect() {
    let stage = Stage::new().await;
    let cases = SENT.into_iter().flat_map(|sent| {
        [Held::Request, Held::Answer]
            .into_iter()
            .flat_map(move |held| [Meanwhile::Active, Meanwhile::Failed].map(|meanwhile| (sent, held, meanwhile)))
    });
    each(&stage, cases, |((step, text), held, meanwhile)| {
        let stage = stage.clone();
        async move {
            let late = Late::new(&stage).await;
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let proxy = late.before(step);
            proxy.hang_at(text, held);
            let sleeper = start(stage.worker_on(Arc::clone(&late.stores)), asked.operation);
            proxy.hung().await;
            takes_over(&stage, asked, meanwhile).await;
            proxy.set(Mode::Pass);
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, Outcome::Retry(_)), "{text} {held:?} {meanwhile:?} {outcome:?}");
            assert_still(&stage, asked, &database, meanwhile).await;
        }
    })
    .await;
}

/// Stores behind proxies.
struct Late {
    stores: Arc<Stores>,
    postgres: Proxy,
    mongo: Proxy,
}

impl Late {
    async fn new(stage: &Stage) -> Self {
        let config = stage.world.provisioner();
        let (postgres, postgres_url) = Proxy::before(&config.url).await;
        // A replica set's members name themselves; the driver must not go round the proxy.
        let (mongo, mongo_url) = Proxy::before(&variable("MONGODB_URL").into()).await;
        let mongo_url = mongo_url.expose_secret().replace("replicaSet=rs0", "directConnection=true");
        let stores = stores(&config, Clusters::single(postgres_url), Clusters::single(mongo_url));
        Self { stores, postgres, mongo }
    }

    /// The proxy before the store of a step.
    fn before(&self, step: StepName) -> &Proxy {
        if step == StepName::MongodbDatabase { &self.mongo } else { &self.postgres }
    }
}
