//! Ending an impersonation on request.

use std::{slice, time::Duration};

use crate::{
    clients::postgres::Connection,
    error::Result,
    http::IfMatch,
    impersonations::{ImpersonationContext, store},
    revocations::{self, EndedImpersonation, ImpersonationEnd},
    tenant_changes::{self, DueChange},
    types::{Actor, ImpersonationId},
};

/// How long the tenant's own record may delay the response. The impersonation has ended by then.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// A request to end an impersonation.
#[derive(Debug, Clone, Copy)]
pub struct EndImpersonation<'a> {
    pub actor: Actor<'a>,
    pub id: ImpersonationId,
    pub if_match: &'a IfMatch,
}

/// Ends an impersonation: commits the end, then denies its token, pokes the relay and updates the tenant's own record. These
/// three are best effort, because the relay does what they could not. An impersonation that has ended or expired stays as it
/// is.
pub async fn end(context: ImpersonationContext<'_>, command: &EndImpersonation<'_>) -> Result<()> {
    let mut platform = context.platform.get().await?;
    let Some((ended, to_record)) = commit(&mut platform, command).await? else { return Ok(()) };
    let deny = context.live_list.deny(&platform, slice::from_ref(&ended));
    let record = async {
        if let Some(end) = to_record {
            record_end(context, end).await;
        }
    };
    tokio::join!(context.dispatcher.poke_relay(), deny, record);
    Ok(())
}

/// Commits the end in the platform database, and the open change in the tenant's.
async fn commit(
    platform: &mut Connection,
    command: &EndImpersonation<'_>,
) -> Result<Option<(EndedImpersonation, Option<ImpersonationEnd>)>> {
    let transaction = platform.transaction().await?;
    store::lock_tenant_of(&transaction, command.id).await?;
    let before = store::find(&transaction, command.id).await?;
    command.if_match.check(before.revision, "impersonation")?;
    let ended = revocations::end_one(&transaction, command.id, command.actor).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// Records a committed end in the tenant's database. When this fails, the relay does it.
pub(super) async fn record_end(context: ImpersonationContext<'_>, end: ImpersonationEnd) {
    let id = end.impersonation_id;
    let change = DueChange::End(end);
    let settle = tenant_changes::settle(context.platform, context.databases, &change);
    let failure = match tokio::time::timeout(RECORD_TIMEOUT, settle).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.chain(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(impersonation.id = %id, error = failure, "recording an end failed; the relay will record it");
}
