//! An emulator of AWS, ministack: CloudFormation, Lambda, SQS, S3, Secrets Manager. It runs the functions' own binaries as
//! processes, each with the environment that the stack gives it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use tests::{is_set, manifests::repository, optional_variable, until, variable};

/// The folder of the Python packages: the emulator and what it needs.
pub(crate) fn packages() -> PathBuf {
    let program = PathBuf::from(variable("MINISTACK"));
    program.parent().and_then(Path::parent).unwrap().to_owned()
}

/// A running emulator. It ends when this is dropped, and with it the functions.
pub(crate) struct Emulator {
    process: Child,
    pub(crate) endpoint: String,
    http: Client,
}

impl Emulator {
    pub(crate) async fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deployment");
        let _from_an_earlier_run = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = fs::File::create(folder.join("emulator.log")).unwrap();
        let mut command = Command::new("python3");
        // The functions inherit this environment. So it contains only what stands for the network and the image of Lambda: the
        // emulator's address, and the authorities of the local servers.
        command
            .args(["-m", "ministack"])
            .env_clear()
            .envs(["HOME", "PATH"].map(|name| (name, variable(name))))
            .env("PYTHONPATH", packages())
            .env("TMPDIR", &folder)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            // No other port.
            .env("IOT_MTLS_PORT", "0")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("S3_FORCE_PATH_STYLE", "true")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let authorities = ["POSTGRES_CA_FILE", "MONGODB_CA_FILE", "REDIS_CA_FILE", "KAFKA_CA_FILE"]
            .into_iter()
            .filter(|name| is_set(name));
        command.envs(authorities.map(|name| (name, variable(name))));
        let emulator = Self { process: command.spawn().unwrap(), endpoint, http: Client::new() };
        let health = format!("{}/_ministack/health", emulator.endpoint);
        until("the emulator answers", Duration::from_mins(1), async || {
            emulator.http.get(&health).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        emulator
    }

    /// Deploys the stack, or updates it. `servers` replaces variables of this process's environment, and `parameters` those of
    /// samconfig.toml.
    pub(crate) fn deploy(&self, servers: &[(&str, String)], parameters: &[&str]) -> Value {
        let built_with_the_tests = || Path::new(env!("CARGO_BIN_EXE_service")).parent().unwrap().into();
        let binaries = optional_variable("DEPLOYED_FUNCTIONS").map_or_else(built_with_the_tests, PathBuf::from);
        let output = Command::new("python3")
            .arg(repository().join("tests/deployment/deploy.py"))
            .arg(&self.endpoint)
            .arg(repository())
            .arg(binaries)
            .args(parameters)
            .env("PYTHONPATH", packages())
            .env_remove("AWS_SESSION_TOKEN")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            // An account number as the key names the account.
            .env("AWS_ACCESS_KEY_ID", "000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "unused")
            .envs(servers.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Invokes a deployed function and returns its answer.
    pub(crate) async fn invoke(&self, function: &str, event: &str) -> Value {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.endpoint);
        let answer = self.http.post(url).body(event.to_owned()).send().await.unwrap();
        let failed = answer.headers().contains_key("x-amz-function-error") || !answer.status().is_success();
        let text = answer.text().await.unwrap();
        assert!(!failed, "{function}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{function}: {error}: {text}"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The functions are in the emulator's process group.
        let group = format!("-{}", self.process.id());
        let _ended = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _reaped = self.process.wait();
    }
}
