//! `cargo dev seed`: writes generated data to the stores that the environment names.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, error::ErrorKind};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use seed::{
    WrittenRows, health,
    tenants::{self, TenantOptions},
    users::{self, TargetTenant},
};
use shared::{
    clients::{postgres::connect_once, redis::Redis},
    config::{Clusters, FromEnv, PostgresConfig, RedisConfig},
    error::{Error, Result, chain},
    types::TenantId,
};

/// Adds generated data to the stores. It can run again: existing data stays unchanged
#[derive(Debug, Parser)]
#[command(name = "cargo dev seed", bin_name = "cargo dev seed", version)]
struct SeedOptions {
    #[command(flatten)]
    counts: SeedCounts,
    /// Number of users that each added tenant has in the user directory
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    users_per_tenant: u16,
    /// The tenant that gets the users; it must be provisioned and active
    #[arg(long, value_name = "ID", requires = "users")]
    tenant: Option<TenantId>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct SeedCounts {
    /// Number of tenants to add, with usage and history; also adds the health of the past month
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tenants: Option<u32>,
    /// Number of users to add to the database of one tenant
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), requires = "tenant")]
    users: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match SeedOptions::try_parse() {
        Ok(options) => options,
        Err(error) => return print_error(&error),
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An API response hides the source of an internal error; a developer needs it.
            let why = match &error {
                Error::Internal(source) => chain(source.as_ref()),
                other => chain(other),
            };
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints help as it is, and an error as one line.
fn print_error(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let first: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    eprintln!("{}", first.join(" "));
    ExitCode::FAILURE
}

/// The time limit of Redis. It is longer than in a function, because no caller waits.
const REDIS_TIMEOUT: Duration = Duration::from_secs(10);

async fn run(options: &SeedOptions) -> Result<()> {
    let begun = Instant::now();
    let config = PostgresConfig::from_env().map_err(Error::internal)?;
    // A batch writes more rows than any function, so it gets a longer time limit.
    let config = PostgresConfig { statement_timeout: Duration::from_mins(5), ..config };
    let mut platform = connect_once(&config, None).await?;
    // Looked up before the first write, so that a refused run writes nothing.
    let tenant = match options.tenant {
        Some(id) => Some(TargetTenant::find(&platform, id).await?),
        None => None,
    };
    if let Some(count) = options.counts.tenants {
        let redis = RedisConfig::from_env().map_err(Error::internal)?;
        let redis = Redis::connect(&RedisConfig { timeout: REDIS_TIMEOUT, ..redis }).map_err(Error::internal)?;
        let wanted = TenantOptions { count: count as usize, history: true, users: options.users_per_tenant.into() };
        let progress = SeedProgress::new("tenants", count);
        let mut written = tenants::fill(&mut platform, Some(&redis), wanted, |done| progress.add(done)).await?;
        written.add(health::fill(&mut platform).await?);
        progress.finish(&written);
    }
    if let (Some(tenant), Some(count)) = (tenant, options.counts.users) {
        let clusters = Clusters::postgres_from_env().map_err(Error::internal)?;
        let progress = SeedProgress::new("users", count);
        let filled =
            users::fill(&platform, &tenant, (&clusters, &config), count as usize, |done| progress.add(done)).await?;
        let (written, active) = filled;
        progress.finish(&written);
        if let Some(limit) = tenant.max_agents.filter(|limit| active > *limit) {
            println!("the tenant now has {active} active users; its limit is {limit}");
        }
    }
    println!("finished in {:.1} s", begun.elapsed().as_secs_f32());
    Ok(())
}

/// Progress: a bar on a terminal, a line every few seconds elsewhere.
struct SeedProgress {
    bar: ProgressBar,
    kind: &'static str,
    begun: Instant,
    last_line: std::cell::Cell<Instant>,
}

impl SeedProgress {
    fn new(kind: &'static str, count: u32) -> Self {
        let bar = ProgressBar::new(count.into());
        let template = "{msg} {wide_bar} {human_pos} of {human_len}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(kind);
        let begun = Instant::now();
        Self { bar, kind, begun, last_line: begun.into() }
    }

    fn add(&self, done: usize) {
        const LINE_INTERVAL: Duration = Duration::from_secs(5);
        self.bar.inc(done as u64);
        if self.bar.is_hidden() && self.last_line.get().elapsed() > LINE_INTERVAL {
            self.last_line.set(Instant::now());
            let (at, of) = (HumanCount(self.bar.position()), HumanCount(self.bar.length().unwrap_or_default()));
            eprintln!("{at} of {of} {}", self.kind);
        }
    }

    fn finish(&self, written: &WrittenRows) {
        self.bar.finish_and_clear();
        println!("{} in {:.1} s: {written}", self.kind, self.begun.elapsed().as_secs_f32());
    }
}
