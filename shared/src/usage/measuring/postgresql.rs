//! Measures a tenant's PostgreSQL database: its users and its size.

use tokio::time::{Instant, timeout_at};

use crate::{
    clients::{
        clusters::PostgresCluster,
        postgres::{SqlState, connect_once, sql_state},
    },
    error::Error,
    usage::{
        MeasurementError, UserFigures,
        measuring::{failure::MeasurementFailure, timeout::server_timeout},
        store::count_users,
    },
};

pub(super) async fn measure(
    cluster: &PostgresCluster,
    database: &str,
    until: Instant,
) -> Result<UserFigures, MeasurementFailure> {
    let query = async {
        let client = connect_once(&cluster.config, Some(database)).await?;
        count_users(&client, server_timeout(until)).await
    };
    match timeout_at(until, query).await {
        Ok(counts) => counts.map_err(failure),
        Err(_) => Err(MeasurementFailure::new(MeasurementError::PostgresqlUnavailable)),
    }
}

fn failure(error: Error) -> MeasurementFailure {
    let code = match sql_state(&error) {
        Some(state) if *state == SqlState::UNDEFINED_DATABASE => MeasurementError::DatabaseMissing,
        Some(state) if *state == SqlState::QUERY_CANCELED => MeasurementError::DeadlineExceeded,
        _ => return MeasurementFailure::of(error, MeasurementError::PostgresqlUnavailable),
    };
    MeasurementFailure { code, cause: Some(error) }
}
