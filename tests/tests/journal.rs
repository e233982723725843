//! The conditions of the journal's SQL, one by one: a statement that names an old token, or an operation that has ended, changes
//! nothing. The states are such that no other condition of the statement prevents it.

#![expect(clippy::unwrap_used, reason = "an unexpected error fails the test")]

use std::time::Duration;

use serde_json::json;
use shared::{
    clients::postgres::{Connection, Postgres},
    operations::{
        Fault, JournalError, Lease, OperationFilter, StepChange, StepName,
        store::{self, journal, progress, removal},
    },
    types::{OperationId, PageRequest},
};
use tests::{Api, World};
use tokio_postgres::Client;

const MINUTE: Duration = Duration::from_mins(1);

struct JournalStage {
    world: World,
    workers: Postgres,
    owner: Client,
    operation: OperationId,
}

impl JournalStage {
    /// A platform with one operation, which is pending.
    async fn new() -> Self {
        let world = Box::pin(World::new()).await;
        world.leaves_contradictions("operations are in states in which one condition alone protects them");
        let created = Api::of(&world).await.create_tenant("kopi").await;
        let operation = created["operation_id"].as_str().unwrap().parse().unwrap();
        Self {
            workers: Postgres::connect(&world.provisioner()).unwrap(),
            owner: world.client().await,
            world,
            operation,
        }
    }

    async fn worker(&self) -> Connection {
        self.workers.get().await.unwrap()
    }

    async fn take(&self) -> Option<Lease> {
        journal::take(&self.worker().await, self.operation, MINUTE).await.unwrap().map(|taken| taken.lease)
    }

    /// Sets columns of the operation.
    async fn set(&self, columns: &str) {
        let sql = format!("UPDATE operations SET {columns} WHERE id = '{}'", self.operation);
        assert_eq!(self.owner.execute(&sql, &[]).await.unwrap(), 1);
    }

    /// The lease expires, and another worker takes the operation.
    async fn taken_over(&self) -> Lease {
        self.set("lease_expires_at = now() - interval '1 ms', next_attempt_at = now()").await;
        self.take().await.unwrap()
    }

    /// Everything that a worker may write about the operation.
    async fn rows(&self) -> String {
        let sql = "SELECT jsonb_build_array(
                       to_jsonb(o), to_jsonb(d), (SELECT jsonb_agg(s ORDER BY position) FROM operation_steps s),
                       (SELECT count(*) FROM outbox WHERE destination = 'provision'))::text
                   FROM operations o JOIN tenant_databases d ON d.name = o.database_name WHERE o.id = $1";
        self.owner.query_one(sql, &[&self.operation.0]).await.unwrap().get(0)
    }

    /// The newest token of the databases, and that of the operation's lease.
    async fn tokens(&self) -> (i64, i64) {
        let sql = "SELECT fence_token, lease_token
                   FROM operations o JOIN tenant_databases d ON d.name = o.database_name WHERE o.id = $1";
        let row = self.owner.query_one(sql, &[&self.operation.0]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Every statement of a worker with this lease is refused and changes nothing.
    async fn assert_fenced(&self, lease: Lease) {
        for statement in Statement::ALL {
            self.set(statement.state()).await;
            let before = self.rows().await;
            let result = self.run(statement, lease).await;
            assert!(matches!(result, Err(JournalError::Fenced)), "{statement:?}: {result:?}");
            assert_eq!(self.rows().await, before, "{statement:?}");
        }
    }

    async fn run(&self, statement: Statement, lease: Lease) -> Result<(), JournalError> {
        let mut client = self.worker().await;
        match statement {
            Statement::Check => journal::check(&client, lease).await,
            Statement::Record => {
                journal::record(&client, lease, StepName::PostgresqlDatabase, StepChange::Started).await
            }
            Statement::SetSchemaVersion => journal::set_schema_version(&client, lease, 7).await,
            Statement::FindSchemaVersion => journal::find_schema_version(&client, lease).await.map(drop),
            Statement::BeginRollback => journal::begin_rollback(&client, lease, "test").await.map(drop),
            Statement::Postpone => journal::postpone(&client, lease, Fault::Transient, "test", MINUTE, None).await,
            Statement::RecordProgress => {
                progress::record(&client, lease, StepName::PostgresqlDatabase, &json!(7), Some(MINUTE)).await
            }
            Statement::Restart => progress::restart(&client, lease, &[StepName::PostgresqlDatabase]).await,
            Statement::WaitUntilDue => removal::wait_until_due(&client, lease, "test").await.map(drop),
            Statement::BeginRemoval | Statement::Succeed | Statement::Fail => {
                let transaction = client.transaction().await.unwrap();
                match statement {
                    Statement::BeginRemoval => removal::begin_removal(&transaction, lease).await?,
                    Statement::Succeed => journal::succeed(&transaction, lease).await?,
                    _ => journal::fail(&transaction, lease).await?,
                }
                transaction.commit().await.unwrap();
                Ok(())
            }
        }
    }
}

/// The statements that a worker runs under its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    Check,
    Record,
    SetSchemaVersion,
    FindSchemaVersion,
    BeginRollback,
    Postpone,
    RecordProgress,
    Restart,
    WaitUntilDue,
    BeginRemoval,
    Succeed,
    Fail,
}

