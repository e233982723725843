//! The databases and objects of tenants against the ledger.

use std::collections::BTreeSet;

use aws_sdk_s3::Client as S3;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Checked, lines};
use crate::mongo_logins;

/// What is found in the stores, of every platform that uses them.
struct Found {
    postgres: BTreeSet<String>,
    mongo: BTreeSet<String>,
    /// Databases with a MongoDB user of that name, or with roles.
    mongo_logins: BTreeSet<String>,
    /// Tenants with objects, versions or delete markers.
    objects: BTreeSet<Uuid>,
}

pub(super) async fn contradictions(checked: &Checked<'_>) -> Vec<String> {
    // What should exist is read before and after: in between, an operation may have created or removed it.
    let (absent, present) = (should_not_exist(checked.platform).await, should_exist(checked.platform).await);
    if absent.is_empty() && present.is_empty() {
        return Vec::new();
    }
    let without_objects = tenants(checked.platform, WITHOUT_OBJECTS).await;
    let with_objects = tenants(checked.platform, WITH_OBJECTS).await;
    let found = look(checked).await;
    let absent: BTreeSet<_> = absent.intersection(&should_not_exist(checked.platform).await).cloned().collect();
    let present: BTreeSet<_> = present.intersection(&should_exist(checked.platform).await).cloned().collect();
    let mut lines = Vec::new();
    for (store, names) in [("PostgreSQL", &found.postgres), ("MongoDB", &found.mongo)] {
        lines.extend(absent.intersection(names).map(|name| format!("{store} contains {name}, which should not exist")));
        lines.extend(
            present.difference(names).map(|name| format!("{store} does not contain {name}, which should exist")),
        );
    }
    let logins = absent.intersection(&found.mongo_logins);
    lines.extend(logins.map(|name| format!("MongoDB contains a user or a role of {name}, which should not exist")));
    lines.extend(access(checked).await);
    let without = without_objects.intersection(&found.objects).copied();
    let without: BTreeSet<_> = without.collect();
    let without = without.intersection(&tenants(checked.platform, WITHOUT_OBJECTS).await).copied().collect::<Vec<_>>();
    lines.extend(without.iter().map(|id| format!("the bucket contains objects of {id}, which should have none")));
    let with: BTreeSet<_> = with_objects.difference(&found.objects).copied().collect();
    let with = with.intersection(&tenants(checked.platform, WITH_OBJECTS).await).copied().collect::<Vec<_>>();
    lines.extend(with.iter().map(|id| format!("the bucket contains no object of {id}, which should have one")));
    lines
}

/// Databases that the platform's services may use although their tenant is not active, and the other way round. What an operation works
/// on may be either.
async fn access(checked: &Checked<'_>) -> Vec<String> {
    const SETTLED: &str = "FROM tenants t JOIN tenant_databases d ON d.name = t.database_name
        JOIN operations c ON c.id = d.operation_id AND c.status = 'succeeded'
        WHERE d.state = 'live' AND NOT EXISTS (SELECT FROM operations o WHERE o.tenant_id = t.id AND o.finished_at IS NULL)";
    let by_postgres = format!(
        "SELECT 'tenant ' || t.id || ' is ' || t.status || ', and services may connect to PostgreSQL: ' || p.may
         {} AND p.may <> (t.status = 'active')",
        SETTLED.replacen(
            "WHERE",
            "JOIN LATERAL (SELECT has_database_privilege('landlord_service', datname, 'CONNECT') AS may
                           FROM pg_database WHERE datname = d.name) AS p ON true WHERE",
            1,
        )
    );
    let mut found = lines(checked.platform, &by_postgres).await;
    let of = |status: &str| format!("SELECT d.name {SETTLED} AND (t.status = 'active') = {status}");
    let names =
        async |status: &str| -> BTreeSet<String> { lines(checked.platform, &of(status)).await.into_iter().collect() };
    let (granted, revoked) = (names("true").await, names("false").await);
    let used = with_roles(checked).await;
    // Read again, because an operation may have changed it meanwhile.
    let (granted, revoked) = (
        granted.intersection(&names("true").await).cloned().collect::<BTreeSet<_>>(),
        revoked.intersection(&names("false").await).cloned().collect::<BTreeSet<_>>(),
    );
    found.extend(granted.difference(&used).map(|name| format!("services cannot use the MongoDB database {name}")));
    found.extend(revoked.intersection(&used).map(|name| format!("services can use the MongoDB database {name}")));
    found
}

