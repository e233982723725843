//! The tenant's first agent.

use secrecy::ExposeSecret;

use crate::{
    operations::StepName,
    provisioning::{
        fault::StepError,
        session,
        step::{Step, StepContext},
    },
    tenants,
};

/// The name that the agent has until they change it; only the e-mail address was asked for.
const FULL_NAME: &str = "Administrator";

/// The step.
pub(in crate::provisioning) struct AdminUser;

impl Step for AdminUser {
    const NAME: StepName = StepName::AdminUser;
    const FENCED: bool = true;

    async fn apply(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let pending = tenants::store::find_pending_admin(&site.platform.get().await?, site.lease.tenant_id)
            .await?
            .ok_or_else(|| StepError::permanent("Nothing is known of the tenant's first agent"))?;
        let cluster = site.stores.postgres(&site.placement.postgres_cluster)?;
        let session = session::open_tenant(site, cluster).await?;
        // The id is decided beforehand: a late second try finds it, even after its e-mail address was changed.
        session
            .execute(
                "INSERT INTO users (id, email, full_name, role, password_hash)
                 VALUES ($1, $2, $3, 'admin', $4)
                 ON CONFLICT (id) DO NOTHING",
                &[&pending.user_id.0, &pending.email, &FULL_NAME, &pending.password_hash.expose_secret()],
            )
            .await?;
        Ok(())
    }

    /// Goes with the database.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}
