//! What is measured, each by itself.

pub(crate) mod active;
pub(crate) mod artifacts;
pub(crate) mod create;
mod filled_tenants;
pub(crate) mod get;
pub(crate) mod growth;
pub(crate) mod health;
pub(crate) mod impersonation;
pub(crate) mod list;
mod load;
pub(crate) mod measuring;
pub(crate) mod provisioning;
pub(crate) mod start;
mod tenant_databases;
pub(crate) mod usage;
pub(crate) mod users;

use crate::samples::{Samples, ms};

/// The columns that functions read of a tenant.
const COLUMNS: &str = "id, name, slug, status, database_name, schema_version, created_at, updated_at, max_agents, \
                       max_contacts, max_messages_month, country, revision";

fn heading(title: &str) {
    println!("\n== {title}");
}

/// The head of a table of [`row`]s.
fn head() {
    println!("{:<36} {:>6} {:>10} {:>10} {:>10} {:>10}", "", "n", "p50", "p95", "p99", "max");
}

fn row(name: &str, samples: &Samples) {
    let [p50, p95, p99, max] = [samples.p50(), samples.p95(), samples.p99(), samples.max()].map(ms);
    println!("{name:<36} {:>6} {p50:>10} {p95:>10} {p99:>10} {max:>10}", samples.len());
}
