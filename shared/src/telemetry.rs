//! Logs: one line an event, a message and dotted fields (`tenant.id`, `admin.id`, `operation.id`, `request.id`,
//! `duration_ms`), as JSON on standard output.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogConfig;

/// Installs the subscriber of the process. Twice is once.
pub fn init() {
    let config = LogConfig::from_env();
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_target(true).with_ansi(false);
    // A second subscriber is refused, which is what tests that share a process want.
    let _already = if config.json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        builder.try_init()
    };
}
