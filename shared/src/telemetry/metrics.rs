//! Metrics: lines of the log in the embedded metric format of Amazon CloudWatch, which reads the figures from them. Nothing
//! waits for a request over the network, and no agent is needed. The alarms and the dashboard in `infra/template.yaml` use them,
//! and `infra/README.md` describes them.
//!
//! The only dimension is the stack, because each combination of dimensions is a metric of its own and is paid for.
//! Everything else about a figure is in the log lines with the same `trace_id`.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::{
    config::LogConfig,
    telemetry::{METRICS_TARGET, trace},
};

/// The namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "Landlord";

/// The dimension of the metrics: the name of the stack.
pub const DIMENSION: &str = "Stack";

/// A figure that functions report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Milliseconds from the request to the end of an operation.
    ProvisioningDuration,
    /// Operations that ended `failed`; 0 for each that succeeded.
    ProvisioningFailures,
    /// Tenants for which no open cluster has room.
    NoClusterHasRoom,
    /// Age in seconds of the oldest operation that has not ended.
    OldestOperationAge,
    /// Age in seconds of the oldest message in the outbox.
    OutboxAge,
    /// Events in the outbox that Kafka refused.
    RefusedEvents,
    /// Changes in tenants' databases that the relay could not settle at its first attempt.
    DeferredChanges,
    /// Milliseconds from the commit of an event to its arrival on the topic, of the oldest event of a batch.
    RelayLag,
    /// 0: healthy, 1: degraded, 2: unhealthy.
    HealthState,
    /// Wrong e-mail addresses or passwords.
    SignInFailures,
    /// Sign-ins, changes of passwords and refreshes of sessions that were answered with 429.
    SignInsLimited,
    /// Responses with a status of 500 or more.
    ServerErrors,
    /// Processes that could not start.
    FailedStarts,
    /// Tenants whose database a migration could not migrate.
    FailedTenantMigrations,
    /// Things in the stores that differ from the platform database, as found by the reconciliation of the schedule.
    StoreDifferences,
}

impl Metric {
    pub const ALL: [Self; 15] = [
        Self::ProvisioningDuration,
        Self::ProvisioningFailures,
        Self::NoClusterHasRoom,
        Self::OldestOperationAge,
        Self::OutboxAge,
        Self::RefusedEvents,
        Self::DeferredChanges,
        Self::RelayLag,
        Self::HealthState,
        Self::SignInFailures,
        Self::SignInsLimited,
        Self::ServerErrors,
        Self::FailedStarts,
        Self::FailedTenantMigrations,
        Self::StoreDifferences,
    ];

    /// The name in CloudWatch.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    fn unit(self) -> &'static str {
        match self {
            Self::ProvisioningDuration | Self::RelayLag => "Milliseconds",
            Self::OldestOperationAge | Self::OutboxAge => "Seconds",
            Self::HealthState => "None",
            _ => "Count",
        }
    }
}

/// Adds 1 to a metric.
pub fn count(metric: Metric) {
    report(&[(metric, 1.0)]);
}

/// Reports figures in one line. No log level suppresses it.
pub fn report(figures: &[(Metric, f64)]) {
    static STACK: OnceLock<Option<String>> = OnceLock::new();
    let stack = STACK.get_or_init(|| LogConfig::from_env().stack);
    let line = line(figures, stack.as_deref(), SystemTime::now());
    tracing::info!(target: METRICS_TARGET, "{line}");
}

fn line(figures: &[(Metric, f64)], stack: Option<&str>, now: SystemTime) -> Value {
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let dimensions: Vec<&str> = stack.iter().map(|_| DIMENSION).collect();
    let definitions: Vec<Value> =
        figures.iter().map(|(metric, _)| json!({ "Name": metric.name(), "Unit": metric.unit() })).collect();
    let mut line = Map::from_iter([(
        "_aws".to_owned(),
        json!({
            "Timestamp": u64::try_from(milliseconds).unwrap_or_default(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": definitions }],
        }),
    )]);
    line.extend(stack.map(|stack| (DIMENSION.to_owned(), json!(stack))));
    line.extend(figures.iter().map(|(metric, value)| (metric.name(), json!(value))));
    line.extend(trace::current().map(|id| ("trace_id".to_owned(), json!(id))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_has_the_embedded_metric_format() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let figures = [(Metric::OutboxAge, 1.5), (Metric::RefusedEvents, 0.0)];
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Landlord",
                    "Dimensions": [["Stack"]],
                    "Metrics": [{ "Name": "OutboxAge", "Unit": "Seconds" }, { "Name": "RefusedEvents", "Unit": "Count" }],
                }],
            },
            "Stack": "landlord-prod",
            "OutboxAge": 1.5,
            "RefusedEvents": 0.0,
        });
        assert_eq!(line(&figures, Some("landlord-prod"), now), expected);
    }

    #[tokio::test]
    async fn a_line_contains_the_trace_id_and_without_a_stack_no_dimension() {
        let id = crate::types::TraceId::generate();
        let line = trace::within(id, async { line(&[(Metric::FailedStarts, 1.0)], None, SystemTime::now()) }).await;
        assert_eq!(line["trace_id"], id.to_string());
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
        assert_eq!(line.get("Stack"), None);
    }
}
