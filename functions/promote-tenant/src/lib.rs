//! `POST /api/super-admin/tenants/{id}/promote`: give a tenant the databases of its restored copy.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    http::{
        BASE_PATH, BodyErrors, IdempotencyKey, IdempotentRequest, IdempotentResponse, IfMatch, JsonBody, Query,
        Required, Result, Routes, TenantPath, WithOperation,
    },
    query_parameters,
    restores::{self, PromoteTenant, PromotedTenant},
    routes,
    super_admins::{IdempotentOperationContext, MayAdminister},
    tenants::Tenant,
    types::{Reason, Slug},
};
use utoipa::ToSchema;

pub fn routes(app: IdempotentOperationContext) -> Routes {
    routes!(app: IdempotentOperationContext => promote_tenant)
}

query_parameters! {
    /// How the caller shows that this tenant is meant.
    #[derive(Debug, Clone)]
    pub struct PromotionParameters {
        /// The slug of the tenant that the copy was restored from
        #[example = "kopi-kenangan"]
        pub confirm: Required<Slug>,
    }
}

/// A promotion.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct PromotionRequest {
    /// Why the copy is promoted.
    reason: Reason,
}

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

/// Promote a restored copy
///
/// Swaps the databases of a restored copy, whose id is in the path, and of the tenant that it was restored from, at once and as a whole. Both must
/// be suspended, so that nothing is written meanwhile. An operation copies the objects that the original lacks. The original stays suspended:
/// reactivate it with `PATCH /tenants/{id}`. The copy has the former databases of the original. Keep it until the result is checked: another
/// promotion takes this one back. Two events `tenant.updated` show the services where the databases are.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/promote",
    params(TenantPath, PromotionParameters, IfMatch, IdempotencyKey),
    request_body(content = PromotionRequest, example = json!({"reason": "Contacts were deleted by mistake on Monday"})),
    responses(
        (status = 202, description = "The original, with the databases of the copy", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the original"),
                ("operation-location" = String, description = "URL of the operation that copies the objects which the original lacks"),
                ("etag" = String, description = "The revision of the original, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!([
        "not-a-restored-copy", "tenant-not-suspended", "operation-running", "changes-unsettled", "tenant-schema-outdated"
    ]))),
    security(("bearer" = []))
)]
async fn promote_tenant(
    MayAdminister(principal): MayAdminister,
    TenantPath(id): TenantPath,
    Query(parameters): Query<PromotionParameters>,
    if_match: IfMatch,
    key: IdempotencyKey,
    State(app): State<IdempotentOperationContext>,
    JsonBody { value: body, bytes }: JsonBody<PromotionRequest>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/promote");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, &bytes)?;
    let mut platform = app.auth.platform.get().await?;
    let command = PromoteTenant {
        actor: principal.actor(),
        id,
        confirm: parameters.confirm.0.as_str(),
        if_match: &if_match,
        reason: &body.reason,
    };
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| restores::promote(transaction, &command).await,
            |PromotedTenant { tenant, operation_id, .. }| tenant.clone().started(*operation_id),
        )
        .await?;
    if let IdempotentResponse::First(promoted, _) = &answer {
        tokio::join!(
            app.dispatcher.send_provision(&platform, promoted.operation_id),
            app.dispatcher.send_provision(&platform, promoted.operation_of_copy),
            app.dispatcher.poke_relay(),
        );
    }
    Ok(answer.into_response())
}
