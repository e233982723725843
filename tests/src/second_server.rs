//! A PostgreSQL server of a test's own, which accepts TLS only and has certificates of its own. A test can freeze it, fill its disk, and
//! promote a standby of it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use migrate_platform::{Summary, TenantSchema};
use shared::config::{Clusters, PostgresConfig};
use uuid::Uuid;

use crate::{certificates::TestAuthority, processes, until};

/// The server. It ends with this value.
pub struct SecondServer {
    pub port: u16,
    /// The certificate authority of the server.
    pub authority: PathBuf,
    folder: PathBuf,
    process: Child,
    /// Whether the folder is a file system of its own.
    is_mounted: bool,
}

/// Password of all logins that [`SecondServer::prepare`] creates.
const PASSWORD: &str = "second";

impl SecondServer {
    /// Starts a server whose superuser `postgres` needs no password on the Unix socket in [`Self::socket`].
    pub async fn start() -> Self {
        Self::start_in(new_folder(), false).await
    }

    /// As [`Self::start`], on a file system of its own with so many MiB.
    pub async fn start_on_small_disk(size: u32) -> Self {
        let folder = new_folder();
        let options = format!("size={size}m,mode=777");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs", folder.to_str().unwrap()];
        assert!(as_root("mount").args(arguments).status().unwrap().success(), "a file system is mounted");
        Self::start_in(folder, true).await
    }

    async fn start_in(folder: PathBuf, is_mounted: bool) -> Self {
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
        let rules = "local all all trust\nlocal replication all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        write_as_server(&data.join("pg_hba.conf"), rules);
        Self::run(folder, authority, is_mounted).await
    }

    /// A standby, which follows this server and is in recovery.
    pub async fn standby(&self) -> Self {
        let folder = new_folder();
        let mut copy = program("pg_basebackup");
        copy.arg("--pgdata").arg(folder.join("data")).args(["--write-recovery-conf", "--checkpoint=fast", "--dbname"]);
        assert!(copy.arg(self.socket()).status().unwrap().success(), "a base backup");
        // The folder of this server ends with it.
        let authority = folder.join("ca.pem");
        fs::copy(&self.authority, &authority).unwrap();
        Self::run(folder, authority, false).await
    }

    async fn run(folder: PathBuf, authority: PathBuf, is_mounted: bool) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = launch(&folder, port);
        let server = Self { port, authority, folder, process, is_mounted };
        server.until_ready().await;
        server
    }

    async fn until_ready(&self) {
        until("the second server answers", Duration::from_mins(1), async || {
            self.psql(self.socket(), &[]).stderr(Stdio::null()).arg("--command=SELECT 1").status().unwrap().success()
        })
        .await;
    }

    /// Creates the roles of the functions, and the templates of tenants' databases.
    pub async fn prepare(&self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/setup-postgresql.sql");
        let names = ["LANDLORD_PASSWORD", "LANDLORD_API_PASSWORD", "LANDLORD_PROVISIONER_PASSWORD"];
        let mut psql = self.psql(self.socket(), &names.map(|name| (name, PASSWORD)));
        assert!(psql.arg(format!("--file={script}")).status().unwrap().success());
        self.migrate(&TenantSchema::current()).await;
    }

    /// Migrates the platform database of the server, and the server as a cluster of tenants.
    pub async fn migrate(&self, schema: &TenantSchema) -> Summary {
        let owner = PostgresConfig::new(self.trusted_url("landlord", "landlord"));
        let clusters = Clusters::single(owner.url.clone());
        migrate_platform::run(&owner, &clusters, schema, None).await.unwrap()
    }

    /// The server as a cluster of tenants, with the rights of the workers, after [`Self::prepare`].
    pub fn cluster(&self) -> Clusters {
        Clusters::single(self.trusted_url("landlord_provisioner_login", "postgres"))
    }

    fn trusted_url(&self, login: &str, database: &str) -> String {
        format!("{}&sslrootcert={}", self.url(login, PASSWORD, database), self.authority.display())
    }

    /// Runs SQL as the superuser, and returns what it prints.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// As [`Self::sql`], in a database.
    pub fn sql_in(&self, database: &str, sql: &str) -> String {
        // Also while it is read-only for others.
        let writable = [("PGOPTIONS", "-c default_transaction_read_only=off")];
        let output = self.psql(self.socket_to(database), &writable).arg(format!("--command={sql}")).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Suspends all processes of the server.
    pub fn freeze(&self) {
        processes::freeze(self.process.id());
    }

    pub fn thaw(&self) {
        processes::thaw(self.process.id());
    }

    /// Fills the disk, except for so many KiB.
    pub fn fill_disk(&self, left: usize) {
        assert!(self.is_mounted, "only a disk of its own is filled");
        let block = vec![1; 16 * 1024];
        let mut file = fs::File::create(self.filler()).unwrap();
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(left as u64 * 1024)).unwrap();
    }

    /// Removes what fills the disk, and starts the server again if that has stopped it.
    pub async fn free_disk(&mut self) {
        fs::remove_file(self.filler()).unwrap();
        if self.process.try_wait().unwrap().is_some() {
            println!("the full disk has stopped the server");
            self.process = launch(&self.folder, self.port);
        }
        self.until_ready().await;
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// The connection string of the superuser.
    pub fn socket(&self) -> String {
        self.socket_to("postgres")
    }

    fn socket_to(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.folder.display(), self.port)
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
        // The processes of a server whose first process is killed end by themselves, unless they are suspended.
        self.thaw();
        let _ended = self.process.kill();
        let _waited = self.process.wait();
        if self.is_mounted {
            let _unmounted = as_root("umount").arg("--lazy").arg(&self.folder).status();
        }
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("second-server-{}", Uuid::now_v7().simple()));
    fs::create_dir(&folder).unwrap();
    // PostgreSQL refuses to run as root, and its user must reach the folder.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn launch(folder: &Path, port: u16) -> Child {
    let mut server = program("postgres");
    server.arg("-D").arg(folder.join("data")).args([
        "-c",
        "ssl=on",
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
    ]);
    // So that a small disk is enough.
    server.args(["-c", "min_wal_size=32MB", "-c", "max_wal_size=64MB"]);
    server.args(["-c", &format!("port={port}"), "-c", &format!("unix_socket_directories={}", folder.display())]);
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A program that only an administrator may run.
fn as_root(program: &str) -> Command {
    if server_user().is_some() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--non-interactive").arg(program);
    command
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
