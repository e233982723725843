//! What was done to a tenant since it was asked for, as the functions would have written it down.

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

use super::{Run, batch::Batch};
use crate::{
    chance::{any, id_at, moment, percent},
    places::Place,
    rows::{AuditEntry, Operation, OperationStep, Organization, PendingAdmin},
};

/// Why operations failed, and how often their steps had been taken up by then.
const REASONS: [(&str, i32); 3] = [
    ("MongoDB could not be reached, or did not answer in time", 5),
    ("PostgreSQL could not be reached, or did not answer in time", 5),
    ("object storage answered: AccessDenied", 1),
];
/// Of those that became active, how many in a hundred had to be retried, and how many had their limits raised.
const RETRIED: u32 = 4;
const RAISED: u32 = 25;

/// Adds the history to the batch, and what it made of the organization's row to that.
pub(super) fn write(run: &mut Run, batch: &mut Batch, organization: &mut Organization, place: Place) {
    let mut tale = Tale { run, batch, organization };
    let email = tale.admin_email(place);
    let opened = if tale.organization.status == TenantStatus::Failed.as_str() {
        tale.requested(&email, false);
        tale.keeps_admin(email);
        return;
    } else if percent(&mut tale.run.rng, RETRIED) {
        let failed = tale.requested(&email, false);
        tale.retried(failed)
    } else {
        tale.requested(&email, true)
    };
    tale.changed(opened);
}

/// A history that is being written.
struct Tale<'a> {
    run: &'a mut Run,
    batch: &'a mut Batch,
    organization: &'a mut Organization,
}

impl Tale<'_> {
    fn admin_email(&mut self, place: Place) -> String {
        let (first, last) = place.person(&mut self.run.rng);
        format!("{}.{}@{}.example", slugify(&first), slugify(&last), self.organization.slug)
    }

    /// A tenant that failed keeps its first agent, so that it can be retried.
    fn keeps_admin(&mut self, email: String) {
        self.batch.pending_admins.push(PendingAdmin {
            tenant_id: self.organization.id,
            user_id: id_at(&mut self.run.rng, self.organization.created_at),
            email,
            password_hash: self.run.password_hash.clone(),
        });
    }

    /// Asked for and provisioned, or not; says when it was over.
    fn requested(&mut self, email: &str, succeeds: bool) -> OffsetDateTime {
        let at = self.organization.created_at;
        let operation_id = id_at(&mut self.run.rng, at);
        let limits = self.limits();
        let Organization { name, slug, country, .. } = &*self.organization;
        let after = json!({ "name": name, "slug": slug, "limits": limits, "country": country, "admin_email": email });
        self.audit(at, "tenant.create", json!({ "after": after, "operation_id": operation_id }));
        self.operated(operation_id, OperationKind::Provision, at, succeeds)
    }

    /// Retried by somebody who saw that it had failed, and active then.
    fn retried(&mut self, failed: OffsetDateTime) -> OffsetDateTime {
        let at = failed + Duration::seconds(self.run.rng.random_range(300..3_600));
        let operation_id = id_at(&mut self.run.rng, at);
        self.audit(at, "tenant.retry", json!({ "operation_id": operation_id }));
        self.organization.revision += 1;
        self.operated(operation_id, OperationKind::Retry, at, true)
    }

    /// Changed by operators since it was opened: some have more than they began with, some are closed.
    fn changed(&mut self, opened: OffsetDateTime) {
        let mut at = opened;
        if let Some(agents) = self.organization.max_agents
            && percent(&mut self.run.rng, RAISED)
        {
            at = moment(&mut self.run.rng, at, self.run.now);
            let before = Limits { max_agents: Some(agents / 2), ..self.limits() };
            self.updated(at, (before, TenantStatus::Active.as_str()), TenantStatus::Active.as_str());
        }
        let status = self.organization.status;
        if status != TenantStatus::Active.as_str() {
            at = moment(&mut self.run.rng, at, self.run.now);
            self.updated(at, (self.limits(), TenantStatus::Active.as_str()), status);
        }
    }

    fn updated(&mut self, at: OffsetDateTime, before: (Limits, &str), status: &str) {
        let name = &self.organization.name;
        let shown = |limits: Limits, status: &str| json!({ "name": name, "limits": limits, "status": status });
        let details = json!({ "before": shown(before.0, before.1), "after": shown(self.limits(), status) });
        self.audit(at, "tenant.update", details);
        self.organization.revision += 1;
        self.organization.updated_at = at;
    }

    /// An operation from its acceptance to its end; says when that was.
    fn operated(&mut self, id: Uuid, kind: OperationKind, at: OffsetDateTime, succeeds: bool) -> OffsetDateTime {
        let (reason, attempts) = any(&mut self.run.rng, &REASONS);
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
            let met = status != StepStatus::Pending;
            finished = if met { finished.max(ends) } else { finished };
            self.batch.steps.push(OperationStep {
                operation_id: id,
                position,
                name: name.as_str(),
                status: status.as_str(),
                attempts: if met { attempts } else { 0 },
                started_at: met.then_some(begins),
                finished_at: met.then_some(ends),
            });
        }
        let status = if succeeds { OperationStatus::Succeeded } else { OperationStatus::Failed };
        self.batch.operations.push(Operation {
            id,
            tenant_id: self.organization.id,
            kind: kind.as_str(),
            status: status.as_str(),
            reason: (!succeeds).then_some(reason),
            requested_by: self.run.admin.clone(),
            attempts,
            lease_token: i64::from(attempts),
            schema_version: Some(TENANT_SCHEMA_VERSION),
            created_at: at,
            updated_at: finished,
            finished_at: Some(finished),
        });
        let (action, details) = if succeeds {
            ("tenant.provisioned", json!({ "operation_id": id }))
        } else {
            ("tenant.provisioning_failed", json!({ "operation_id": id, "reason": reason }))
        };
        self.audit_of("system".to_owned(), finished, action, details, false);
        self.organization.revision += 1;
        self.organization.updated_at = finished;
        finished
    }

    fn audit(&mut self, at: OffsetDateTime, action: &'static str, details: Value) {
        self.audit_of(self.run.admin.clone(), at, action, details, true);
    }

    fn audit_of(&mut self, actor: String, at: OffsetDateTime, action: &'static str, details: Value, by_request: bool) {
        let rng = &mut self.run.rng;
        self.batch.audit.push(AuditEntry {
            id: id_at(rng, at),
            at,
            actor,
            action,
            tenant_id: Some(self.organization.id),
            request_id: by_request.then(|| id_at(rng, at).to_string()),
            // An address of TEST-NET-2 (RFC 5737).
            source_address: by_request.then(|| format!("198.51.100.{}", rng.random_range(1..255))),
            details,
        });
    }

    fn limits(&self) -> Limits {
        Limits {
            max_agents: self.organization.max_agents,
            max_contacts: self.organization.max_contacts,
            max_messages_month: self.organization.max_messages_month,
        }
    }
}

/// Whether a step begins with others, right after the first.
fn is_parallel(step: StepName) -> bool {
    matches!(step, StepName::PostgresqlDatabase | StepName::MongodbDatabase | StepName::ObjectPrefix)
}
