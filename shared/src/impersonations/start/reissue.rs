//! Issuing the token of a running impersonation again, for a repeated idempotent request. No token is stored, so it is
//! signed anew.

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::{Conflict, Result},
    http::Problem,
    impersonations::{ImpersonationContext, ImpersonationSigner, start::StartImpersonation, store},
    revocations::live_list::LiveListEntry,
    types::ImpersonationId,
};

/// Signs the token of the impersonation that an earlier request with the same key started. [`Conflict::ImpersonationNotLive`] when it is
/// not live. A refusal is written to the audit log.
pub async fn reissue_token(
    context: ImpersonationContext<'_>,
    signer: &ImpersonationSigner,
    command: &StartImpersonation<'_>,
    id: ImpersonationId,
) -> Result<String, Problem> {
    match sign(context, signer, command, id).await {
        Ok(token) => Ok(token),
        Err(error) => {
            let problem = Problem::from(error);
            command.record_refusal(context.platform, &problem).await;
            Err(problem)
        }
    }
}

async fn sign(
    context: ImpersonationContext<'_>,
    signer: &ImpersonationSigner,
    command: &StartImpersonation<'_>,
    id: ImpersonationId,
) -> Result<String> {
    // Before the row is read: `live_list` contains the reason.
    let generation = context.live_list.generation().await?;
    let platform = context.platform.get().await?;
    let impersonation = store::find(&platform, id).await?;
    if !impersonation.live {
        let state = match impersonation.end_reason {
            Some(reason) => format!("is no longer live ({}); use a new key to start another", reason.as_str()),
            // Its request is still running, or the relay will settle it.
            None => "has not begun yet; repeat the request in a minute".to_owned(),
        };
        return Err(Conflict::ImpersonationNotLive { impersonation_id: id, state }.into());
    }
    // If the relay has settled the start, or Redis has lost its data, the re-assertion may not have added it yet.
    context.live_list.add_one(&generation, LiveListEntry::from(&impersonation)).await?;
    let token = signer.sign(&impersonation)?;
    let mut details = command.details();
    details["impersonation_id"] = id.to_string().into();
    let entry = AuditEntry::done(command.actor, AuditAction::ImpersonationRepeat, command.tenant_id, details);
    audit::store::insert(&platform, &entry).await?;
    Ok(token)
}
