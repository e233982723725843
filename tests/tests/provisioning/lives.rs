//! What happens to a tenant after its provisioning, as the functions do it.

use mongodb::bson::doc;
use shared::{
    error::Result,
    operations::OperationStatus,
    precondition::IfMatch,
    tenants::{
        self, DeleteTenant, ExportTenant, RecoveryDays, RestoreTenant, SuspensionReason, TenantStatus, TenantUpdate,
        UpdateTenant,
    },
    types::{LimitsPatch, Reason, TenantId},
};

use crate::stage::{ACTOR, ProvisioningStage, Requested};

impl ProvisioningStage {
    /// A tenant that is active.
    pub(crate) async fn active(&self) -> Requested {
        let requested = self.request().await;
        assert_eq!(self.finish(requested).await, OperationStatus::Succeeded);
        requested
    }

    /// Suspends or reactivates a tenant, with the database rights of `update-tenant`.
    pub(crate) async fn request_status(&self, tenant: TenantId, status: TenantStatus) -> Requested {
        let command = UpdateTenant {
            actor: ACTOR,
            id: tenant,
            if_match: &IfMatch::default(),
            name: None,
            on_limit: None,
            limits: LimitsPatch::default(),
            status: Some(status),
            reason: SuspensionReason::Unpaid,
            comment: None,
        };
        let updated = tenants::update(&mut self.api.get().await.unwrap(), &command).await.unwrap();
        let TenantUpdate::Updated { operation_id, .. } = updated else { panic!("the status is {status} already") };
        Requested { tenant, operation: operation_id.unwrap() }
    }

    /// Exports a tenant, with the database rights of `create-export`.
    pub(crate) async fn request_export(&self, tenant: TenantId) -> Requested {
        let mut client = self.api.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let reason = Reason::parse("The customer has asked for a copy").unwrap();
        let command = ExportTenant { actor: ACTOR, id: tenant, reason: &reason };
        let requested = tenants::export(&transaction, &command).await.unwrap();
        transaction.commit().await.unwrap();
        Requested { tenant, operation: requested.operation_id }
    }

    /// Deletes a tenant, with the database rights of `delete-tenant`.
    pub(crate) async fn request_deletion(&self, tenant: TenantId, recovery_days: i64) -> Requested {
        self.request_removal(tenant, recovery_days, false).await
    }

    /// As [`Self::request_deletion`], with or without an export.
    pub(crate) async fn request_removal(&self, tenant: TenantId, recovery_days: i64, export: bool) -> Requested {
        let client = self.api.get().await.unwrap();
        let slug = tenants::store::find(&client, tenant).await.unwrap().slug;
        drop(client);
        let command = DeleteTenant {
            actor: ACTOR,
            id: tenant,
            confirm: Some(&slug),
            if_match: &IfMatch::default(),
            reason: &Reason::parse("The customer has cancelled the contract").unwrap(),
            recovery: RecoveryDays::new(recovery_days).unwrap(),
            export,
        };
        let deleted = tenants::delete(&mut self.api.get().await.unwrap(), &command).await.unwrap();
        Requested { tenant, operation: deleted.operation_id }
    }

    /// Restores a tenant, with the database rights of `restore-tenant`.
    pub(crate) async fn restore(&self, tenant: TenantId) -> Result<Requested> {
        let command = RestoreTenant { actor: ACTOR, id: tenant, if_match: &IfMatch::default() };
        let restored = tenants::restore(&mut self.api.get().await?, &command).await?;
        Ok(Requested { tenant, operation: restored.operation_id })
    }

    /// The number of users of the platform's services at a MongoDB database, and of their roles there.
    pub(crate) async fn services_login(&self, database: &str) -> (usize, usize) {
        let query = doc! { "usersInfo": { "user": database, "db": "admin" } };
        let answer = self.mongo.database("admin").run_command(query).await.unwrap();
        let users = answer.get_array("users").unwrap();
        let roles = users.iter().map(|user| user.as_document().unwrap().get_array("roles").unwrap().len());
        (users.len(), roles.sum())
    }
}
