//! PostgreSQL, of the system's packages, with a cluster of our own.

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
    checkout::Checkout,
    failure::{Attempt, Failure, Result},
    probe::Answer,
    process::{detached, run, tail},
    progress::Step,
    stack::Stack,
};

use super::Server;

/// The oldest that the platform's SQL is written for.
const OLDEST: u32 = 15;

/// The server.
pub(crate) struct Postgres;

impl Server for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn variable(&self) -> &'static str {
        "POSTGRES_URL"
    }

    fn ports(&self, stack: &Stack) -> Vec<u16> {
        vec![stack.ports.postgres()]
    }

    fn install(&self, _: &Stack, _: &Step) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, stack: &Stack) -> Result<()> {
        let data = data(&stack.checkout)?;
        if data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        let what = || "PostgreSQL's cluster cannot be made".to_owned();
        let draft = data.with_extension("part");
        for leftover in [&draft, &data] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).attempt(what)?;
            }
        }
        fs::DirBuilder::new().mode(0o700).create(&draft).attempt(what)?;
        let password = data.with_extension("password");
        let _ = fs::remove_file(&password);
        crate::checkout::write_whole(&password, &stack.secrets.postgres_superuser)?;
        if let Some((user, group)) = servant()? {
            chown(&draft, Some(user), Some(group)).attempt(what)?;
            chown(&password, Some(user), Some(group)).attempt(what)?;
        }
        let mut command = as_servant(Command::new(program("initdb")?))?;
        command.arg("--pgdata").arg(&draft).arg("--pwfile").arg(&password);
        command.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let made = run(&mut command, &what());
        let _ = fs::remove_file(&password);
        made?;
        // Only a whole cluster gets the name under which it is used.
        fs::rename(&draft, &data).attempt(what)
    }

    fn command(&self, stack: &Stack) -> Result<Command> {
        let mut command = as_servant(detached(program("postgres")?))?;
        command.arg("-D").arg(data(&stack.checkout)?);
        let settings = [
            format!("port={}", stack.ports.postgres()),
            "listen_addresses=127.0.0.1".into(),
            // A socket's path must be short, which a checkout's need not be.
            "unix_socket_directories=".into(),
            "max_connections=200".into(),
            "log_line_prefix=%m [%p] %u@%d ".into(),
        ];
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        Ok(command)
    }

    fn probe(&self, stack: &Stack) -> Answer<String> {
        let said = psql(stack, "postgres", "SHOW server_version").map_err(|failure| failure.to_string())?;
        Ok(format!("PostgreSQL {}", said.split_whitespace().next().unwrap_or_default()))
    }

    fn settle(&self, stack: &Stack) -> Result<()> {
        let secrets = &stack.secrets;
        let there = psql(stack, "postgres", "SELECT count(*) FROM pg_database WHERE datname = 'landlord'")?;
        psql(
            stack,
            "postgres",
            &format!(
                r"
DO $$
DECLARE
    name text;
BEGIN
    -- Names that the functions expect; what each may do is the migrations' to say.
    FOREACH name IN ARRAY ARRAY['landlord', 'landlord_api', 'landlord_provisioner', 'landlord_api_login', 'landlord_provisioner_login'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
    END LOOP;
END
$$;
ALTER ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD '{}';
ALTER ROLE landlord_api_login LOGIN PASSWORD '{}';
ALTER ROLE landlord_provisioner_login LOGIN CREATEDB PASSWORD '{}';
GRANT landlord_api, landlord_provisioner TO landlord WITH ADMIN OPTION;
GRANT landlord_api TO landlord_api_login;
GRANT landlord_provisioner TO landlord_provisioner_login;
",
                secrets.postgres, secrets.postgres_api, secrets.postgres_provisioner
            ),
        )?;
        if there.trim() == "0" {
            psql(stack, "postgres", "CREATE DATABASE landlord OWNER landlord")?;
        }
        Ok(())
    }

    /// Ends connections instead of waiting for them, and closes the data in good order.
    fn farewell(&self) -> Signal {
        Signal::INT
    }
}

