//! Events about impersonations. The event of an end is in [`revocations`](crate::revocations).

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    impersonations::Impersonation,
    tenant_changes::ChangeEvent,
    types::{Access, ImpersonationId, TenantId, UserId, timestamp},
};

/// An impersonation is live: services may receive its token from now on.
pub fn started(impersonation: &Impersonation) -> Result<ChangeEvent> {
    #[derive(Serialize)]
    struct Data<'a> {
        id: ImpersonationId,
        tenant_id: TenantId,
        user_id: UserId,
        admin_id: &'a str,
        access: Access,
        #[serde(serialize_with = "timestamp")]
        started_at: OffsetDateTime,
        #[serde(serialize_with = "timestamp")]
        expires_at: OffsetDateTime,
    }
    let data = Data {
        id: impersonation.id,
        tenant_id: impersonation.tenant_id,
        user_id: impersonation.user_id,
        admin_id: &impersonation.admin_id,
        access: impersonation.access,
        started_at: impersonation.started_at,
        expires_at: impersonation.expires_at,
    };
    let data = serde_json::to_value(data).map_err(Error::internal)?;
    Ok(ChangeEvent { kind: "impersonation.started".to_owned(), data })
}
