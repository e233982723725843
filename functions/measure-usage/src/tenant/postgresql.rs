//! The tenant's PostgreSQL database: its agents, and its size.

use std::time::Duration;

use shared::{
    clients::{
        clusters::PostgresCluster,
        postgres::{SqlState, connect_once, sql_state},
    },
    config::PostgresConfig,
    domain::MeasurementError,
    error::Error,
    store::usage::{People, find_people},
};
use tokio::time::timeout;

use super::Fault;

pub(super) async fn measure(
    cluster: &PostgresCluster,
    database: &str,
    limit: Duration,
    patience: Duration,
) -> Result<People, Fault> {
    let config = PostgresConfig { statement_timeout: patience, ..cluster.config.clone() };
    let look = async { find_people(&connect_once(&config, Some(database)).await?).await };
    match timeout(limit, look).await {
        Ok(found) => found.map_err(fault),
        Err(_) => Err(Fault::new(MeasurementError::PostgresqlUnavailable)),
    }
}

fn fault(error: Error) -> Fault {
    let code = match sql_state(&error) {
        Some(state) if *state == SqlState::UNDEFINED_DATABASE => MeasurementError::DatabaseMissing,
        Some(state) if *state == SqlState::QUERY_CANCELED => MeasurementError::DeadlineExceeded,
        _ => return Fault::of(error, MeasurementError::PostgresqlUnavailable),
    };
    Fault { code, cause: Some(error) }
}