/// Runs SQL as the superuser. It goes by standard input, for it may hold passwords.
fn psql(stack: &Stack, database: &str, sql: &str) -> Result<String> {
    let what = || "PostgreSQL cannot be asked".to_owned();
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--host=127.0.0.1"])
        .args(["--username=postgres", &format!("--port={}", stack.ports.postgres()), database])
        .env("PGPASSWORD", &stack.secrets.postgres_superuser)
        .env("PGCONNECT_TIMEOUT", "3")
        .env("PGOPTIONS", "-c statement_timeout=20s -c client_min_messages=warning")
        .env("PGSSLMODE", "disable")
        .env_remove("PGSERVICE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .attempt(what)?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(sql.as_bytes());
    }
    // A server that was stopped by a signal still accepts connections, and then says nothing, for ever.
    let begun = Instant::now();
    while child.try_wait().attempt(what)?.is_none() {
        if begun.elapsed() > Duration::from_secs(25) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::new(what(), "no answer in 25 s"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().attempt(what)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(what(), tail(&String::from_utf8_lossy(&output.stderr))))
}

/// The folder of the newest server that is installed, if it is new enough.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= OLDEST && programs.join("postgres").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

fn program(name: &str) -> Result<PathBuf> {
    let missing = || {
        Failure::new(
            "PostgreSQL cannot be started",
            format!("no server of version {OLDEST} or newer is in /usr/lib/postgresql"),
        )
    };
    Ok(programs().ok_or_else(missing)?.join(name))
}

/// Where the cluster is: in `.local/`, unless PostgreSQL's user cannot get there.
fn data(checkout: &Checkout) -> Result<PathBuf> {
    let usual = checkout.local("data/postgres");
    if servant()?.is_none() || usual.exists() {
        return Ok(usual);
    }
    let elsewhere = elsewhere(checkout);
    if !elsewhere.exists() && reachable(&checkout.local("data"))? {
        return Ok(usual);
    }
    let what = || format!("{} cannot be used", elsewhere.display());
    if !elsewhere.exists() {
        fs::DirBuilder::new().mode(0o711).create(&elsewhere).attempt(what)?;
    }
    // Anyone may make folders in /var/tmp: one that somebody else made is not to be trusted.
    let owner = fs::symlink_metadata(&elsewhere).attempt(what)?;
    if !owner.is_dir() || owner.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::new(what(), "it is not ours").remedy("Remove it"));
    }
    Ok(elsewhere.join("postgres"))
}

/// For a checkout in a folder that only its owner may enter.
fn elsewhere(checkout: &Checkout) -> PathBuf {
    let digest = Sha256::digest(checkout.root().as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("landlord-{}", &format!("{digest:x}")[..12]))
}

/// Removes the cluster, wherever it is.
pub(crate) fn wipe(checkout: &Checkout) -> Result<()> {
    let elsewhere = elsewhere(checkout);
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere).attempt(|| format!("{} cannot be removed", elsewhere.display()))?;
    }
    Ok(())
}

fn reachable(folder: &Path) -> Result<bool> {
    let mut command = as_servant(Command::new("test"))?;
    Ok(command.arg("-x").arg(folder).status().is_ok_and(|status| status.success()))
}

/// PostgreSQL refuses to run as root: then its own user, which its package made, runs it.
fn servant() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let what = "PostgreSQL cannot be run as the user postgres";
    let number = |option: &str| -> Result<u32> {
        run(Command::new("id").args([option, "postgres"]), what)?.trim().parse().attempt(|| what.to_owned())
    };
    Ok(Some((number("-u")?, number("-g")?)))
}

fn as_servant(mut command: Command) -> Result<Command> {
    command.current_dir("/");
    if let Some((user, group)) = servant()? {
        command.uid(user).gid(group).env("HOME", "/");
    }
    Ok(command)
}
