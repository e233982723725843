//! The users and roles of tenants' MongoDB databases.

use std::collections::BTreeSet;

use mongodb::{
    Client,
    bson::{Document, doc},
    error::Result,
};

/// What MongoDB says about each user, those of the platform included.
pub async fn users(mongo: &Client) -> Result<Vec<Document>> {
    let answer = mongo.database("admin").run_command(doc! { "usersInfo": 1 }).await?;
    let users = answer.get_array("users").map(Vec::as_slice).unwrap_or_default();
    Ok(users.iter().filter_map(|user| user.as_document().cloned()).collect())
}

/// The databases with a user of the same name, or with roles.
pub async fn databases(mongo: &Client) -> Result<BTreeSet<String>> {
    let roles = mongo.database("admin").collection::<Document>("system.roles").distinct("db", doc! {}).await?;
    let with_roles = roles.iter().filter_map(|name| name.as_str().map(str::to_owned));
    let users = users(mongo).await?;
    Ok(users.iter().filter_map(|user| user.get_str("user").ok().map(str::to_owned)).chain(with_roles).collect())
}
