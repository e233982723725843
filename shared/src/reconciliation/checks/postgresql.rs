//! The databases on a PostgreSQL cluster against the ledger.

use std::collections::HashMap;

use crate::{
    error::{Dependency, Error, Result},
    reconciliation::{
        FindingKind,
        checks::{DATABASE_PREFIX, PAGE, compare_expected},
        run::Check,
        store::{compare, observed},
    },
};

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    let (platform, cluster) = (&check.reconciler.platform, check.part().1);
    let cluster = check.reconciler.stores.postgres.get(cluster);
    let cluster = cluster.ok_or_else(|| Error::unavailable(Dependency::PostgreSql, "the cluster is not configured"))?;
    let observed_at = compare::now(&platform.get().await?).await?;
    let (mut after, mut compared) = (String::new(), 0);
    loop {
        let page = observed::list_databases(&cluster.pool.get().await?, DATABASE_PREFIX, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        compared += i64::try_from(page.len()).unwrap_or(i64::MAX);
        let names: Vec<_> = page.iter().map(|one| one.name.clone()).collect();
        let accessible: Vec<_> = page.iter().map(|one| one.is_accessible).collect();
        let mut found = compare::list_unexpected(&platform.get().await?, check.part(), &names, observed_at).await?;
        // Every database has a comment about its origin, which is all that is known about it.
        let comments: HashMap<_, _> = page.into_iter().map(|one| (one.name, one.comment)).collect();
        for finding in found.iter_mut().filter(|finding| finding.kind == FindingKind::Unknown) {
            finding.detail = comments.get(&finding.subject).cloned().flatten();
        }
        let client = platform.get().await?;
        found.extend(compare::list_wrong_access(&client, (&names, &accessible), observed_at).await?);
        drop(client);
        check.add(found).await?;
    }
    let expected = compare_expected(check, observed_at, |names| async move {
        observed::select_missing_databases(&cluster.pool.get().await?, &names).await
    });
    Ok(compared + expected.await?)
}
