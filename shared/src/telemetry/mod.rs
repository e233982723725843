//! Logs: one line per event, with a message and dotted fields (`tenant.id`, `admin.id`, `operation.id`, `request.id`,
//! `duration_ms`) and the [trace id](trace), as JSON on standard output. Among them are the [metrics].

mod json_lines;
pub mod metrics;
mod text_lines;
pub mod trace;

use tracing::Subscriber;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::config::LogConfig;
use crate::telemetry::{
    json_lines::{JsonFields, JsonLines},
    text_lines::TextLines,
};

/// The target of the lines that are metrics. Their message is the whole line.
const METRICS_TARGET: &str = "metrics";

/// Installs the subscriber of the process. A second call has no effect.
pub fn init() {
    let config = LogConfig::from_env();
    // Tests in one process call this more than once.
    let _result = if config.json {
        json_subscriber(&config.filter, std::io::stdout).try_init()
    } else {
        // Terminals show no metrics.
        let levels = filter(&config.filter).with_target(METRICS_TARGET, LevelFilter::OFF);
        registry().with(levels).with(fmt::layer().with_ansi(false).event_format(TextLines::default())).try_init()
    };
}

/// The subscriber of a process that logs JSON, with another destination. `levels` is a value of `RUST_LOG`.
pub fn json_subscriber<W>(levels: &str, destination: W) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_ansi(false).fmt_fields(JsonFields).event_format(JsonLines);
    registry().with(filter(levels)).with(lines.with_writer(destination))
}

/// Targets that are not named have the level `info`, so that a typing error silences nothing. Metrics are never silenced, because
/// alarms depend on them. The span that the runtime puts
/// around each invocation is left out unless its target is named, because its fields are in no line.
fn filter(levels: &str) -> Targets {
    let named: Targets = levels.parse().unwrap_or_default();
    let default = named.default_level().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(default)
        .with_target("lambda_runtime", default.min(LevelFilter::WARN))
        .with_targets(named.iter())
        .with_target(METRICS_TARGET, LevelFilter::INFO)
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
        assert!(filter("off").would_enable(METRICS_TARGET, &Level::INFO));
    }
}
