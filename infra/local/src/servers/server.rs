//! What every server implements.

use std::{process::Command, time::Duration};

use rustix::process::Signal;

use crate::{
    error::Result, install::system::SystemPackage, probe::ProbeResult, progress::ProgressStep, stack::LocalStack,
};

pub(crate) trait LocalServer: Sync {
    /// Its name on the command line, in logs and in `.local/`.
    fn name(&self) -> &'static str;

    /// The variable that names a server of the developer's own, which is used instead.
    fn variable(&self) -> &'static str;

    /// The ports that it listens on. The first is for clients.
    fn ports(&self, stack: &LocalStack) -> Vec<u16>;

    /// System packages that installing or running it requires now.
    fn packages(&self) -> Vec<SystemPackage>;

    /// Whether its program must be compiled first, which takes minutes. The functions start without it then.
    fn must_be_built(&self) -> bool {
        false
    }

    /// Whether a process is compiling its program now.
    fn is_being_built(&self) -> bool {
        false
    }

    /// Installs its program.
    fn install(&self, step: &ProgressStep) -> Result<()>;

    /// Writes its configuration and creates its empty data.
    fn prepare(&self, stack: &LocalStack) -> Result<()>;

    /// The command that starts it.
    fn command(&self, stack: &LocalStack) -> Result<Command>;

    /// Sends it a small request. Returns its version.
    fn probe(&self, stack: &LocalStack) -> ProbeResult<String>;

    /// Creates the roles, buckets and topics that the functions expect. Must be idempotent.
    fn set_up(&self, stack: &LocalStack) -> Result<()>;

    /// The signal for an orderly shutdown.
    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }

    /// How long an orderly shutdown may take before the server is killed.
    fn stop_timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}
