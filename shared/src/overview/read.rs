//! Use case: read all figures of the overview at once.

use time::{Duration, OffsetDateTime};

use crate::{
    clients::postgres::Connection,
    error::Result,
    health::{self, Component},
    overview::{
        LatestDeadLetters, Overview, OverviewActions, OverviewComponent, OverviewHealth, OverviewOperations,
        OverviewOutbox, OverviewProvisionings, OverviewTenants, OverviewUsage, store,
    },
    types::{Day, Month},
};

/// The period of what happened lately.
const PERIOD: Duration = Duration::hours(24);

/// The number of tenants that use most.
const TOP_TENANTS: i64 = 5;

/// The number of tenants over a limit that are shown.
const TENANTS_OVER_LIMIT: i64 = 10;

/// Reads the overview. All queries are sent down one connection together, so that they take one round trip. An error means that the
/// platform database does not respond; without Redis, only the dead letters are unknown.
pub async fn read(platform: &Connection, dead_letters: &LatestDeadLetters) -> Result<Overview> {
    let now = OffsetDateTime::now_utc();
    let (since, today, month) = (now - PERIOD, Day::of(now).0.midnight().assume_utc(), Month::of(now));
    let from_platform = async {
        futures::try_join!(
            health::store::list_states(platform),
            health::store::count_tenants(platform),
            store::count_provisionings(platform, since),
            store::count_operations(platform, since),
            store::count_outbox(platform),
            store::list_most_messages(platform, month, TOP_TENANTS),
            store::list_most_storage(platform, TOP_TENANTS),
            store::list_over_limit(platform, month, TENANTS_OVER_LIMIT),
            store::count_actions(platform, today),
        )
    };
    let (from_platform, dead_letters) = futures::join!(from_platform, dead_letters.read());
    let (states, by_status, provisionings, operations, outbox, most_messages, most_storage, over_limit, by_action) =
        from_platform?;
    let mut components: Vec<_> = states
        .into_iter()
        .map(|(component, state)| OverviewComponent {
            component,
            status: state.status,
            since: state.since,
            measured_at: state.sampled_at,
        })
        .collect();
    components.sort_by_key(|one| Component::ALL.iter().position(|component| *component == one.component));
    let store::ProvisioningCounts { requested, succeeded, failed, median_seconds, p95_seconds } = provisionings;
    let (over_limit, newest_over_limit) = over_limit;
    Ok(Overview {
        health: OverviewHealth { measured_at: components.iter().map(|one| one.measured_at).max(), components },
        tenants: OverviewTenants { measured_at: now, by_status },
        provisionings: OverviewProvisionings {
            measured_at: now,
            since,
            requested,
            succeeded,
            failed,
            median_seconds,
            p95_seconds,
        },
        operations: OverviewOperations {
            measured_at: now,
            since,
            open: operations.open,
            running: operations.running,
            stuck: operations.stuck,
            failed: operations.failed,
        },
        outbox: OverviewOutbox {
            measured_at: now,
            pending: outbox.pending.number,
            is_exact: outbox.pending.is_exact,
            oldest_age_seconds: outbox.oldest_age_seconds,
        },
        dead_letters,
        usage: OverviewUsage {
            measured_at: now,
            most_messages,
            most_storage,
            over_limit: over_limit.number,
            over_limit_is_exact: over_limit.is_exact,
            newest_over_limit,
        },
        actions: OverviewActions { measured_at: now, since: today, by_action },
    })
}
