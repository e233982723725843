//! Health checks: reports that are ready in time, whatever hangs.
//!
//! All probes run at once and share one deadline. A component that has not responded by then is down, so a report takes as
//! long as the slowest response and never longer than the deadline. Each probe has a connection of its own, which is closed
//! when it does not respond.
//!
//! Reports are shared. A request accepts the latest report while that is fresh. Requests that arrive while a report is made
//! wait for it: in this process by `single_flight`, across processes by `latest`. The schedule's reports are recorded
//! ([`Recorder`]).
//!
//! Layers, each of which uses only those before it: `error`, `deadline` and `probe` (how to probe), `readings` (what a
//! probe returns), `probes` (one file per store, service and integration), `report`, `checker` (the sharing of reports),
//! `recorder`.

mod backlog;
mod checker;
mod deadline;
mod error;
mod latest;
mod max_age;
mod probe;
mod probes;
mod readings;
mod recorder;
mod report;
mod single_flight;
mod targets;

pub use checker::{Freshness, HealthChecker};
pub use max_age::MaxAge;
pub use readings::{
    Infrastructure, IntegrationReading, IntegrationStatus, Integrations, KafkaReading, MongoDbReading,
    PostgreSqlReading, QueueReading, ServiceReading, ServiceStatus, Services, SqsReading, StoreReading,
};
pub use recorder::{RecordedHealth, Recorder};
pub use report::{HealthReport, HealthStatus};
pub use targets::{AwsEndpoints, HealthTargets};
