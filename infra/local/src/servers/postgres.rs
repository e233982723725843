//! PostgreSQL from the system's packages, with a cluster of its own.

use std::{
    fs,
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::{
    certificates,
    checkout::{Checkout, write_file},
    error::{DevError, ErrorContext, Result},
    install::system::{self, OLDEST_POSTGRES, SystemPackage},
    probe::ProbeResult,
    process::{detached, run, tail},
    progress::ProgressStep,
    stack::LocalStack,
};

use super::server::LocalServer;

/// The names of the certificate and of its key, in the cluster's folder.
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

pub(crate) struct PostgresServer;

impl LocalServer for PostgresServer {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn variable(&self) -> &'static str {
        "POSTGRES_URL"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.postgres()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        vec![SystemPackage::Postgres]
    }

    fn install(&self, _: &ProgressStep) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = data(&stack.checkout)?;
        if data.join("PG_VERSION").is_file() {
            return write_certificate(&stack.checkout, &data);
        }
        let action = || "PostgreSQL's cluster cannot be created".to_owned();
        let draft = data.with_extension("part");
        for leftover in [&draft, &data] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).context(action)?;
            }
        }
        fs::DirBuilder::new().mode(0o700).create(&draft).context(action)?;
        let password = data.with_extension("password");
        let _ = fs::remove_file(&password);
        write_file(&password, &stack.secrets.postgres_superuser)?;
        if let Some((user, group)) = server_user()? {
            chown(&draft, Some(user), Some(group)).context(action)?;
            chown(&password, Some(user), Some(group)).context(action)?;
        }
        let mut command = as_server_user(Command::new(program("initdb")?))?;
        command.arg("--pgdata").arg(&draft).arg("--pwfile").arg(&password);
        command.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let result = run(&mut command, &action());
        let _ = fs::remove_file(&password);
        result?;
        // Written in place, so that the file still belongs to the server's user.
        fs::write(draft.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").context(action)?;
        write_certificate(&stack.checkout, &draft)?;
        // Only a complete cluster gets the final name.
        fs::rename(&draft, &data).context(action)
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = as_server_user(detached(program("postgres")?))?;
        command.arg("-D").arg(data(&stack.checkout)?);
        let settings = [
            format!("port={}", stack.ports.postgres()),
            "listen_addresses=127.0.0.1".into(),
            // The path of a socket is limited to 107 bytes, which a checkout's path may exceed.
            "unix_socket_directories=".into(),
            "max_connections=200".into(),
            // A client that freezes while it signs in delays every `DROP DATABASE` of the server for this long.
            "authentication_timeout=5s".into(),
            // The default, 128 MB, holds less than the indexes of 100,000 tenants and their users.
            "shared_buffers=512MB".into(),
            "ssl=on".into(),
            format!("ssl_cert_file={CERTIFICATE}"),
            format!("ssl_key_file={KEY}"),
            "log_line_prefix=%m [%p] %u@%d ".into(),
        ];
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        let version = psql(stack, "postgres", "SHOW server_version").map_err(|error| error.to_string())?;
        Ok(format!("PostgreSQL {}", version.split_whitespace().next().unwrap_or_default()))
    }

    fn set_up(&self, stack: &LocalStack) -> Result<()> {
        // The functions expect these roles. The migrations grant their privileges.
        psql(stack, "postgres", include_str!("../../../setup-postgresql.sql")).map(drop)
    }

    /// A "fast shutdown": ends connections instead of waiting for them.
    fn stop_signal(&self) -> Signal {
        Signal::INT
    }
}

