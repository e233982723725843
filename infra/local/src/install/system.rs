//! Debian packages. Only those are installed whose programs are missing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use crate::{
    checkout::{FileLock, cache},
    error::{DevError, Result},
    process::run,
    progress::Progress,
};

/// Keeps Debian's `postgresql` from creating a cluster of its own on port 5432.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/landlord.conf";

/// The oldest PostgreSQL that runs the platform's SQL.
pub(crate) const OLDEST_POSTGRES: u32 = 15;

/// A package that the stack may need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SystemPackage {
    /// Creates keys.
    OpenSsl,
    /// Compiles the C parts of Rust packages.
    Compiler,
    /// Compiles TLS to Kafka.
    OpenSslHeaders,
    /// Finds OpenSSL for the compiler.
    PkgConfig,
    /// Configures one of them, librdkafka.
    Cmake,
    /// The server and its client.
    Postgres,
    Redis,
    Java,
    /// Downloads Java programs.
    Maven,
    /// A client that signs requests for S3.
    Curl,
    /// Downloads Python packages.
    Pip,
    /// Runs the tests of the console.
    Chromium,
}

impl SystemPackage {
    fn is_installed(self) -> bool {
        match self {
            Self::OpenSsl => is_on_path("openssl"),
            Self::Compiler => is_on_path("gcc") && is_on_path("make"),
            Self::OpenSslHeaders => Path::new("/usr/include/openssl/ssl.h").is_file(),
            Self::PkgConfig => is_on_path("pkg-config"),
            Self::Cmake => is_on_path("cmake"),
            Self::Postgres => postgres_programs().is_some() && is_on_path("psql"),
            Self::Redis => is_on_path("redis-server"),
            Self::Java => java_is_new_enough(),
            Self::Maven => is_on_path("mvn"),
            Self::Curl => is_on_path("curl"),
            Self::Pip => pip_works(),
            Self::Chromium => is_on_path("chromium"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::Compiler => "build-essential",
            Self::OpenSslHeaders => "libssl-dev",
            Self::PkgConfig => "pkg-config",
            Self::Cmake => "cmake",
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Java => "openjdk-17-jre-headless",
            Self::Maven => "maven",
            Self::Curl => "curl",
            Self::Pip => "python3-pip",
            Self::Chromium => "chromium",
        }
    }
}

/// One installation of all missing packages. What needs one of them waits for it; everything else goes on meanwhile.
#[derive(Debug)]
pub(crate) struct PackageInstallation {
    missing: Vec<SystemPackage>,
    /// `None` while the installation has not finished; then whether it succeeded.
    succeeded: Mutex<Option<bool>>,
    finished: Condvar,
}

impl PackageInstallation {
    pub(crate) fn of_missing(packages: impl IntoIterator<Item = SystemPackage>) -> Self {
        let mut missing: Vec<SystemPackage> = Vec::new();
        for package in packages {
            if !missing.contains(&package) && !package.is_installed() {
                missing.push(package);
            }
        }
        Self { missing, succeeded: Mutex::default(), finished: Condvar::new() }
    }

    /// Installs the packages.
    pub(crate) fn run(&self, progress: &Arc<Progress>) -> Result<()> {
        let result = install(&self.missing, progress);
        *self.succeeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.is_ok());
        self.finished.notify_all();
        result
    }

