//! `cargo dev seed`: fills the stores that the environment names.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, error::ErrorKind};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use seed::{
    Written,
    agents::{self, Home},
    health,
    tenants::{self, Tenants},
};
use shared::{
    clients::{postgres::connect_once, redis::Redis},
    config::{Clusters, FromEnv, PostgresConfig, RedisConfig},
    error::{Error, Result, chain},
    types::TenantId,
};

/// Writes generated data straight into the stores, in addition to what is there. It can be repeated.
#[derive(Debug, Parser)]
#[command(name = "cargo dev seed", bin_name = "cargo dev seed", version)]
struct Settings {
    #[command(flatten)]
    wanted: Wanted,
    /// The tenant that the users are for: one that was provisioned and is active
    #[arg(long, value_name = "ID", requires = "users")]
    tenant: Option<TenantId>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Wanted {
    /// How many tenants, with usage and history, and the health of the past month
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tenants: Option<u32>,
    /// How many users, in the database of one tenant
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), requires = "tenant")]
    users: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let settings = match Settings::try_parse() {
        Ok(settings) => settings,
        Err(error) => return explain(&error),
    };
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is told of a request here, so what is behind a fault of ours is said right away.
            let why = match &error {
                Error::Internal(source) => chain(source.as_ref()),
                other => chain(other),
            };
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Help as it is, and what is wrong in one line.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let first: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    eprintln!("{}", first.join(" "));
    ExitCode::FAILURE
}

/// Redis may take longer than in a function, which somebody waits for.
const PATIENCE: Duration = Duration::from_secs(10);

async fn run(settings: &Settings) -> Result<()> {
    let begun = Instant::now();
    let config = PostgresConfig::from_env().map_err(Error::internal)?;
    // More is written at once than a function ever writes.
    let config = PostgresConfig { statement_timeout: Duration::from_mins(5), ..config };
    let mut platform = connect_once(&config, None).await?;
    // Before anything is written, all that can be refused is.
    let home = match settings.tenant {
        Some(id) => Some(Home::find(&platform, id).await?),
        None => None,
    };
    if let Some(count) = settings.wanted.tenants {
        let redis = RedisConfig::from_env().map_err(Error::internal)?;
        let redis = Redis::connect(&RedisConfig { timeout: PATIENCE, ..redis }).map_err(Error::internal)?;
        let wanted = Tenants { count: count as usize, history: true };
        let bar = Bar::new("tenants", count);
        let mut written = tenants::fill(&mut platform, Some(&redis), wanted, |done| bar.add(done)).await?;
        written.add(health::fill(&mut platform).await?);
        bar.done(&written);
    }
    if let (Some(home), Some(count)) = (home, settings.wanted.users) {
        let clusters = Clusters::postgres_from_env().map_err(Error::internal)?;
        let bar = Bar::new("users", count);
        let filled = agents::fill(&platform, &home, (&clusters, &config), count as usize, |done| bar.add(done)).await?;
        let (written, counted) = filled;
        bar.done(&written);
        if let Some(limit) = home.max_agents.filter(|limit| counted > *limit) {
            println!("the tenant has {counted} agents now that count against its limit of {limit}");
        }
    }
    println!("all written in {:.1} s", begun.elapsed().as_secs_f32());
    Ok(())
}

/// How far it is: a bar on a terminal, a line now and then elsewhere.
struct Bar {
    drawn: ProgressBar,
    what: &'static str,
    begun: Instant,
    said: std::cell::Cell<Instant>,
}

impl Bar {
    fn new(what: &'static str, count: u32) -> Self {
        let bar = ProgressBar::new(count.into());
        let template = "{msg} {wide_bar} {human_pos} of {human_len}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        let begun = Instant::now();
        Self { drawn: bar, what, begun, said: begun.into() }
    }

    fn add(&self, done: usize) {
        const QUIET: Duration = Duration::from_secs(5);
        self.drawn.inc(done as u64);
        if self.drawn.is_hidden() && self.said.get().elapsed() > QUIET {
            self.said.set(Instant::now());
            let (at, of) = (HumanCount(self.drawn.position()), HumanCount(self.drawn.length().unwrap_or_default()));
            eprintln!("{at} of {of} {}", self.what);
        }
    }

    fn done(&self, written: &Written) {
        self.drawn.finish_and_clear();
        println!("{} in {:.1} s: {written}", self.what, self.begun.elapsed().as_secs_f32());
    }
}
