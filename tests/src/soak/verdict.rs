//! What the platform shows after a soak, against what it has accepted.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use shared::{
    clients::{postgres::connect_once, s3::Bucket},
    config::{FromEnv, KafkaConfig, S3Config},
};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{
    caller::Caller,
    model::{TenantModel, UserModel},
};
use crate::{
    consistency::{self, Checked},
    platform::{mongo, owner_of},
    topic,
};

/// The platform database of the local stack.
const PLATFORM: &str = "landlord";

async fn platform() -> Client {
    connect_once(&owner_of(PLATFORM), None).await.unwrap()
}

/// Waits until nothing is left to do. Returns what then still is.
pub(super) async fn wait_until_finished(limit: Instant) -> Vec<String> {
    loop {
        let left = consistency::unfinished(&platform().await).await;
        if left.is_empty() || Instant::now() > limit {
            return left.into_iter().map(|line| format!("not finished: {line}")).collect();
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Everything that contradicts.
pub(super) async fn contradictions(caller: &Caller, models: &[TenantModel]) -> Vec<String> {
    let config = S3Config::from_env().unwrap();
    let bucket = Bucket::connect(&config).unwrap();
    let kafka = KafkaConfig::from_env().unwrap();
    let messages = tokio::task::spawn_blocking(move || topic::read(&kafka)).await.unwrap();
    let events: Vec<Value> = messages.into_iter().map(|message| message.payload).collect();
    println!("events: {}", events.len());
    let platform = platform().await;
    let checked = Checked {
        platform: &platform,
        mongo: &mongo().await,
        s3: bucket.client().await,
        bucket: &config.bucket,
        delivered: Some(events.clone()),
    };
    let mut found = consistency::contradictions(&checked).await;
    found.extend(consistency::stores::unknown(&checked).await);
    for model in models {
        found.extend(of_tenant(caller, &platform, model, &events).await);
    }
    found
}

async fn of_tenant(caller: &Caller, platform: &Client, model: &TenantModel, events: &[Value]) -> Vec<String> {
    let sql = "SELECT id, database_name FROM tenants WHERE slug = $1";
    let rows = platform.query(sql, &[&model.slug]).await.unwrap();
    let mut found: Vec<String> =
        model.complaints.iter().map(|complaint| format!("{}: {complaint}", model.slug)).collect();
    let Some(id) = model.id else {
        let is_refused = model.complaints.is_empty();
        found.extend((is_refused && !rows.is_empty()).then(|| format!("{} was refused, and exists", model.slug)));
        return found;
    };
    let [row] = &*rows else {
        found.push(format!("{} exists {} times", model.slug, rows.len()));
        return found;
    };
    let mut compare = |what: String, shown: &Value, accepted: Value| {
        if *shown != accepted {
            found.push(format!("tenant {id}: {what} is {shown}, and {accepted} was accepted"));
        }
    };
    let tenant = caller.get(format!("/tenants/{id}")).await;
    compare("name".to_owned(), &tenant["name"], (&*model.name).into());
    compare("status".to_owned(), &tenant["status"], model.status.into());
    compare("max_agents".to_owned(), &tenant["limits"]["max_agents"], model.max_agents.into());
    if tenant["status"] == "deleted" {
        let receipt = caller.get(format!("/tenants/{id}/receipt")).await;
        compare("existence of a receipt".to_owned(), &receipt["receipt"].is_string().into(), true.into());
    }
    if tenant["status"] != "active" && tenant["status"] != "suspended" {
        // It has no users yet, or none any more.
        return found;
    }
    let users = caller.get(format!("/tenants/{id}/users?limit=100")).await;
    let shown: BTreeMap<Uuid, &Value> =
        users.as_array().unwrap().iter().map(|user| (user["id"].as_str().unwrap().parse().unwrap(), user)).collect();
    compare("number of users".to_owned(), &shown.len().into(), model.users.len().into());
    for (user, UserModel { email, full_name, role, status }) in &model.users {
        let shown = shown.get(user).copied().unwrap_or(&Value::Null);
        for (field, accepted) in
            [("email", email.as_str()), ("full_name", full_name), ("role", role), ("status", status)]
        {
            compare(format!("{field} of user {user}"), &shown[field], accepted.into());
        }
    }
    for (impersonation, has_ended) in &model.impersonations {
        let shown = caller.get(format!("/impersonations/{impersonation}")).await;
        if *has_ended && shown["ended_at"].is_null() {
            found.push(format!("impersonation {impersonation} of tenant {id} was ended, and is shown as live"));
        }
    }
    let database: String = row.get(1);
    match connect_once(&owner_of(&database), None).await {
        Ok(inside) => {
            found.extend(consistency::events::of_users(id, &inside, events).await);
            found.extend(consistency::directory::of_tenant(platform, id, &inside).await);
        }
        Err(error) => found.push(format!("tenant {id}: its database cannot be opened: {}", error.chain())),
    }
    found
}
