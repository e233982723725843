//! A MongoDB, an object storage and a Redis of a test's own, which the test can freeze and disturb. They use no TLS.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use mongodb::{
    Client,
    bson::{Document, doc},
};
use shared::{
    clients::{aws::Attempts, s3::Bucket},
    config::{FromEnv, S3Config},
};
use uuid::Uuid;

use crate::{processes, until, variable};

/// A server, which ends with this value.
struct OwnServer {
    port: u16,
    folder: PathBuf,
    process: Child,
}

impl OwnServer {
    /// Starts a program; `command` gets the port and the folder for its data.
    fn start(command: impl FnOnce(u16, &str) -> Command) -> Self {
        let folder = std::env::temp_dir().join(format!("own-server-{}", Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = spawn(command(port, folder.to_str().unwrap()));
        Self { port, folder, process }
    }

    /// Kills it and starts another program with its data.
    fn restart(&mut self, command: Command) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(command);
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

/// A replica set with one member. The variable `MONGOD` contains the path of its program.
pub struct OwnMongo {
    server: OwnServer,
    pub client: Client,
}

impl OwnMongo {
    pub async fn start() -> Self {
        let server = OwnServer::start(|port, folder| {
            let mut command = Command::new(variable("MONGOD"));
            command.args(["--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket", "--oplogSize", "64"]);
            command.args(["--wiredTigerCacheSizeGB", "0.25", "--port", &port.to_string(), "--dbpath", folder]);
            command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
            // With test commands, a test can make the server answer an error.
            command.args(["--setParameter", "enableTestCommands=1"]);
            command
        });
        let client = Client::with_uri_str(url(server.port)).await.unwrap();
        let (admin, member) = (client.database("admin"), format!("127.0.0.1:{}", server.port));
        let initiate = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": member }] };
        until("MongoDB answers", Duration::from_secs(30), async || {
            admin.run_command(doc! { "replSetInitiate": &initiate }).await.is_ok()
        })
        .await;
        let own = Self { server, client };
        own.until_primary().await;
        own
    }

    /// Its URL, for one member.
    pub fn url(&self) -> String {
        url(self.server.port)
    }

    /// Waits until it is the primary of its replica set.
    pub async fn until_primary(&self) {
        let admin = self.client.database("admin");
        until("MongoDB is the primary", Duration::from_mins(1), async || {
            let hello = admin.run_command(doc! { "hello": 1 }).await;
            hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
        })
        .await;
    }

    /// Makes it a secondary for so long.
    pub async fn step_down(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap();
        let command = doc! { "replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": 0, "force": true };
        self.client.database("admin").run_command(command).await.unwrap();
    }

    /// Sets a fail point of the server: `point` is the command `configureFailPoint`. Returns how often the server has come to it.
    pub async fn set_fail_point(&self, point: Document) -> i64 {
        let answer = self.client.database("admin").run_command(point).await.unwrap();
        let count = answer.get("count").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
        count.unwrap_or_else(|| panic!("no count: {answer}"))
    }

    pub fn freeze(&self) {
        processes::freeze(self.server.process.id());
    }

    pub fn thaw(&self) {
        processes::thaw(self.server.process.id());
    }
}

fn url(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

/// A MinIO with a bucket, and with the credentials of the environment's. The variable `MINIO` contains the path of its program.
pub struct OwnObjectStorage {
    server: OwnServer,
    pub client: aws_sdk_s3::Client,
}

impl OwnObjectStorage {
    pub async fn start() -> Self {
        let server = OwnServer::start(|port, folder| minio(port, folder, &variable("AWS_SECRET_ACCESS_KEY")));
        let client = bucket(&endpoint(server.port)).client().await.clone();
        let own = Self { server, client };
        own.until_bucket_exists().await;
        own
    }

    /// Makes it refuse the password of the environment.
    pub async fn deny(&mut self) {
        self.restart("another-password").await;
    }

    pub async fn allow(&mut self) {
        self.restart(&variable("AWS_SECRET_ACCESS_KEY")).await;
        self.until_bucket_exists().await;
    }

    async fn restart(&mut self, password: &str) {
        let command = minio(self.server.port, self.server.folder.to_str().unwrap(), password);
        self.server.restart(command);
        let ready = format!("{}/minio/health/ready", self.endpoint());
        until("MinIO answers", Duration::from_secs(30), async || {
            reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    async fn until_bucket_exists(&self) {
        let name = bucket(&self.endpoint()).name;
        until("the bucket exists", Duration::from_secs(30), async || {
            let created = self.client.create_bucket().bucket(&name).send().await;
            created.is_ok() || self.client.head_bucket().bucket(&name).send().await.is_ok()
        })
        .await;
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        endpoint(self.server.port)
    }

    pub fn freeze(&self) {
        processes::freeze(self.server.process.id());
    }

    pub fn thaw(&self) {
        processes::thaw(self.server.process.id());
    }
}

/// A Redis server that is empty and keeps nothing.
pub struct OwnRedis(OwnServer);

impl OwnRedis {
    pub async fn start() -> Self {
        let own = Self(OwnServer::start(|port, folder| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir", folder, "--save", ""]);
            command
        }));
        let client = redis::Client::open(own.url()).unwrap();
        until("Redis answers", Duration::from_secs(30), async || {
            let connected = client.get_multiplexed_async_connection().await;
            connected.is_ok()
        })
        .await;
        own
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    pub fn freeze(&self) {
        processes::freeze(self.0.process.id());
    }

    pub fn thaw(&self) {
        processes::thaw(self.0.process.id());
    }
}

fn minio(port: u16, folder: &str, password: &str) -> Command {
    let mut command = Command::new(variable("MINIO"));
    command.args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}"), folder]);
    command.env("MINIO_ROOT_USER", variable("AWS_ACCESS_KEY_ID")).env("MINIO_ROOT_PASSWORD", password);
    command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off");
    command
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The bucket of the environment at another endpoint, with deadlines as in production.
pub fn bucket(endpoint: &str) -> Bucket {
    let attempts = Attempts { endpoint: Some(endpoint.to_owned()), ..Attempts::new(Duration::from_secs(3), 2) };
    Bucket::with(&S3Config::from_env().unwrap(), attempts).unwrap()
}
