//! The prefixes of tenants in the bucket against the ledger, and those of exports.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::Result,
    reconciliation::{
        FindingKind, Repair,
        checks::{PAGE, exports, missing},
        run::Check,
        store::{compare, findings::NewFinding},
    },
    types::TenantId,
};

/// What the prefixes of all tenants begin with.
const TENANTS: &str = "tenants/";

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    Ok(compare_tenants(check).await? + exports::run(check).await?)
}

async fn compare_tenants(check: &Check<'_>) -> Result<i64> {
    let platform = &check.reconciler.platform;
    let observed_at = compare::now(&platform.get().await?).await?;
    let bucket = &check.reconciler.stores.bucket;
    let client = bucket.client().await;
    let (mut token, mut after, mut compared) = (None::<String>, TenantId(Uuid::nil()), 0);
    loop {
        let request = client.list_objects_v2().bucket(&bucket.name).prefix(TENANTS).delimiter("/");
        let page = request.set_continuation_token(token).send().await?;
        let prefixes: Vec<&str> = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
        compared += i64::try_from(prefixes.len()).unwrap_or(i64::MAX);
        let (present, strangers) = read_prefixes(&prefixes);
        let mut found: Vec<_> =
            strangers.into_iter().map(|prefix| NewFinding::new(FindingKind::Unknown, prefix.to_owned())).collect();
        let unexpected = compare::list_unexpected_objects(&platform.get().await?, &present, observed_at).await?;
        for (tenant, given_up_at) in unexpected {
            found.push(match given_up_at {
                None => NewFinding::new(FindingKind::Unknown, tenant.object_prefix()),
                Some(at) => orphan(check, tenant, at).await?,
            });
        }
        check.add(found).await?;
        token = page.next_continuation_token().map(ToOwned::to_owned);
        // The prefixes are in the order of the ids, so every tenant up to the last one of the page is in this page or has no objects.
        let last = if token.is_some() { present.last().copied() } else { None };
        if token.is_none() || last.is_some() {
            compared += find_missing(check, &present, after, last, observed_at).await?;
        }
        after = last.unwrap_or(after);
        if token.is_none() {
            return Ok(compared);
        }
    }
}

/// The ids in prefixes, and the prefixes that are not those of a tenant.
fn read_prefixes<'a>(prefixes: &[&'a str]) -> (Vec<TenantId>, Vec<&'a str>) {
    let (mut ids, mut strangers) = (Vec::new(), Vec::new());
    for prefix in prefixes {
        let id = prefix.strip_prefix(TENANTS).and_then(|rest| rest.strip_suffix('/')).and_then(|id| id.parse().ok());
        match id {
            Some(id) if TenantId::object_prefix(id) == *prefix => ids.push(id),
            _ => strangers.push(*prefix),
        }
    }
    (ids, strangers)
}

/// Finds the tenants after `after`, up to `last`, that have no objects.
async fn find_missing(
    check: &Check<'_>,
    present: &[TenantId],
    mut after: TenantId,
    last: Option<TenantId>,
    observed_at: OffsetDateTime,
) -> Result<i64> {
    let mut count = 0;
    loop {
        let client = check.reconciler.platform.get().await?;
        let page = compare::list_without_objects(&client, present, after, last, observed_at, PAGE).await?;
        drop(client);
        let Some(newest) = page.last() else { return Ok(count) };
        after = newest.tenant_id;
        count += i64::try_from(page.len()).unwrap_or(i64::MAX);
        check.add(page.into_iter().map(|one| missing(one.clone(), one.tenant_id.object_prefix())).collect()).await?;
    }
}

/// Objects of a tenant that has given up its databases. They can be removed if there is nothing but the marker that its provisioning
/// wrote.
async fn orphan(check: &Check<'_>, tenant_id: TenantId, given_up_at: OffsetDateTime) -> Result<NewFinding> {
    let bucket = &check.reconciler.stores.bucket;
    let prefix = tenant_id.object_prefix();
    let page = bucket.client().await.list_objects_v2().bucket(&bucket.name).prefix(&prefix).max_keys(2).send().await?;
    let keys: Vec<&str> = page.contents().iter().filter_map(|object| object.key()).collect();
    let marker = match keys[..] {
        [key] => {
            key.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix(".landlord/")).and_then(|id| id.parse().ok())
        }
        _ => None,
    };
    let database_name = match marker {
        Some(id) => compare::find_given_up(&check.reconciler.platform.get().await?, tenant_id, id).await?,
        None => None,
    };
    let is_removable = database_name.is_some();
    let detail = if is_removable { "the marker of a provisioning that was rolled back" } else { "contains objects" };
    Ok(NewFinding {
        tenant_id: Some(tenant_id),
        database_name,
        detail: Some(detail.to_owned()),
        since: Some(given_up_at),
        repair: is_removable.then_some(Repair::Remove),
        ..NewFinding::new(FindingKind::Orphan, prefix)
    })
}