impl Statement {
    const ALL: [Self; 12] = [
        Self::Check,
        Self::Record,
        Self::SetSchemaVersion,
        Self::FindSchemaVersion,
        Self::BeginRollback,
        Self::Postpone,
        Self::RecordProgress,
        Self::Restart,
        Self::WaitUntilDue,
        Self::BeginRemoval,
        Self::Succeed,
        Self::Fail,
    ];

    /// The columns of an operation on which the statement has an effect.
    fn state(self) -> &'static str {
        match self {
            Self::Fail => "status = 'undoing', not_before = NULL",
            Self::WaitUntilDue => "status = 'running', not_before = now() + interval '1 minute'",
            _ => "status = 'running', not_before = NULL",
        }
    }
}

#[tokio::test]
async fn a_worker_with_the_lease_can_run_every_statement() {
    for statement in Statement::ALL {
        let stage = JournalStage::new().await;
        let lease = stage.take().await.unwrap();
        stage.set(&format!("{}, schema_version = 1", statement.state())).await;
        let before = stage.rows().await;
        stage.run(statement, lease).await.unwrap();
        let only_reads = matches!(statement, Statement::Check | Statement::FindSchemaVersion);
        assert_eq!(stage.rows().await == before, only_reads, "{statement:?}");
    }
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_can_write_nothing() {
    let stage = JournalStage::new().await;
    let lost = stage.take().await.unwrap();
    stage.set("schema_version = 1").await;
    let held = stage.taken_over().await;
    assert!(held.token > lost.token);
    stage.assert_fenced(lost).await;
    stage.run(Statement::Check, held).await.unwrap();
}

#[tokio::test]
async fn a_worker_can_write_nothing_with_the_token_from_before_its_own_rollback() {
    let stage = JournalStage::new().await;
    let lost = stage.take().await.unwrap();
    stage.set("schema_version = 1").await;
    let held = journal::begin_rollback(&stage.worker().await, lost, "test").await.unwrap();
    assert!(held.token > lost.token);
    stage.assert_fenced(lost).await;
    stage.run(Statement::Check, held).await.unwrap();
}

#[tokio::test]
async fn nobody_can_write_to_an_operation_that_has_ended() {
    let stage = JournalStage::new().await;
    let lease = stage.take().await.unwrap();
    stage.set("schema_version = 1, finished_at = now()").await;
    stage.assert_fenced(lease).await;
}

#[tokio::test]
async fn every_lease_and_every_rollback_has_a_token_of_its_own() {
    let stage = JournalStage::new().await;
    let first = stage.take().await.unwrap();
    assert_eq!(stage.tokens().await, (first.token, first.token));
    let second = stage.taken_over().await;
    assert_eq!(stage.tokens().await, (second.token, second.token));
    let third = journal::begin_rollback(&stage.worker().await, second, "test").await.unwrap();
    assert_eq!(stage.tokens().await, (third.token, third.token));
    assert!(first.token < second.token && second.token < third.token);
    stage.set("status = 'running'").await;
    let mut client = stage.worker().await;
    let transaction = client.transaction().await.unwrap();
    store::manage::abandon(&transaction, stage.operation, "test").await.unwrap();
    transaction.commit().await.unwrap();
    let (fence, lease) = stage.tokens().await;
    assert!(fence > third.token && lease == fence, "{fence} {lease}");
}

#[tokio::test]
async fn an_operation_is_taken_only_while_it_is_open_due_and_free() {
    let stage = JournalStage::new().await;
    for state in [
        "finished_at = now()",
        "next_attempt_at = now() + interval '1 minute'",
        "lease_expires_at = now() + interval '1 minute'",
    ] {
        stage.set("finished_at = NULL, next_attempt_at = now(), lease_expires_at = NULL").await;
        stage.set(state).await;
        let before = stage.rows().await;
        assert_eq!(stage.take().await, None, "{state}");
        assert_eq!(stage.rows().await, before, "{state}");
    }
}

#[tokio::test]
async fn an_operation_is_woken_only_while_no_worker_has_it() {
    let stage = JournalStage::new().await;
    stage.owner.batch_execute("DELETE FROM outbox").await.unwrap();
    let client = stage.world.api_pool().get().await.unwrap();
    for (lease_expires_at, woken) in [("now() + interval '1 minute'", 0), ("now() - interval '1 second'", 1)] {
        let overdue = "next_attempt_at = now() - interval '1 hour'";
        stage.set(&format!("{overdue}, lease_expires_at = {lease_expires_at}")).await;
        assert_eq!(journal::wake_overdue(&client, MINUTE, MINUTE).await.unwrap(), woken, "{lease_expires_at}");
    }
}

#[tokio::test]
async fn an_operation_that_has_ended_is_not_managed_woken_or_counted() {
    let stage = JournalStage::new().await;
    let overdue = "next_attempt_at = now() - interval '1 hour', created_at = now() - interval '1 hour'";
    stage.set(&format!("finished_at = now(), status = 'running', faults = 5, {overdue}")).await;
    stage.owner.batch_execute("DELETE FROM outbox").await.unwrap();
    let before = stage.rows().await;
    let client = stage.world.api_pool().get().await.unwrap();
    assert_eq!(journal::wake_overdue(&client, MINUTE, MINUTE).await.unwrap(), 0);
    let tenant_id = store::find(&client, stage.operation).await.unwrap().tenant_id;
    assert_eq!(store::find_open(&client, tenant_id).await.unwrap(), None);
    assert!(store::find_oldest_open_age(&client).await.unwrap().abs() < f64::EPSILON);
    let stuck = OperationFilter { stuck: Some(true), ..OperationFilter::default() };
    assert_eq!(store::list(&client, &stuck, PageRequest::default()).await.unwrap().len(), 0);
    let mut client = stage.world.api_pool().get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    store::manage::make_due(&transaction, stage.operation).await.unwrap();
    store::manage::abandon(&transaction, stage.operation, "test").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(stage.rows().await, before);
    // The same operation, open.
    stage.set("finished_at = NULL").await;
    let client = stage.world.api_pool().get().await.unwrap();
    assert_eq!(journal::wake_overdue(&client, MINUTE, MINUTE).await.unwrap(), 1);
    assert!(store::find_open(&client, tenant_id).await.unwrap().is_some());
    assert!(store::find_oldest_open_age(&client).await.unwrap() > 3500.0);
    assert_eq!(store::list(&client, &stuck, PageRequest::default()).await.unwrap().len(), 1);
}
