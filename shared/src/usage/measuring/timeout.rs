//! The time that a store itself may spend on a query.

use std::time::Duration;

use tokio::time::Instant;

/// The time that the error of a store which gives up needs to arrive.
const MARGIN: Duration = Duration::from_millis(500);

/// The timeout to pass to a store for a query that is sent now. It ends a little before ours, which distinguishes a slow
/// store from one that hangs. It is never zero, because stores treat zero as "no timeout".
pub(super) fn server_timeout(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).saturating_sub(MARGIN).max(Duration::from_millis(1))
}
