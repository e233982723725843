//! Logs: one line per event, with a message and dotted fields (`tenant.id`, `admin.id`, `operation.id`, `request.id`,
//! `duration_ms`), as JSON on standard output.

mod json_lines;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::config::LogConfig;
use crate::telemetry::json_lines::{JsonFields, JsonLines};

/// Installs the subscriber of the process. A second call has no effect.
pub fn init() {
    let config = LogConfig::from_env();
    let lines = fmt::layer().with_ansi(false);
    let filtered = registry().with(filter(&config.filter));
    // Tests in one process call this more than once.
    let _result = if config.json {
        filtered.with(lines.fmt_fields(JsonFields).event_format(JsonLines)).try_init()
    } else {
        filtered.with(lines).try_init()
    };
}

/// Targets that are not named have the level `info`, so that a typing error silences nothing. The span that the runtime puts
/// around each invocation is left out unless its target is named, because its fields are in no line.
fn filter(levels: &str) -> Targets {
    let named: Targets = levels.parse().unwrap_or_default();
    let default = named.default_level().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(default)
        .with_target("lambda_runtime", default.min(LevelFilter::WARN))
        .with_targets(named.iter())
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn an_invalid_filter_means_the_default() {
        for (levels, target, least) in [
            ("info", "shared::http", Level::INFO),
            ("warn,shared::http=debug", "shared::http::envelope", Level::DEBUG),
            ("warn,shared::http=debug", "login", Level::WARN),
            ("info", "lambda_runtime::layers", Level::WARN),
            ("error", "lambda_runtime::layers", Level::ERROR),
            ("error,lambda_runtime=info", "lambda_runtime::layers", Level::INFO),
            ("loud", "login", Level::INFO),
            ("shared=loud", "login", Level::INFO),
            ("shared::http=debug", "login", Level::INFO),
        ] {
            let passes = |level: Level| filter(levels).would_enable(target, &level);
            for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                assert_eq!(passes(level), level <= least, "{levels}: {target} {level}");
            }
        }
        assert!(!filter("off").would_enable("login", &Level::ERROR));
    }
}
