//! Ending an impersonation on request.

use std::{slice, time::Duration};

use crate::{
    clients::postgres::Connection,
    error::Result,
    http::IfMatch,
    impersonations::{ImpersonationContext, store},
    revocations::{self, EndedImpersonation, store::tenant_record},
    tenants,
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
/// three are best effort, because the outbox has the first two, and the record has the time of expiry. An impersonation that
/// has ended or expired stays as it is.
pub async fn end(context: ImpersonationContext<'_>, command: &EndImpersonation<'_>) -> Result<()> {
    let mut platform = context.platform.get().await?;
    let Some(ended) = commit(&mut platform, command).await? else { return Ok(()) };
    let deny = context.deny_list.deny(&platform, slice::from_ref(&ended));
    tokio::join!(context.dispatcher.poke_relay(), deny, record_in_tenant(context, &ended));
    Ok(())
}

async fn commit(platform: &mut Connection, command: &EndImpersonation<'_>) -> Result<Option<EndedImpersonation>> {
    let transaction = platform.transaction().await?;
    store::lock_tenant_of(&transaction, command.id).await?;
    let before = store::find(&transaction, command.id).await?;
    command.if_match.check(before.revision, "impersonation")?;
    let ended = revocations::end_one(&transaction, command.id, command.actor).await?;
    transaction.commit().await?;
    Ok(ended)
}

async fn record_in_tenant(context: ImpersonationContext<'_>, ended: &EndedImpersonation) {
    let work = context.databases.within(async {
        let location = tenants::store::find_location(&context.platform.get().await?, ended.tenant_id).await?;
        let (cluster, database) = location.require_active()?;
        tenant_record::end_one(&context.databases.get(cluster, database).await?, ended.id, ended.ended_at).await
    });
    let failure = match tokio::time::timeout(RECORD_TIMEOUT, work).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.chain(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(impersonation.id = %ended.id, error = failure, "recording an end in the tenant's database failed");
}
