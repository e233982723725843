//! The prefixes of exports in the bucket against the platform database.
//!
//! Nothing is repaired: the rule of the bucket removes the files of expired exports, and an unknown export may be all that is left of a
//! tenant.

use aws_sdk_s3::{Client, types::CommonPrefix};
use futures::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use crate::{
    clients::s3::Bucket,
    error::Result,
    exports,
    reconciliation::{
        FindingKind,
        run::Check,
        store::{
            compare::{self, LeftFiles},
            findings::NewFinding,
        },
    },
    types::{ExportId, TenantId},
};

/// Tenants whose exports are listed at the same time.
const CONCURRENCY: usize = 8;

/// Returns how many exports it has compared.
pub(super) async fn run(check: &Check<'_>) -> Result<i64> {
    let bucket = &check.reconciler.stores.bucket;
    let client = bucket.client().await;
    let observed_at = compare::now(&check.reconciler.platform.get().await?).await?;
    let (mut token, mut compared) = (None, 0);
    loop {
        let (tenants, next) = list_below(client, bucket, exports::PREFIX, token).await?;
        let pages = stream::iter(tenants).map(|tenant| exports_of(client, bucket, tenant));
        let prefixes: Vec<Vec<String>> = pages.buffer_unordered(CONCURRENCY).try_collect().await?;
        let prefixes: Vec<String> = prefixes.into_iter().flatten().collect();
        compared += i64::try_from(prefixes.len()).unwrap_or(i64::MAX);
        compare(check, &prefixes, observed_at).await?;
        token = next;
        if token.is_none() {
            return Ok(compared);
        }
    }
}

async fn compare(check: &Check<'_>, prefixes: &[String], observed_at: OffsetDateTime) -> Result<()> {
    let (mut present, mut found) = (Vec::new(), Vec::new());
    for prefix in prefixes {
        match read_prefix(prefix) {
            Some(ids) => present.push(ids),
            None => found.push(NewFinding::new(FindingKind::Unknown, prefix.clone())),
        }
    }
    let left = compare::list_left_files(&check.reconciler.platform.get().await?, &present, observed_at).await?;
    found.extend(left.into_iter().map(|LeftFiles { tenant_id, export_id, given_up }| {
        let unknown = NewFinding::new(FindingKind::Unknown, exports::prefix(tenant_id, export_id));
        match given_up {
            None => unknown,
            Some((since, detail)) => NewFinding {
                kind: FindingKind::Orphan,
                tenant_id: Some(tenant_id),
                detail: Some(detail),
                since: Some(since),
                ..unknown
            },
        }
    }));
    check.add(found).await
}

/// The prefixes of all exports below the one of a tenant.
async fn exports_of(client: &Client, bucket: &Bucket, tenant: String) -> Result<Vec<String>> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let (page, next) = list_below(client, bucket, &tenant, token).await?;
        all.extend(page);
        token = next;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// A page of the prefixes one level below another, and the token of the next page.
async fn list_below(
    client: &Client,
    bucket: &Bucket,
    prefix: &str,
    token: Option<String>,
) -> Result<(Vec<String>, Option<String>)> {
    let request = client.list_objects_v2().bucket(&bucket.name).prefix(prefix).delimiter("/");
    let page = request.set_continuation_token(token).send().await?;
    let prefixes = page.common_prefixes().iter().filter_map(CommonPrefix::prefix).map(ToOwned::to_owned).collect();
    Ok((prefixes, page.next_continuation_token))
}

fn read_prefix(prefix: &str) -> Option<(TenantId, ExportId)> {
    let (tenant, export) = prefix.strip_prefix(exports::PREFIX)?.strip_suffix('/')?.split_once('/')?;
    let (tenant, export) = (tenant.parse().ok()?, export.parse().ok()?);
    (exports::prefix(tenant, export) == prefix).then_some((tenant, export))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prefixes_as_an_export_writes_them_are_read() {
        let (tenant, export) = (TenantId::EXAMPLE, ExportId::EXAMPLE);
        let ids = (tenant.parse().unwrap(), export.parse().unwrap());
        assert_eq!(read_prefix(&format!("exports/{tenant}/{export}/")), Some(ids));
        let upper = export.to_uppercase();
        for odd in [format!("exports/{tenant}/"), format!("exports/{tenant}/x/"), format!("exports/{tenant}/{upper}/")]
        {
            assert_eq!(read_prefix(&odd), None, "{odd}");
        }
    }
}
