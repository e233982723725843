//! The request to start an impersonation, and its audit entries.

use serde_json::{Value, json};

use crate::{
    audit::{self, AuditAction, AuditEntry, AuditOutcome},
    clients::postgres::Postgres,
    http::Problem,
    impersonations::{Impersonation, ImpersonationMinutes, Ticket},
    types::{Access, Actor, Reason, SuperAdminRole, TenantId, UserId},
};

const ACTION: AuditAction = AuditAction::ImpersonationStart;

/// A request to start an impersonation.
#[derive(Debug, Clone, Copy)]
pub struct StartImpersonation<'a> {
    pub actor: Actor<'a>,
    /// The role of the super-admin when the request was authorized.
    pub role: SuperAdminRole,
    pub admin_email: Option<&'a str>,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub access: Access,
    pub reason: &'a Reason,
    pub ticket: Option<&'a Ticket>,
    pub minutes: ImpersonationMinutes,
}

impl StartImpersonation<'_> {
    /// The details of an audit entry about a request that started nothing.
    pub(in crate::impersonations) fn details(&self) -> Value {
        json!({
            "user_id": self.user_id,
            "access": self.access,
            "reason": self.reason.as_str(),
            "ticket": self.ticket.map(Ticket::as_str),
        })
    }

    /// Writes to the audit log that the request was refused, or failed, before an intent was committed.
    pub(in crate::impersonations) async fn record_refusal(&self, platform: &Postgres, problem: &Problem) {
        let mut details = self.details();
        details["status"] = problem.details().status.into();
        details["error"] = problem.details().detail.clone().into();
        let mut entry = AuditEntry::done(self.actor, ACTION, self.tenant_id, details).refused();
        if problem.is_server_error() {
            entry.outcome = AuditOutcome::Failed;
        }
        let written = async { audit::store::insert(&platform.get().await?, &entry).await };
        if let Err(error) = written.await {
            tracing::error!(error = error.chain(), "writing a refusal to the audit log failed");
        }
    }
}

/// The audit entry of an impersonation's start.
pub(super) fn entry<'a>(actor: Actor<'a>, impersonation: &Impersonation) -> AuditEntry<'a> {
    AuditEntry::done(actor, ACTION, impersonation.tenant_id, details(impersonation))
}

/// The details of that entry.
pub(super) fn details(impersonation: &Impersonation) -> Value {
    json!({
        "impersonation_id": impersonation.id,
        "user_id": impersonation.user_id,
        "user_email": impersonation.user_email,
        "access": impersonation.access,
        "reason": impersonation.reason,
        "ticket": impersonation.ticket,
        "expires_at": impersonation.expires_at.unix_timestamp(),
    })
}
