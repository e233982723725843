//! Measures what would be deployed: the release binaries of the functions, behind a Runtime API of our own, on real servers.
//! What a figure is held against, its floor, is measured in the same run, in turn with ours.

mod artifacts;
mod machine;
mod parts;
mod report;
mod request;
mod runtime;
mod samples;
mod socket;
mod world;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, ValueEnum};
use shared::error::chain;

use crate::{report::Report, world::World};

/// A result of the benchmark, which ends with the first error.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures the functions that were built for release against floors that are measured in the same run.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Settings {
    /// Only these, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<Part>,
    /// Ends with 1 if a goal is missed
    #[arg(long)]
    strict: bool,
    /// Cargo's target folder
    #[arg(long, env = "CARGO_TARGET_DIR", default_value = "target")]
    target: PathBuf,
    /// The platform database, as a role that may create others
    #[arg(long, env = "POSTGRES_URL", hide_env_values = true)]
    postgres_url: String,
    /// The same with the rights of the HTTP functions
    #[arg(long, env = "POSTGRES_API_URL", hide_env_values = true)]
    postgres_api_url: Option<String>,
    /// The same with the rights of the workers
    #[arg(long, env = "POSTGRES_PROVISIONER_URL", hide_env_values = true)]
    postgres_provisioner_url: Option<String>,
    /// Object storage
    #[arg(long, env = "AWS_ENDPOINT_URL_S3")]
    s3_endpoint: Option<String>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Sizes of the binaries, and what they link
    Artifacts,
    /// From the start of a process to its first request for work, and its memory then
    Start,
    /// A warm GET of one tenant
    Get,
    /// A warm GET of 1,000 tenants out of 10,000
    List,
    /// A warm GET of 1,000 tenants with usage, in several orders, and a walk through all
    Usage,
    /// The same page out of 1,000, 10,000 and 100,000 tenants
    Growth,
    /// GET of a tenant's users out of 100,000: searches, and the first request about a tenant
    Users,
    /// GET of the health report: the newest sample, and live while a store hangs
    Health,
    /// POST of a tenant
    Create,
    /// From POST to an active tenant
    Active,
    /// POST of an impersonation, and from DELETE to its refusal by a service that follows the events
    Impersonation,
    /// Measuring of tenants, and what it asks of each store
    Measuring,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Settings::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<ExitCode> {
    let begun = Instant::now();
    println!("{}", machine::line());
    let mut report = Report::default();
    let wanted = |part| settings.only.is_empty() || settings.only.contains(&part);
    if wanted(Part::Artifacts) {
        parts::artifacts::measure(&settings.target, &mut report)?;
    }
    if settings.only != [Part::Artifacts] {
        let world = World::make(&settings, world::TENANTS).await?;
        let measured = measure(&world, &wanted, &mut report).await;
        world.remove().await?;
        measured?;
    }
    println!("\n== Summary ({} s, load at the end {})\n{report}", begun.elapsed().as_secs(), machine::load());
    Ok(if settings.strict && report.missed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(world: &World, wanted: &impl Fn(Part) -> bool, report: &mut Report) -> Result<()> {
    if wanted(Part::Start) {
        parts::start::measure(world, report).await?;
    }
    if wanted(Part::Get) {
        parts::get::measure(world, report).await?;
    }
    if wanted(Part::List) {
        parts::list::measure(world, report).await?;
    }
    if wanted(Part::Usage) {
        parts::usage::measure(world, report).await?;
    }
    // Before hundreds of thousands of rows are loaded: soon after that, the slowest commits take several times as long.
    if wanted(Part::Create) {
        parts::create::measure(world, report).await?;
    }
    if wanted(Part::Growth) {
        parts::growth::measure(world, report).await?;
    }
    if wanted(Part::Users) {
        parts::users::measure(world, report).await?;
    }
    if wanted(Part::Health) {
        parts::health::measure(world, report).await?;
    }
    if wanted(Part::Active) {
        parts::active::measure(world, report).await?;
    }
    if wanted(Part::Impersonation) {
        parts::impersonation::measure(world, report).await?;
    }
    if wanted(Part::Measuring) {
        parts::measuring::measure(world, report).await?;
    }
    Ok(())
}