/// Runs SQL as the superuser. psql reads it from standard input, because it may contain passwords.
fn psql(stack: &LocalStack, database: &str, sql: &str) -> Result<String> {
    let action = || "PostgreSQL cannot be queried".to_owned();
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--host=127.0.0.1"])
        .args(["--username=postgres", &format!("--port={}", stack.ports.postgres()), database])
        .env("PGPASSWORD", &stack.secrets.postgres_superuser)
        .env("PGCONNECT_TIMEOUT", "3")
        .env("PGOPTIONS", "-c statement_timeout=20s -c client_min_messages=warning")
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", certificates::authority(&stack.checkout))
        .env_remove("PGSERVICE")
        .env("LANDLORD_PASSWORD", &stack.secrets.postgres)
        .env("LANDLORD_API_PASSWORD", &stack.secrets.postgres_api)
        .env("LANDLORD_PROVISIONER_PASSWORD", &stack.secrets.postgres_provisioner)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(action)?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(sql.as_bytes());
    }
    // The kernel still accepts connections for a server that a signal suspended, but no answer ever arrives.
    let started = Instant::now();
    while child.try_wait().context(action)?.is_none() {
        if started.elapsed() > Duration::from_secs(25) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(DevError::new(action(), "no answer in 25 s"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().context(action)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(DevError::new(action(), tail(&String::from_utf8_lossy(&output.stderr))))
}

/// Writes the certificate and its key into the cluster's folder, because the server reads files of its own user only.
fn write_certificate(checkout: &Checkout, data: &Path) -> Result<()> {
    let files = [(CERTIFICATE, certificates::certificate(checkout)), (KEY, certificates::key(checkout))];
    for (name, source) in files {
        let target = data.join(name);
        let action = || format!("{} cannot be written", target.display());
        write_file(&target, &fs::read_to_string(&source).context(action)?)?;
        if let Some((user, group)) = server_user()? {
            chown(&target, Some(user), Some(group)).context(action)?;
        }
    }
    Ok(())
}

fn program(name: &str) -> Result<PathBuf> {
    let missing = || {
        DevError::new(
            "PostgreSQL cannot be started",
            format!("no server of version {OLDEST_POSTGRES} or newer is installed in /usr/lib/postgresql"),
        )
    };
    Ok(system::postgres_programs().ok_or_else(missing)?.join(name))
}

/// The cluster's folder: in `.local/`, or in `/var/tmp` if PostgreSQL's user cannot reach `.local/`.
fn data(checkout: &Checkout) -> Result<PathBuf> {
    let usual = checkout.local("data/postgres");
    if server_user()?.is_none() || usual.exists() {
        return Ok(usual);
    }
    let alternative = alternative_folder(checkout);
    if !alternative.exists() && is_reachable(&checkout.local("data"))? {
        return Ok(usual);
    }
    let action = || format!("The folder {} cannot be used", alternative.display());
    if !alternative.exists() {
        fs::DirBuilder::new().mode(0o711).create(&alternative).context(action)?;
    }
    // Every user can create folders in /var/tmp, so a folder of another user is not trusted.
    let owner = fs::symlink_metadata(&alternative).context(action)?;
    if !owner.is_dir() || owner.uid() != rustix::process::geteuid().as_raw() {
        return Err(DevError::new(action(), "it belongs to another user").remedy("Remove it"));
    }
    Ok(alternative.join("postgres"))
}

/// For a checkout in a folder that only its owner can enter.
fn alternative_folder(checkout: &Checkout) -> PathBuf {
    let digest = Sha256::digest(checkout.root().as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("landlord-{}", &format!("{digest:x}")[..12]))
}

/// Removes a cluster outside `.local/`.
pub(crate) fn wipe(checkout: &Checkout) -> Result<()> {
    let folder = alternative_folder(checkout);
    if folder.exists() {
        fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    }
    Ok(())
}

fn is_reachable(folder: &Path) -> Result<bool> {
    let mut command = as_server_user(Command::new("test"))?;
    Ok(command.arg("-x").arg(folder).status().is_ok_and(|status| status.success()))
}

/// The user and group that run the server, if not the current ones. PostgreSQL refuses to run as root, so the user of its
/// package runs it then.
fn server_user() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let action = "PostgreSQL cannot be run as the user postgres";
    let number = |option: &str| -> Result<u32> {
        run(Command::new("id").args([option, "postgres"]), action)?.trim().parse().context(|| action.to_owned())
    };
    Ok(Some((number("-u")?, number("-g")?)))
}

fn as_server_user(mut command: Command) -> Result<Command> {
    command.current_dir("/");
    if let Some((user, group)) = server_user()? {
        command.uid(user).gid(group).env("HOME", "/");
    }
    Ok(command)
}