/// The databases in which the MongoDB user with the same name has a role.
async fn with_roles(checked: &Checked<'_>) -> BTreeSet<String> {
    let mut users = mongo_logins::users(checked.mongo).await.expect("MongoDB lists its users");
    users.retain(|user| user.get_array("roles").is_ok_and(|roles| !roles.is_empty()));
    users.iter().map(|user| user.get_str("user").unwrap().to_owned()).collect()
}

/// Databases of tenants that the ledger does not contain. They contradict only if the servers belong to this platform alone.
pub async fn unknown(checked: &Checked<'_>) -> Vec<String> {
    let found = look(checked).await;
    let known: BTreeSet<_> = lines(checked.platform, "SELECT name FROM tenant_databases").await.into_iter().collect();
    let mut unknown = Vec::new();
    for (store, names) in [("PostgreSQL", &found.postgres), ("MongoDB", &found.mongo)] {
        let of_tenants = names.iter().filter(|name| name.starts_with("tenant_") && !known.contains(*name));
        unknown.extend(of_tenants.map(|name| format!("{store} contains {name}, which is not in the ledger")));
    }
    unknown
}

/// Tenants all of whose databases are gone or were never begun.
const WITHOUT_OBJECTS: &str = "SELECT t.id::text FROM tenants t
    WHERE NOT EXISTS (SELECT FROM tenant_databases d WHERE d.tenant_id = t.id AND d.state NOT IN ('planned', 'dropped'))
        AND NOT EXISTS (SELECT FROM operations o WHERE o.tenant_id = t.id AND o.finished_at IS NULL)";

/// Tenants that an operation has made. Tests also insert rows of tenants that exist nowhere else.
const WITH_OBJECTS: &str = "SELECT t.id::text FROM tenants t
    JOIN tenant_databases d ON d.name = t.database_name JOIN operations o ON o.id = d.operation_id
    WHERE d.state = 'live' AND o.status = 'succeeded'";

async fn should_not_exist(platform: &Client) -> BTreeSet<String> {
    lines(platform, "SELECT name FROM tenant_databases WHERE state IN ('planned', 'dropped')")
        .await
        .into_iter()
        .collect()
}

/// Databases that an operation has made.
async fn should_exist(platform: &Client) -> BTreeSet<String> {
    let sql = "SELECT d.name FROM tenant_databases d JOIN operations o ON o.id = d.operation_id
               WHERE d.state = 'live' AND o.status = 'succeeded'";
    lines(platform, sql).await.into_iter().collect()
}

async fn tenants(platform: &Client, sql: &str) -> BTreeSet<Uuid> {
    lines(platform, sql).await.iter().map(|id| id.parse().unwrap()).collect()
}

async fn look(checked: &Checked<'_>) -> Found {
    let in_postgres = lines(checked.platform, "SELECT datname::text FROM pg_database WHERE datname LIKE 'tenant\\_%'");
    let (postgres, mongo, mongo_logins, objects) = tokio::join!(
        in_postgres,
        checked.mongo.list_database_names(),
        mongo_logins::databases(checked.mongo),
        prefixes(checked.s3, checked.bucket)
    );
    Found {
        postgres: postgres.into_iter().collect(),
        mongo: mongo.expect("MongoDB lists its databases").into_iter().collect(),
        mongo_logins: mongo_logins.expect("MongoDB lists its users and roles"),
        objects,
    }
}

/// The tenants of which the bucket contains an object, an older version or a delete marker.
async fn prefixes(s3: &S3, bucket: &str) -> BTreeSet<Uuid> {
    let (mut found, mut key, mut version) = (BTreeSet::new(), None, None);
    loop {
        let list = s3.list_object_versions().bucket(bucket).prefix("tenants/").delimiter("/");
        let page = list.set_key_marker(key.take()).set_version_id_marker(version.take()).send().await;
        let page = page.expect("the bucket lists its objects");
        let names = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()?.split('/').nth(1));
        found.extend(names.filter_map(|name| name.parse::<Uuid>().ok()));
        if !page.is_truncated().unwrap_or(false) {
            return found;
        }
        key = page.next_key_marker().map(str::to_owned);
        version = page.next_version_id_marker().map(str::to_owned);
    }
}
