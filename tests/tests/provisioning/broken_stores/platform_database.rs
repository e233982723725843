//! The platform database. While it is not writable, the reason of an operation cannot be recorded, but nothing is lost.

use shared::{
    operations::StepName,
    provisioning::{Moment, OperationOutcome},
};

use super::Trial;
use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{minute, start},
};

/// Makes the platform database of a trial read-only, or writable again, also for the sessions that exist.
async fn set_read_only(trial: &Trial, is_read_only: bool) {
    let database = &trial.stage.world.database;
    let change = if is_read_only {
        format!("ALTER DATABASE {database} SET default_transaction_read_only = on")
    } else {
        format!("ALTER DATABASE {database} RESET default_transaction_read_only")
    };
    // From another database, whose sessions may write.
    let owner = tests::platform::connect_as_owner("postgres").await;
    owner.batch_execute(&change).await.unwrap();
    tests::platform::end_sessions_in(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_meets_a_read_only_platform_database_goes_on_when_it_is_writable() {
    let trial = Trial::new(|servers| servers).await;
    for moment in
        [Moment::Leased, Moment::Applied(StepName::PostgresqlDatabase), Moment::Applying(StepName::Activation)]
    {
        let requested = trial.stage.request().await;
        let saboteur = Saboteur::new([(moment, Sabotage::Freeze)]);
        let worker = start(trial.stage.watched(saboteur.clone()), requested.operation);
        saboteur.frozen().await;
        set_read_only(&trial, true).await;
        saboteur.thaw();
        let outcome = worker.await.unwrap();
        assert!(matches!(outcome, Ok(OperationOutcome::Open { .. })), "{moment:?}: {outcome:?}");
        // Not even the lease can be taken.
        let refused = trial.worker.run(requested.operation, minute()).await.unwrap_err();
        assert!(refused.is_transient(), "{moment:?}: {}", refused.chain());
        set_read_only(&trial, false).await;
        // Its lease has to expire first.
        trial.stage.expire(requested.operation).await;
        trial.ends_by_itself(requested).await;
    }
}
