//! A release. The template contains a custom resource that CloudFormation creates and updates by invoking this function: after
//! this function has its new code, and before any other function has. The event names a URL to which the result is sent. If the
//! result is a failure, CloudFormation rolls the deployment back before requests reach new code.
//!
//! The migrations could also run in a hook of CodeDeploy, before it shifts requests to new code. Such a hook belongs to one
//! function, so each of the others could shift without it, and CodeDeploy does not run when a stack is created.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    clients::web,
    error::{Error, Result},
    worker::Deadline,
};

use crate::{App, Summary};

/// The one resource of this kind in the stack. It never changes, because a new id makes CloudFormation delete the old one.
const PHYSICAL_ID: &str = "landlord-migrations";

/// Reserved for sending the result. Without a result, CloudFormation waits until its own timeout.
const RESULT_TIME: Duration = Duration::from_secs(10);

const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// CloudFormation refuses results of more than 4096 bytes.
const MAX_REASON: usize = 1000;

/// An event of CloudFormation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReleaseEvent {
    request_type: RequestType,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    #[serde(default)]
    resource_properties: Properties,
    #[serde(default)]
    old_resource_properties: Properties,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum RequestType {
    Create,
    Update,
    Delete,
}

#[derive(Debug, Default, Deserialize)]
struct Properties {
    /// The version of this function, whose ARN ends with its number.
    #[serde(rename = "Release")]
    release: Option<String>,
}

impl Properties {
    fn version(&self) -> Option<u64> {
        self.release.as_deref()?.rsplit(':').next()?.parse().ok()
    }
}

/// The result that CloudFormation was sent.
#[derive(Debug, Serialize)]
pub struct Release {
    pub succeeded: bool,
    /// What was done, or why the release failed.
    pub reason: String,
}

/// Whether an event is one of CloudFormation.
pub(crate) fn is_in(event: &Value) -> bool {
    event.get("ResponseURL").is_some()
}

/// Migrates everything if the release is new, and sends CloudFormation the result. Fails only if the result cannot be sent.
pub(crate) async fn run(app: &App, event: &Value, deadline: Deadline) -> Result<Release> {
    let event = ReleaseEvent::deserialize(event).map_err(|error| Error::Malformed(format!("release: {error}")))?;
    let release = if let Some(reason) = nothing_to_do(&event) {
        Release { succeeded: true, reason: reason.to_owned() }
    } else {
        let time = deadline.remaining().saturating_sub(RESULT_TIME);
        let result = tokio::time::timeout(time, app.run()).await.unwrap_or(Err(Error::DeadlineExceeded));
        match result.map_err(|error| error.chain()).and_then(|summary| check(&summary)) {
            Ok(reason) => Release { succeeded: true, reason },
            Err(reason) => Release { succeeded: false, reason },
        }
    };
    tracing::info!(release.succeeded = release.succeeded, reason = release.reason, "release");
    send(&event, &release).await?;
    Ok(release)
}

/// Why an event needs no migration.
fn nothing_to_do(event: &ReleaseEvent) -> Option<&'static str> {
    let (new, old) = (event.resource_properties.version(), event.old_resource_properties.version());
    match event.request_type {
        RequestType::Delete => Some("The databases are kept"),
        // CloudFormation rolls back with an update to the earlier version. Migrations only go forward, and each release works
        // with the schema of the next.
        RequestType::Update if new.zip(old).is_some_and(|(new, old)| new < old) => {
            Some("A rollback keeps the schema, with which the earlier release works")
        }
        RequestType::Create | RequestType::Update => None,
    }
}

/// A tenant that is left behind fails the release: new code answers its requests about users with 409.
fn check(summary: &Summary) -> Result<String, String> {
    let tenants = &summary.tenants;
    if let Some(first) = tenants.failed.first() {
        return Err(format!(
            "{} tenants could not be migrated, such as {}: {}. The others are migrated. Correct the cause and deploy again",
            tenants.failed.len(),
            first.tenant_id,
            first.error
        ));
    }
    if tenants.unfinished {
        return Err(format!(
            "The time was enough for {} tenants only. Deploy again: the next run continues",
            tenants.migrated
        ));
    }
    Ok(format!("Migrated to version {}, and {} tenants", summary.platform_version, tenants.migrated))
}

/// Sends the result to the presigned URL of the event. The signature covers an empty content type.
async fn send(event: &ReleaseEvent, release: &Release) -> Result<()> {
    let body = json!({
        "Status": if release.succeeded { "SUCCESS" } else { "FAILED" },
        "Reason": release.reason.chars().take(MAX_REASON).collect::<String>(),
        "PhysicalResourceId": PHYSICAL_ID,
        "StackId": event.stack_id,
        "RequestId": event.request_id,
        "LogicalResourceId": event.logical_resource_id,
        "Data": {},
    })
    .to_string();
    let client = web::client(REQUEST_TIMEOUT).map_err(Error::internal)?;
    let mut result = Ok(());
    for _ in 0..3 {
        let request = client.put(&event.response_url).header(CONTENT_TYPE, "").body(body.clone());
        // The URL is a credential, so it must not be part of an error.
        let sent = async { request.send().await?.error_for_status() };
        result = sent.await.map(drop).map_err(|error| Error::internal(error.without_url()));
        if result.is_ok() {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use shared::types::TenantId;

    use super::*;
    use crate::{FailedMigration, TenantMigrations};

    fn event(request_type: &str, new: &str, old: Option<&str>) -> ReleaseEvent {
        let arn = |version| {
            format!("arn:aws:lambda:eu-central-1:123456789012:function:landlord-prod-migrate-platform:{version}")
        };
        let event = json!({
            "RequestType": request_type, "ResponseURL": "https://s3.example/", "StackId": "s", "RequestId": "r",
            "LogicalResourceId": "Migration", "ResourceType": "Custom::Migration",
            "ResourceProperties": { "ServiceToken": "t", "Release": arn(new) },
            "OldResourceProperties": old.map_or_else(|| json!({}), |old| json!({ "Release": arn(old) })),
        });
        assert!(is_in(&event));
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_new_release_migrates_and_neither_a_rollback_nor_a_deletion_does() {
        assert_eq!(nothing_to_do(&event("Create", "1", None)), None);
        assert_eq!(nothing_to_do(&event("Update", "10", Some("9"))), None);
        // The same version: somebody repeats the release.
        assert_eq!(nothing_to_do(&event("Update", "9", Some("9"))), None);
        assert!(nothing_to_do(&event("Update", "9", Some("10"))).is_some());
        assert!(nothing_to_do(&event("Delete", "10", None)).is_some());
    }

    #[test]
    fn a_tenant_that_is_left_behind_fails_the_release() {
        let summary = |tenants| Summary {
            applied: Vec::new(),
            platform_version: 7,
            tenant_schema_version: 3,
            templates_created: Vec::new(),
            tenants,
            first_admin_created: false,
        };
        assert!(check(&summary(TenantMigrations { migrated: 5, ..TenantMigrations::default() })).is_ok());
        let failed = FailedMigration { tenant_id: TenantId::generate(), error: "a session holds a lock".to_owned() };
        let reason = check(&summary(TenantMigrations { failed: vec![failed], ..TenantMigrations::default() }));
        assert!(reason.unwrap_err().contains("a session holds a lock"));
        let late = TenantMigrations { unfinished: true, ..TenantMigrations::default() };
        assert!(check(&summary(late)).unwrap_err().contains("Deploy again"));
    }
}