    /// Waits until the packages are installed. Returns at once when none of them was missing.
    pub(crate) fn wait_for(&self, packages: &[SystemPackage]) -> Result<()> {
        if !packages.iter().any(|package| self.missing.contains(package)) {
            return Ok(());
        }
        let mut succeeded = self.succeeded.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *succeeded {
                Some(true) => return Ok(()),
                Some(false) => {
                    let names: Vec<_> = packages.iter().map(|package| package.name()).collect();
                    return Err(DevError::new("A system package is missing", names.join(" ")));
                }
                None => succeeded = self.finished.wait(succeeded).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Installs those of the packages that are missing.
pub(crate) fn install(packages: &[SystemPackage], progress: &Arc<Progress>) -> Result<()> {
    let missing =
        || packages.iter().filter(|package| !package.is_installed()).map(|package| package.name()).collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let _lock = FileLock::wait(&cache()?.join("system.lock"), "another process is installing system packages")?;
    let names = missing();
    if names.is_empty() {
        return Ok(());
    }
    let step = progress.step("system packages", &format!("installing {}", names.join(" ")));
    apt_install(&names)?;
    let still_missing = missing();
    if !still_missing.is_empty() {
        let reason = format!("the programs of {} are missing although it was installed", still_missing.join(" "));
        return Err(DevError::new("System packages are missing", reason));
    }
    step.done(&format!("system packages installed: {}", names.join(" ")));
    Ok(())
}

fn apt_install(names: &[&str]) -> Result<()> {
    let remedy = format!("Install them yourself: apt-get install {}", names.join(" "));
    let action = "System packages cannot be installed";
    if !is_on_path("apt-get") {
        return Err(DevError::new(action, "this machine has no apt-get").remedy(remedy));
    }
    let root = rustix::process::geteuid().is_root();
    if !root && run(Command::new("sudo").args(["-n", "true"]), action).is_err() {
        return Err(DevError::new(action, "root is required, and sudo is missing or asks for a password")
            .remedy(format!("Run as root: apt-get install -y {}", names.join(" "))));
    }
    // Without `policy-rc.d`, Debian would start Redis as a service. An existing one is left alone.
    let script = format!(
        r#"set -eu
export DEBIAN_FRONTEND=noninteractive
cleanup() {{ rm -f {NO_CLUSTER}; if [ -n "${{policy-}}" ]; then rm -f /usr/sbin/policy-rc.d; fi; }}
trap cleanup EXIT
mkdir -p "$(dirname {NO_CLUSTER})"
echo 'create_main_cluster = false' > {NO_CLUSTER}
if [ ! -e /usr/sbin/policy-rc.d ]; then policy=ours; printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; fi
apt-get -qq update
apt-get -qq -y -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 install --no-install-recommends {names}
"#,
        names = names.join(" ")
    );
    let mut command = if root { Command::new("sh") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "sh"]);
    }
    run(command.args(["-c", &script]), action).map(drop).map_err(|error| error.remedy(remedy))
}

/// Kafka's broker requires Java 17 or newer.
fn java_is_new_enough() -> bool {
    let Ok(output) = Command::new("java").arg("-version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text.split('"').nth(1).and_then(|version| version.split(['.', '-', '+']).next()?.parse::<u32>().ok());
    version.is_some_and(|version| version >= 17)
}

/// Whether `python3 -m pip` works.
fn pip_works() -> bool {
    Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// The folder of the newest installed PostgreSQL server, if it is new enough.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= OLDEST_POSTGRES && programs.join("postgres").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

pub(crate) fn is_on_path(program: &str) -> bool {
    find_program(program).is_some()
}

/// Searches the `PATH` for a program.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let variables: std::collections::BTreeMap<_, _> = env::vars_os().collect();
    let path = variables.get(std::ffi::OsStr::new("PATH"))?;
    env::split_paths(path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_not_missing_are_not_waited_for() {
        let running = PackageInstallation {
            missing: vec![SystemPackage::Java],
            succeeded: Mutex::default(),
            finished: Condvar::new(),
        };
        assert!(running.wait_for(&[SystemPackage::Curl, SystemPackage::Pip]).is_ok());
    }

    #[test]
    fn what_needs_a_package_fails_when_its_installation_failed() {
        let failed = PackageInstallation {
            missing: vec![SystemPackage::Java],
            succeeded: Mutex::new(Some(false)),
            finished: Condvar::new(),
        };
        assert!(failed.wait_for(&[SystemPackage::Java]).unwrap_err().to_string().contains("openjdk"));
    }
}
