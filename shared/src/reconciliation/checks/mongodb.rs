//! The databases on a MongoDB cluster against the ledger.

use mongodb::bson::doc;

use crate::{
    error::{Dependency, Error, Result},
    reconciliation::{
        checks::{DATABASE_PREFIX, PAGE, compare_expected},
        run::Check,
        store::compare,
    },
};

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    let (platform, cluster) = (&check.reconciler.platform, check.part().1);
    let cluster = check.reconciler.stores.mongo.get(cluster);
    let cluster = cluster.ok_or_else(|| Error::unavailable(Dependency::MongoDb, "the cluster is not configured"))?;
    let observed_at = compare::now(&platform.get().await?).await?;
    // MongoDB lists databases all at once. A cluster has at most as many tenants as its configuration allows.
    let filter = doc! { "name": { "$regex": format!("^{DATABASE_PREFIX}") } };
    let mut names = cluster.client().await?.list_database_names().filter(filter).await?;
    names.sort_unstable();
    for page in names.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        check.add(compare::list_unexpected(&platform.get().await?, check.part(), page, observed_at).await?).await?;
    }
    let expected = compare_expected(check, observed_at, |expected| {
        let missing = expected.into_iter().filter(|name| names.binary_search(name).is_err());
        std::future::ready(Ok(missing.collect()))
    });
    let compared = i64::try_from(names.len()).unwrap_or(i64::MAX);
    Ok(compared + expected.await?)
}
