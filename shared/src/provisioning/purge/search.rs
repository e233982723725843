//! A search for anything of a tenant, in every store and on every cluster. It knows no step of any operation: it looks for the tenant's id and
//! for every name in the ledger.

use mongodb::bson::doc;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{objects, redis};
use crate::{
    provisioning::{
        step::{StepContext, StepError},
        steps::object_prefix::step_error,
        store,
    },
    tenants::store::databases,
    types::ExportId,
};

/// A line for each thing that was found. The files of one export may stay.
pub(super) async fn run(context: &StepContext<'_>, kept: Option<ExportId>) -> Result<Vec<String>, StepError> {
    let id = context.lease.tenant_id;
    let names = databases::list_names(&context.platform.get().await?, id).await?;
    let mut found = Vec::new();
    for cluster in &context.stores.postgres_clusters.0 {
        let client = context.stores.postgres(&cluster.name)?.pool.get().await?;
        let left = store::find_databases(&client, &names, &format!("Tenant {id}, ")).await?;
        found.extend(left.into_iter().map(|name| format!("the PostgreSQL database {name} on `{}`", cluster.name)));
    }
    for cluster in &context.stores.mongo_clusters.0 {
        let client = context.stores.mongo(&cluster.name)?.client().await?;
        let filter = doc! { "name": { "$in": &names } };
        let left = client.list_database_names().filter(filter).await?;
        found.extend(left.into_iter().map(|name| format!("the MongoDB database {name} on `{}`", cluster.name)));
        let users = doc! { "usersInfo": 1, "filter": { "user": { "$in": &names } } };
        let users = client.database("admin").run_command(users).await?;
        if users.get_array("users").is_ok_and(|users| !users.is_empty()) {
            found.push(format!("a MongoDB user on `{}`", cluster.name));
        }
        for name in &names {
            let roles = client.database(name).run_command(doc! { "rolesInfo": 1 }).await?;
            if roles.get_array("roles").is_ok_and(|roles| !roles.is_empty()) {
                found.push(format!("roles in the MongoDB database {name} on `{}`", cluster.name));
            }
        }
    }
    let bucket = &context.stores.bucket;
    let list = bucket.client().await.list_object_versions().bucket(&bucket.name).prefix(id.object_prefix()).max_keys(1);
    let page = list.send().await.map_err(step_error)?;
    if !page.versions().is_empty() || !page.delete_markers().is_empty() {
        found.push("objects".to_owned());
    }
    let exports = objects::list_exports(context, kept).await?;
    if !exports.is_empty() {
        found.push(format!("files of {} exports", exports.len()));
    }
    let keys = redis::find(context, &format!("*{id}*")).await?;
    if !keys.is_empty() {
        found.push(format!("{} keys in Redis", keys.len()));
    }
    Ok(found)
}

/// What a search that found nothing has looked at.
pub(super) fn describe(context: &StepContext<'_>) -> Value {
    let names = |clusters: &crate::config::Clusters| clusters.0.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    json!({
        "searched_at": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        "postgresql_clusters": names(&context.stores.postgres_clusters),
        "mongodb_clusters": names(&context.stores.mongo_clusters),
        "bucket": context.stores.bucket.name,
        "redis": true,
        "found": 0,
    })
}
