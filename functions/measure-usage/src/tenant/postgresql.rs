//! The tenant's PostgreSQL database: its agents, and its size.

use shared::{
    clients::{
        clusters::PostgresCluster,
        postgres::{SqlState, connect_once, sql_state},
    },
    error::Error,
    usage::{
        MeasurementError,
        store::{People, find_people},
    },
};
use tokio::time::{Instant, timeout_at};

use super::{InputError, patience};

pub(super) async fn measure(cluster: &PostgresCluster, database: &str, until: Instant) -> Result<People, InputError> {
    let look = async {
        let client = connect_once(&cluster.config, Some(database)).await?;
        find_people(&client, patience(until)).await
    };
    match timeout_at(until, look).await {
        Ok(found) => found.map_err(fault),
        Err(_) => Err(InputError::new(MeasurementError::PostgresqlUnavailable)),
    }
}

fn fault(error: Error) -> InputError {
    let code = match sql_state(&error) {
        Some(state) if *state == SqlState::UNDEFINED_DATABASE => MeasurementError::DatabaseMissing,
        Some(state) if *state == SqlState::QUERY_CANCELED => MeasurementError::DeadlineExceeded,
        _ => return InputError::of(error, MeasurementError::PostgresqlUnavailable),
    };
    InputError { code, cause: Some(error) }
}
