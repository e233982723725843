//! Measures a tenant's PostgreSQL database: its users and its size. Meanwhile the database is open, so that the user directory
//! is compared with it too.

use tokio::time::{Instant, timeout_at};

use crate::{
    clients::{
        clusters::PostgresCluster,
        postgres::{Postgres, SqlState, connect_once, sql_state},
    },
    error::{Error, Result},
    types::TenantId,
    usage::{
        MeasurementError, UserFigures,
        measuring::{failure::MeasurementFailure, timeout::server_timeout},
        store::count_users,
    },
    user_directory::{self, Repair},
};

/// What a tenant's PostgreSQL database showed.
pub(super) struct MeasuredUsers {
    pub(super) figures: UserFigures,
    /// The comparison of the user directory with the users.
    pub(super) directory: Result<Repair>,
}

pub(super) async fn measure(
    platform: &Postgres,
    (tenant_id, database): (TenantId, &str),
    cluster: &PostgresCluster,
    until: Instant,
) -> Result<MeasuredUsers, MeasurementFailure> {
    let query = async {
        let client = connect_once(&cluster.config, Some(database)).await?;
        let figures = count_users(&client, server_timeout(until)).await?;
        Ok((figures, client))
    };
    let (figures, client) = match timeout_at(until, query).await {
        Ok(counted) => counted.map_err(failure)?,
        Err(_) => return Err(MeasurementFailure::new(MeasurementError::PostgresqlUnavailable)),
    };
    // The figures do not depend on it, so that its failure is not one of the measurement.
    let mut repair = Repair::default();
    let repaired = user_directory::repair(platform, (tenant_id, database), &client, &mut repair);
    let directory = match timeout_at(until, repaired).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(repair),
    };
    Ok(MeasuredUsers { figures, directory })
}

fn failure(error: Error) -> MeasurementFailure {
    let code = match sql_state(&error) {
        Some(state) if *state == SqlState::UNDEFINED_DATABASE => MeasurementError::DatabaseMissing,
        Some(state) if *state == SqlState::QUERY_CANCELED => MeasurementError::DeadlineExceeded,
        _ => return MeasurementFailure::of(error, MeasurementError::PostgresqlUnavailable),
    };
    MeasurementFailure { code, cause: Some(error) }
}
