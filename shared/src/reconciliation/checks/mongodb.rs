//! The databases on a MongoDB cluster against the ledger.

use std::collections::HashSet;

use mongodb::{Client, bson::doc};

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
    let client = cluster.client().await?;
    let mut names = client.list_database_names().filter(filter).await?;
    let used = list_accessible(client).await?;
    names.sort_unstable();
    for page in names.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let accessible: Vec<_> = page.iter().map(|name| used.contains(name)).collect();
        let client = platform.get().await?;
        let mut found = compare::list_unexpected(&client, check.part(), page, observed_at).await?;
        found.extend(compare::list_wrong_access(&client, (page, &accessible), observed_at).await?);
        drop(client);
        check.add(found).await?;
    }
    let expected = compare_expected(check, observed_at, |expected| {
        let missing = expected.into_iter().filter(|name| names.binary_search(name).is_err());
        std::future::ready(Ok(missing.collect()))
    });
    let compared = i64::try_from(names.len()).unwrap_or(i64::MAX);
    Ok(compared + expected.await?)
}

/// The databases that the platform's services may use: those in which their users have a role. The names of the users are those of the
/// databases.
async fn list_accessible(client: &Client) -> Result<HashSet<String>> {
    let filter = doc! { "user": { "$regex": format!("^{DATABASE_PREFIX}") } };
    let answer = client.database("admin").run_command(doc! { "usersInfo": 1, "filter": filter }).await?;
    let users = answer.get_array("users").map(Vec::as_slice).unwrap_or_default();
    let with_role = users.iter().filter_map(|user| {
        let user = user.as_document()?;
        let name = user.get_str("user").ok()?;
        let mut roles = user.get_array("roles").ok()?.iter();
        let has_role = roles.any(|role| role.as_document().and_then(|role| role.get_str("db").ok()) == Some(name));
        has_role.then(|| name.to_owned())
    });
    Ok(with_role.collect())
}
