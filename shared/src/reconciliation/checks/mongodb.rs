//! The databases on a MongoDB cluster, and the users and roles in their names, against the ledger.

use std::collections::{BTreeSet, HashSet};

use mongodb::{
    Client,
    bson::{Document, doc},
};
use tracing::warn;

use crate::{
    clients::mongo,
    error::{Dependency, Error, Result},
    reconciliation::{
        checks::{DATABASE_PREFIX, PAGE, compare_expected},
        run::Check,
        store::compare,
    },
};

/// The code of the error `Unauthorized`.
const UNAUTHORIZED: i32 = 13;

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    let (platform, cluster) = (&check.reconciler.platform, check.part().1);
    let cluster = check.reconciler.stores.mongo.get(cluster);
    let cluster = cluster.ok_or_else(|| Error::unavailable(Dependency::MongoDb, "the cluster is not configured"))?;
    let observed_at = compare::now(&platform.get().await?).await?;
    // MongoDB lists databases all at once. A cluster has at most as many tenants as its configuration allows.
    let filter = doc! { "name": { "$regex": format!("^{DATABASE_PREFIX}") } };
    let client = cluster.client().await?;
    let databases: HashSet<_> = client.list_database_names().filter(filter).await?.into_iter().collect();
    let users = list_users(client).await?;
    let mut names: BTreeSet<_> = list_roles(client).await?;
    names.extend(databases.iter().chain(&users.all).cloned());
    let names: Vec<_> = names.into_iter().collect();
    for page in names.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let accessible: Vec<_> = page.iter().map(|name| users.with_role.contains(name)).collect();
        let client = platform.get().await?;
        let mut found = compare::list_unexpected(&client, check.part(), page, observed_at).await?;
        for finding in found.iter_mut().filter(|finding| !databases.contains(&finding.subject)) {
            let ledger = finding.detail.take().map(|detail| format!("; {detail}")).unwrap_or_default();
            finding.detail = Some(format!("a user or a role without a database{ledger}"));
        }
        found.extend(compare::list_wrong_access(&client, (page, &accessible), observed_at).await?);
        drop(client);
        check.add(found).await?;
    }
    let expected = compare_expected(check, observed_at, |expected| {
        let missing = expected.into_iter().filter(|name| !databases.contains(name));
        std::future::ready(Ok(missing.collect()))
    });
    let compared = i64::try_from(names.len()).unwrap_or(i64::MAX);
    Ok(compared + expected.await?)
}

/// The users of the platform's services. Their names are those of the databases.
#[derive(Default)]
struct ServiceUsers {
    all: Vec<String>,
    /// Those that may use their database, because they have a role in it.
    with_role: HashSet<String>,
}

async fn list_users(client: &Client) -> Result<ServiceUsers> {
    let filter = doc! { "user": { "$regex": format!("^{DATABASE_PREFIX}") } };
    let answer = client.database("admin").run_command(doc! { "usersInfo": 1, "filter": filter }).await?;
    let mut users = ServiceUsers::default();
    for user in answer.get_array("users").map(Vec::as_slice).unwrap_or_default() {
        let Some(user) = user.as_document() else { continue };
        let (Ok(name), Ok(roles)) = (user.get_str("user"), user.get_array("roles")) else { continue };
        let mut databases = roles.iter().map(|role| role.as_document().and_then(|role| role.get_str("db").ok()));
        if databases.any(|database| database == Some(name)) {
            users.with_role.insert(name.to_owned());
        }
        users.all.push(name.to_owned());
    }
    Ok(users)
}

/// The databases in which roles were created. None if the user of this check may not read them: a role that is left over lets nobody in,
/// so that the rest of the check is worth more than this part of it.
async fn list_roles(client: &Client) -> Result<BTreeSet<String>> {
    let roles = client.database("admin").collection::<Document>("system.roles");
    let filter = doc! { "db": { "$regex": format!("^{DATABASE_PREFIX}") } };
    match roles.distinct("db", filter).await {
        Ok(databases) => Ok(databases.iter().filter_map(|name| name.as_str()).map(ToOwned::to_owned).collect()),
        Err(error) if mongo::answer(&error).is_some_and(|(code, _)| code == UNAUTHORIZED) => {
            warn!("the roles on a MongoDB cluster are not compared: {error}");
            Ok(BTreeSet::new())
        }
        Err(error) => Err(error.into()),
    }
}
