//! The operations and audit entries of a tenant since it was requested, as the functions would have recorded them.

use rand::RngExt;
use serde_json::{Value, json};
use shared::{
    operations::{OperationKind, OperationStatus, StepName, StepStatus},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus},
    types::Limits,
};
use slug::slugify;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    places::Place,
    random::{chance, choose, id_at, time_between},
    rows::{SeededAuditEntry, SeededOperation, SeededPendingAdmin, SeededStep, SeededTenant},
    tenants::{batch::TenantBatch, run::SeedRun},
};

/// Reasons of failed operations, with the number of attempts.
const FAILURES: [(&str, i32); 3] = [
    ("MongoDB could not be reached, or did not answer in time", 5),
    ("PostgreSQL could not be reached, or did not answer in time", 5),
    ("object storage answered: AccessDenied", 1),
];
/// The percentages of active tenants that were retried, and whose limits were raised.
const RETRIED_PERCENT: u32 = 4;
const RAISED_PERCENT: u32 = 25;

/// Adds the history to the batch, and updates the revision and the time of change of the tenant.
pub(super) fn write(run: &mut SeedRun, batch: &mut TenantBatch, tenant: &mut SeededTenant, place: Place) {
    let mut history = HistoryWriter { run, batch, tenant };
    let email = history.admin_email(place);
    let active_since = if history.tenant.status == TenantStatus::Failed.as_str() {
        history.create(&email, false);
        history.keep_pending_admin(email);
        return;
    } else if chance(&mut history.run.rng, RETRIED_PERCENT) {
        let failed = history.create(&email, false);
        history.retry(failed)
    } else {
        history.create(&email, true)
    };
    history.update_since(active_since);
}

struct HistoryWriter<'a> {
    run: &'a mut SeedRun,
    batch: &'a mut TenantBatch,
    tenant: &'a mut SeededTenant,
}

