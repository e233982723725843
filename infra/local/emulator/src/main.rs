//! Runs every event source mapping and every schedule until SIGTERM or SIGINT.

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

/// Emulates AWS's triggers of functions: SQS event source mappings and schedules. `AWS_ENDPOINT_URL_SQS` is the address of SQS
#[derive(Debug, Parser)]
#[command(version)]
struct EmulatorOptions {
    /// The address at which functions are invoked
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
    /// Timeout of `provision-tenant` and `relay-events`
    #[arg(long, env = "PROVISION_FUNCTION_TIMEOUT_SECONDS", default_value_t = 20)]
    function_timeout_seconds: u64,
    /// Timeout of `measure-usage`
    #[arg(long, env = "MEASURE_FUNCTION_TIMEOUT_SECONDS", default_value_t = 20)]
    measure_timeout_seconds: u64,
}

impl EmulatorOptions {
    /// The mappings, with the settings of `infra/template.yaml`.
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
    let options = EmulatorOptions::parse();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the emulator failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: EmulatorOptions) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (end, ended) = watch::channel(false);
    let shutdown = || {
        let mut ended = ended.clone();
        async move {
            // An error means that the sender was dropped, which is also an end.
            let _ = ended.wait_for(|end| *end).await;
        }
    };

    let sqs = aws_sdk_sqs::Client::new(&aws_config::load_from_env().await);
    let invoker = Arc::new(HttpInvoker::new(&options.api_url)?);
    let mut parts = JoinSet::new();
    for source in options.event_sources() {
        tracing::info!(queue = source.queue_url, function = source.function, "event source mapping");
        parts.spawn(event_source::run(source, sqs.clone(), Arc::clone(&invoker), shutdown()));
    }
    for schedule in schedule::ALL {
        tracing::info!(function = schedule.function, every_s = schedule.rate.as_secs(), "schedule");
        parts.spawn(schedule::run(*schedule, Arc::clone(&invoker), shutdown()));
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // A part that ends by itself has panicked.
        Some(part) = parts.join_next() => part?,
    }
    end.send_replace(true);
    while parts.join_next().await.is_some() {}
    Ok(())
}
