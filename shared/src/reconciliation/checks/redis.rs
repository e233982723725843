//! Redis: live impersonations against the list that services read, and the counters of tenants that do not exist.

use crate::{
    error::Result,
    reconciliation::{
        FindingKind, Repair,
        checks::PAGE,
        run::Check,
        store::{compare, findings::NewFinding},
    },
    revocations::{live_list, store::live},
    types::TenantId,
};

/// Keys that one step of a scan looks at.
const SCANNED: usize = 1000;

/// What the keys of all counters begin with.
const COUNTERS: &str = "usage:";

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    Ok(find_unlisted(check).await? + find_unknown_counters(check).await?)
}

/// Live impersonations without an entry.
async fn find_unlisted(check: &Check<'_>) -> Result<i64> {
    let mut live = live::list_unexpired(&check.reconciler.platform.get().await?).await?;
    live.retain(|one| one.is_live);
    for page in live.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let mut command = redis::cmd("MGET");
        for one in page {
            command.arg(live_list::key(one.impersonation.id));
        }
        let values: Vec<Option<String>> = check.reconciler.stores.redis.query(&command).await?;
        let unlisted = page.iter().zip(values).filter(|(_, value)| value.is_none());
        let findings = unlisted.map(|(one, _)| NewFinding {
            tenant_id: Some(one.impersonation.tenant_id),
            repair: Some(Repair::Relist),
            ..NewFinding::new(FindingKind::UnlistedImpersonation, one.impersonation.id.to_string())
        });
        check.add(findings.collect()).await?;
    }
    Ok(i64::try_from(live.len()).unwrap_or(i64::MAX))
}

/// Counters of tenants that do not exist. They do no harm and may be many, so that all of them are one finding.
async fn find_unknown_counters(check: &Check<'_>) -> Result<i64> {
    let (mut cursor, mut compared, mut unknown) = ("0".to_owned(), 0, 0);
    let mut example = None;
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(&cursor).arg("MATCH").arg(format!("{COUNTERS}*")).arg("COUNT").arg(SCANNED);
        let (next, keys): (String, Vec<String>) = check.reconciler.stores.redis.query(&command).await?;
        compared += i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let tenant = |key: &str| key.strip_prefix(COUNTERS)?.split(':').next()?.parse::<TenantId>().ok();
        let ids: Vec<_> = keys.iter().filter_map(|key| tenant(key)).collect();
        let without = compare::list_unknown_tenants(&check.reconciler.platform.get().await?, &ids).await?;
        unknown += without.len();
        example = example.or_else(|| keys.into_iter().find(|key| tenant(key).is_some_and(|id| without.contains(&id))));
        if next == "0" {
            break;
        }
        cursor = next;
    }
    if let Some(example) = example {
        let finding = NewFinding {
            detail: Some(format!("{unknown} counters of tenants that do not exist, for example {example}")),
            ..NewFinding::new(FindingKind::Unknown, format!("{COUNTERS}*"))
        };
        check.add(vec![finding]).await?;
    }
    Ok(compared)
}