impl HistoryWriter<'_> {
    fn admin_email(&mut self, place: Place) -> String {
        let (first, last) = place.person(&mut self.run.rng);
        format!("{}.{}@{}.example", slugify(&first), slugify(&last), self.tenant.slug)
    }

    /// A failed tenant keeps its first user, which a retry creates.
    fn keep_pending_admin(&mut self, email: String) {
        self.batch.pending_admins.push(SeededPendingAdmin {
            tenant_id: self.tenant.id,
            user_id: id_at(&mut self.run.rng, self.tenant.created_at),
            email,
            password_hash: self.run.password_hash.clone(),
        });
    }

    /// Adds the creation and its operation, and returns the time when the operation finished.
    fn create(&mut self, email: &str, succeeds: bool) -> OffsetDateTime {
        let at = self.tenant.created_at;
        let operation_id = id_at(&mut self.run.rng, at);
        let limits = self.limits();
        let SeededTenant { name, slug, country, .. } = &*self.tenant;
        let after = json!({ "name": name, "slug": slug, "limits": limits, "country": country, "admin_email": email });
        self.audit(at, "tenant.create", json!({ "after": after, "operation_id": operation_id }));
        self.operation(operation_id, OperationKind::Provision, at, succeeds)
    }

    /// Adds a successful retry some minutes after the failure.
    fn retry(&mut self, failed: OffsetDateTime) -> OffsetDateTime {
        let at = failed + Duration::seconds(self.run.rng.random_range(300..3_600));
        let operation_id = id_at(&mut self.run.rng, at);
        self.audit(at, "tenant.retry", json!({ "operation_id": operation_id }));
        self.tenant.revision += 1;
        self.operation(operation_id, OperationKind::Retry, at, true)
    }

    /// Adds updates since the tenant became active: raised limits, and the suspension of a suspended tenant.
    fn update_since(&mut self, active_since: OffsetDateTime) {
        let mut at = active_since;
        if let Some(agents) = self.tenant.max_agents
            && chance(&mut self.run.rng, RAISED_PERCENT)
        {
            at = time_between(&mut self.run.rng, at, self.run.now);
            let before = Limits { max_agents: Some(agents / 2), ..self.limits() };
            self.update(at, (before, TenantStatus::Active.as_str()), TenantStatus::Active.as_str());
        }
        let status = self.tenant.status;
        if status != TenantStatus::Active.as_str() {
            at = time_between(&mut self.run.rng, at, self.run.now);
            self.update(at, (self.limits(), TenantStatus::Active.as_str()), status);
        }
    }

    fn update(&mut self, at: OffsetDateTime, before: (Limits, &str), status: &str) {
        let name = &self.tenant.name;
        let shown = |limits: Limits, status: &str| json!({ "name": name, "limits": limits, "status": status });
        let details = json!({ "before": shown(before.0, before.1), "after": shown(self.limits(), status) });
        self.audit(at, "tenant.update", details);
        self.tenant.revision += 1;
        self.tenant.updated_at = at;
    }

    /// Adds a finished operation with its steps, and returns the time when it finished.
    fn operation(&mut self, id: Uuid, kind: OperationKind, at: OffsetDateTime, succeeds: bool) -> OffsetDateTime {
        let (reason, attempts) = choose(&mut self.run.rng, &FAILURES);
        let attempts = if succeeds { 1 } else { attempts };
        let pause = if attempts > 1 { 120_000..200_000 } else { 20..400 };
        let begun = at + Duration::milliseconds(self.run.rng.random_range(pause));
        let mut finished = begun;
        for (position, name) in (1..).zip(kind.steps().iter().copied()) {
            let begins = if is_parallel(name) { begun } else { finished };
            let ends = begins + Duration::milliseconds(self.run.rng.random_range(3..200));
            let status = match name {
                StepName::Placement => StepStatus::Succeeded,
                StepName::Activation if !succeeds => StepStatus::Pending,
                _ if succeeds => StepStatus::Succeeded,
                _ => StepStatus::Undone,
            };
            let ran = status != StepStatus::Pending;
            finished = if ran { finished.max(ends) } else { finished };
            self.batch.steps.push(SeededStep {
                operation_id: id,
                position,
                name: name.as_str(),
                status: status.as_str(),
                attempts: if ran { attempts } else { 0 },
                started_at: ran.then_some(begins),
                finished_at: ran.then_some(ends),
            });
        }
        let status = if succeeds { OperationStatus::Succeeded } else { OperationStatus::Failed };
        self.batch.operations.push(SeededOperation {
            id,
            tenant_id: self.tenant.id,
            database_name: self.tenant.database_name.clone(),
            kind: kind.as_str(),
            status: status.as_str(),
            reason: (!succeeds).then_some(reason),
            requested_by: self.run.super_admin.clone(),
            attempts,
            lease_token: i64::from(attempts),
            schema_version: Some(TENANT_SCHEMA_VERSION),
            created_at: at,
            updated_at: finished,
            finished_at: Some(finished),
            next_attempt_at: None,
        });
        let (action, details) = if succeeds {
            ("tenant.provisioned", json!({ "operation_id": id }))
        } else {
            ("tenant.provisioning_failed", json!({ "operation_id": id, "reason": reason }))
        };
        self.audit_of("system".to_owned(), finished, action, details, false);
        self.tenant.revision += 1;
        self.tenant.updated_at = finished;
        finished
    }

    fn audit(&mut self, at: OffsetDateTime, action: &'static str, details: Value) {
        self.audit_of(self.run.super_admin.clone(), at, action, details, true);
    }

    fn audit_of(&mut self, actor: String, at: OffsetDateTime, action: &'static str, details: Value, by_request: bool) {
        let rng = &mut self.run.rng;
        self.batch.audit.push(SeededAuditEntry {
            id: id_at(rng, at),
            at,
            actor,
            action,
            tenant_id: Some(self.tenant.id),
            request_id: by_request.then(|| id_at(rng, at).to_string()),
            // TEST-NET-2 (RFC 5737)
            source_address: by_request.then(|| format!("198.51.100.{}", rng.random_range(1..255))),
            details,
        });
    }

    fn limits(&self) -> Limits {
        Limits {
            max_agents: self.tenant.max_agents,
            max_contacts: self.tenant.max_contacts,
            max_messages_month: self.tenant.max_messages_month,
        }
    }
}

/// Whether a step runs in parallel with others, right after the placement.
fn is_parallel(step: StepName) -> bool {
    matches!(step, StepName::PostgresqlDatabase | StepName::MongodbDatabase | StepName::ObjectPrefix)
}
