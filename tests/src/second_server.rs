//! A PostgreSQL server of a test's own, which accepts TLS only and has certificates of its own.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use uuid::Uuid;

use crate::{certificates::TestAuthority, until};

/// The server. It ends with this value.
pub struct SecondServer {
    pub port: u16,
    /// The certificate authority of the server.
    pub authority: PathBuf,
    folder: PathBuf,
    process: Child,
}

impl SecondServer {
    /// Starts a server whose superuser `postgres` needs no password on the Unix socket in [`Self::socket`].
    pub async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("second-server-{}", Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        // PostgreSQL refuses to run as root, and its user must reach the folder.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let ca = TestAuthority::new();
        let authority = folder.join("ca.pem");
        fs::write(&authority, &ca.pem).unwrap();
        let data = folder.join("data");
        let mut initdb = program("initdb");
        initdb.args([
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-sync",
            "--pgdata",
        ]);
        assert!(initdb.arg(&data).stdout(Stdio::null()).status().unwrap().success());
        let (certificate, key) = ca.certificate(&["127.0.0.1"]);
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            write_as_server(&data.join(name), &text);
        }
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        write_as_server(&data.join("pg_hba.conf"), rules);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-c", "ssl=on", "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", &format!("port={port}"), "-c", &format!("unix_socket_directories={}", folder.display())]);
        let process = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { port, authority, folder, process };
        until("the second server answers", Duration::from_secs(30), async || {
            server
                .psql(server.socket(), &[])
                .stderr(Stdio::null())
                .arg("--command=SELECT 1")
                .status()
                .unwrap()
                .success()
        })
        .await;
        server
    }

    /// The connection string of the superuser.
    pub fn socket(&self) -> String {
        format!("postgres://postgres@/postgres?host={}&port={}", self.folder.display(), self.port)
    }

    /// The connection string of a login, over TCP, with verified TLS. The CA file has to be given separately.
    pub fn url(&self, login: &str, password: &str, database: &str) -> String {
        format!("postgres://{login}:{password}@127.0.0.1:{}/{database}?sslmode=verify-full", self.port)
    }

    /// psql with a connection string.
    pub fn psql(&self, url: impl AsRef<str>, variables: &[(&str, &str)]) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url.as_ref()]);
        psql.env("PGSSLROOTCERT", &self.authority).envs(variables.iter().copied()).stdout(Stdio::piped());
        psql
    }
}

impl Drop for SecondServer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

/// A program of the newest installed server, run by a user that PostgreSQL accepts.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path());
    let newest = versions.max_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap_or(0));
    let mut command = Command::new(newest.unwrap().join("bin").join(name));
    command.current_dir("/");
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group).env("HOME", "/");
    }
    command
}

fn server_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

/// Writes a file that only the server's user can read.
fn write_as_server(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}
