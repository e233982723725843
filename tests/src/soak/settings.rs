//! What a soak does.

use std::time::Duration;

use clap::Parser;

/// Lets tenants live on the local stack while its processes are disturbed, and checks that nothing is lost
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo dev soak", bin_name = "cargo dev soak")]
pub struct Settings {
    /// Decides every action, and the times and kinds of the faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How long tenants begin and faults happen
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Milliseconds between two new tenants
    #[arg(long, default_value_t = 4000)]
    interval_ms: u64,
    /// At most this many tenants
    #[arg(long)]
    pub tenants: Option<u32>,
    /// Actions in the life of a tenant, at most
    #[arg(long, default_value_t = 16)]
    pub actions: u32,
    /// Seconds between two faults, on average; 0 for none
    #[arg(long, default_value_t = 4.0)]
    pub fault_seconds: f64,
    /// Stop this server for the whole time, instead of random faults
    #[arg(long)]
    pub outage: Option<String>,
    /// Seconds in which everything that has begun must end after the last fault
    #[arg(long, default_value_t = 600)]
    patience_seconds: u64,
}

impl Settings {
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Whether every kind of action is expected to happen.
    pub(super) fn is_long(&self) -> bool {
        self.seconds >= 300 && self.actions > 0 && self.tenants.is_none() && self.outage.is_none()
    }

    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds)
    }
}
