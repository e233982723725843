//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the release builds of the functions against floors measured in the same run.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct BenchOptions {
    /// Run only these benchmarks, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<Benchmark>,
    /// Exit with status 1 if a goal is missed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Cargo's target folder
    #[arg(long, env = "CARGO_TARGET_DIR", default_value = "target")]
    pub(crate) target: PathBuf,
    /// The platform database, as a role that may create databases
    #[arg(long, env = "POSTGRES_URL", hide_env_values = true)]
    pub(crate) postgres_url: String,
    /// The platform database with the privileges of the HTTP functions
    #[arg(long, env = "POSTGRES_API_URL", hide_env_values = true)]
    pub(crate) postgres_api_url: Option<String>,
    /// The platform database with the privileges of the provisioning workers
    #[arg(long, env = "POSTGRES_PROVISIONER_URL", hide_env_values = true)]
    pub(crate) postgres_provisioner_url: Option<String>,
    /// Object storage
    #[arg(long, env = "AWS_ENDPOINT_URL_S3")]
    pub(crate) s3_endpoint: Option<String>,
    /// The certificate authority of object storage
    #[arg(long, env = "AWS_CA_BUNDLE")]
    pub(crate) s3_authority: Option<PathBuf>,
}

/// A benchmark that can be selected with `--only`. They run in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Benchmark {
    /// Sizes of the binaries, and the client libraries that they link
    Artifacts,
    /// From process start to the first request for work, and resident memory at that point
    Start,
    /// The first request of a new process, with its connection to the platform database
    Cold,
    /// GET of one tenant, warm
    Get,
    /// GET of 1,000 of 10,000 tenants, warm
    List,
    /// GET of 1,000 tenants with usage, in several sort orders, and every page in turn
    Usage,
    // Before `Growth` loads hundreds of thousands of rows: soon after that, the slowest commits take several times as long.
    /// POST of a tenant
    Create,
    /// The same page from 1,000, 10,000 and 100,000 tenants
    Growth,
    /// GET of a tenant's users from 100,000: searches, and the first request for a tenant
    Users,
    /// GET of the health report: the latest sample, and live while a store hangs
    Health,
    /// From POST to an active tenant
    Active,
    /// POST of an impersonation, and from DELETE to the event that makes other services refuse its token
    Impersonation,
    /// An export of a tenant of 1 GiB, and the memory that it needs
    Export,
    /// From DELETE of 100 tenants to the last receipt
    Purge,
    /// Measuring the usage of tenants, and the requests that it sends to each store
    Measuring,
}
