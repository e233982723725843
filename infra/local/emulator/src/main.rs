//! Runs every event source mapping and every schedule until it is told to end.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use emulator::{
    event_source::{self, EventSource},
    invoke::HttpInvoker,
    schedule,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

/// Plays AWS's part around the functions: SQS to function, and schedules. AWS's own variables say where SQS is.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where functions are invoked
    #[arg(long, env = "API_URL")]
    api_url: String,
    /// The queue of `provision-tenant`
    #[arg(long, env = "PROVISION_QUEUE_URL")]
    provision_queue_url: String,
    /// The queue of `relay-events`
    #[arg(long, env = "RELAY_QUEUE_URL")]
    relay_queue_url: String,
    /// The queue of `measure-usage`
    #[arg(long, env = "MEASURE_QUEUE_URL")]
    measure_queue_url: String,
    /// When an invocation by a message is given up
    #[arg(long, env = "PROVISION_FUNCTION_TIMEOUT_SECONDS", default_value_t = 20)]
    function_timeout_seconds: u64,
    /// The same of `measure-usage`
    #[arg(long, env = "MEASURE_FUNCTION_TIMEOUT_SECONDS", default_value_t = 20)]
    measure_timeout_seconds: u64,
}

impl Settings {
    /// The mappings, with the figures of the deployed ones.
    fn event_sources(&self) -> [EventSource; 3] {
        let source = |queue_url: &str, function: &str, max_concurrency| EventSource {
            queue_url: queue_url.to_owned(),
            function: function.to_owned(),
            batch_size: 10,
            max_concurrency,
            batching_window: Duration::ZERO,
            function_timeout: Duration::from_secs(self.function_timeout_seconds),
        };
        [
            source(&self.provision_queue_url, "provision-tenant", 4),
            source(&self.relay_queue_url, "relay-events", 2),
            EventSource {
                batch_size: 2,
                function_timeout: Duration::from_secs(self.measure_timeout_seconds),
                ..source(&self.measure_queue_url, "measure-usage", 2)
            },
        ]
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_target(false).with_ansi(false).init();
    let settings = Settings::parse();
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the emulator cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (end, ended) = watch::channel(false);
    let shutdown = || {
        let mut ended = ended.clone();
        async move {
            // An error means that the sender is gone, which is an end too.
            let _ = ended.wait_for(|end| *end).await;
        }
    };

    let sqs = aws_sdk_sqs::Client::new(&aws_config::load_from_env().await);
    let invoker = Arc::new(HttpInvoker::new(&settings.api_url)?);
    let mut parts = JoinSet::new();
    for source in settings.event_sources() {
        tracing::info!(queue = source.queue_url, function = source.function, "mapping");
        parts.spawn(event_source::run(source, sqs.clone(), Arc::clone(&invoker), shutdown()));
    }
    for schedule in schedule::ALL {
        tracing::info!(function = schedule.function, every_s = schedule.rate.as_secs(), "schedule");
        parts.spawn(schedule::run(*schedule, Arc::clone(&invoker), shutdown()));
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // None of them ends by itself.
        Some(part) = parts.join_next() => part?,
    }
    end.send_replace(true);
    while parts.join_next().await.is_some() {}
    Ok(())
}
