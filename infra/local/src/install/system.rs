//! Debian's packages, and only those whose programs are missing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use crate::{
    checkout::{Lock, cache},
    failure::{Failure, Result},
    process::run,
    progress::Progress,
    servers::postgres,
};

use super::python;

/// Keeps Debian from making a PostgreSQL cluster of its own, with a service on 5432, when it installs the server.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/landlord.conf";

/// What a stack may need from the system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// What makes keys.
    OpenSsl,
    /// What compiles the C parts of Rust packages.
    Compiler,
    /// PostgreSQL's server and its client.
    Postgres,
    /// Redis's server.
    Redis,
    /// A Java runtime.
    Java,
    /// What fetches Java programs.
    Maven,
    /// A client that signs requests for S3.
    Curl,
    /// What fetches Python packages.
    Pip,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::OpenSsl => found("openssl"),
            Self::Compiler => found("gcc") && found("make"),
            Self::Postgres => postgres::programs().is_some() && found("psql"),
            Self::Redis => found("redis-server"),
            Self::Java => java_is_new_enough(),
            Self::Maven => found("mvn"),
            Self::Curl => found("curl"),
            Self::Pip => python::pip_works(),
        }
    }

    /// Debian's package of it.
    fn package(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::Compiler => "build-essential",
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Java => "openjdk-17-jre-headless",
            Self::Maven => "maven",
            Self::Curl => "curl",
            Self::Pip => "python3-pip",
        }
    }
}

/// Installs the packages whose programs are missing.
pub(crate) fn install(needs: &[Need], progress: &Arc<Progress>) -> Result<()> {
    let missing = || needs.iter().filter(|need| !need.is_met()).map(|need| need.package()).collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let _lock = Lock::wait(&cache()?.join("system.lock"), "system packages are being installed already")?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let step = progress.step("system packages", &format!("installing {}", packages.join(" ")));
    apt(&packages)?;
    let still = missing();
    if !still.is_empty() {
        let why = format!("{} did not bring what it should", still.join(" "));
        return Err(Failure::new("System packages are missing", why));
    }
    step.done(&format!("system packages installed: {}", packages.join(" ")));
    Ok(())
}

fn apt(packages: &[&str]) -> Result<()> {
    let remedy = format!("Install them yourself: apt-get install {}", packages.join(" "));
    let what = "System packages cannot be installed";
    if !found("apt-get") {
        return Err(Failure::new(what, "there is no apt-get here").remedy(remedy));
    }
    let root = rustix::process::geteuid().is_root();
    if !root && run(Command::new("sudo").args(["-n", "true"]), what).is_err() {
        return Err(Failure::new(what, "this needs root, and sudo is missing or asks for a password")
            .remedy(format!("Run as root: apt-get install -y {}", packages.join(" "))));
    }
    // PostgreSQL's packages start a cluster of their own and Redis's a service: neither is wanted, and what was there
    // before is left alone.
    let script = format!(
        r#"set -eu
export DEBIAN_FRONTEND=noninteractive
cleanup() {{ rm -f {NO_CLUSTER}; if [ -n "${{policy-}}" ]; then rm -f /usr/sbin/policy-rc.d; fi; }}
trap cleanup EXIT
mkdir -p "$(dirname {NO_CLUSTER})"
echo 'create_main_cluster = false' > {NO_CLUSTER}
if [ ! -e /usr/sbin/policy-rc.d ]; then policy=ours; printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; fi
apt-get -qq update
apt-get -qq -y -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 install --no-install-recommends {packages}
"#,
        packages = packages.join(" ")
    );
    let mut command = if root { Command::new("sh") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "sh"]);
    }
    run(command.args(["-c", &script]), what).map(drop).map_err(|failure| failure.remedy(remedy))
}

/// Java 17 is the oldest that Kafka's broker runs on.
fn java_is_new_enough() -> bool {
    let Ok(output) = Command::new("java").arg("-version").output() else { return false };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = said.split('"').nth(1).and_then(|version| version.split(['.', '-', '+']).next()?.parse::<u32>().ok());
    version.is_some_and(|version| version >= 17)
}

/// Whether a program is on the `PATH`.
pub(crate) fn found(program: &str) -> bool {
    which(program).is_some()
}

/// Where a program is.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let variables: std::collections::BTreeMap<_, _> = env::vars_os().collect();
    let path = variables.get(std::ffi::OsStr::new("PATH"))?;
    env::split_paths(path).map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
