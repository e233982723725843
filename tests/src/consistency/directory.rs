//! The user directory against the users in a tenant's own database.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use uuid::Uuid;

/// The columns that both have. The times of a tenant's first user differ until the first measurement.
const COLUMNS: &str = "email, full_name, role, status, revision::text";

/// The directory contains each user of the tenant, as they are, and nobody else. This holds when nothing is left to do, unless a user was
/// changed without the API since the tenant's last measurement.
pub async fn of_tenant(platform: &Client, tenant: Uuid, inside: &Client) -> Vec<String> {
    let listed = format!("SELECT user_id, {COLUMNS} FROM user_directory WHERE tenant_id = $1");
    let mut listed: BTreeMap<Uuid, Vec<String>> =
        platform.query(&listed, &[&tenant]).await.unwrap().iter().map(fields).collect();
    let mut found = Vec::new();
    for (user, fields) in
        inside.query(&format!("SELECT id, {COLUMNS} FROM users"), &[]).await.unwrap().iter().map(fields)
    {
        match listed.remove(&user) {
            None => found.push(format!("the directory does not contain user {user} of tenant {tenant}")),
            Some(other) if other != fields => {
                found
                    .push(format!("the directory has {other:?} of user {user} of tenant {tenant}, who has {fields:?}"));
            }
            Some(_) => {}
        }
    }
    let surplus = listed.keys();
    found.extend(surplus.map(|user| format!("the directory has user {user} of tenant {tenant}, who does not exist")));
    found
}

fn fields(row: &tokio_postgres::Row) -> (Uuid, Vec<String>) {
    (row.get(0), (1..row.len()).map(|column| row.get(column)).collect())
}
