//! MinIO, built from its source, which is all that its makers publish.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    environment::{ACCESS_KEY, BUCKET, REGION},
    failure::{Attempt, Failure, Result},
    install::go::Module,
    probe::{self, Answer},
    process::{detached, tail},
    progress::Step,
    stack::Stack,
};

use super::Server;

/// The server's source.
pub(crate) const MODULE: Module =
    Module { name: "minio", version: "2026.02.12", path: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c" };

/// The server.
pub(crate) struct Minio;

impl Server for Minio {
    fn name(&self) -> &'static str {
        "minio"
    }

    fn variable(&self) -> &'static str {
        "AWS_ENDPOINT_URL_S3"
    }

    fn ports(&self, stack: &Stack) -> Vec<u16> {
        vec![stack.ports.minio()]
    }

    fn install(&self, _: &Stack, step: &Step) -> Result<()> {
        MODULE.install(step).map(drop)
    }

    fn prepare(&self, stack: &Stack) -> Result<()> {
        let data = stack.checkout.local("data/minio");
        fs::create_dir_all(&data).attempt(|| format!("{} cannot be made", data.display()))
    }

    fn command(&self, stack: &Stack) -> Result<Command> {
        let mut command = detached(MODULE.program()?);
        command.args(["server", "--quiet", "--address", &format!("127.0.0.1:{}", stack.ports.minio())]);
        command.arg(stack.checkout.local("data/minio"));
        command.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", &stack.secrets.minio);
        command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off").env("MINIO_REGION", REGION);
        Ok(command)
    }

    fn probe(&self, stack: &Stack) -> Answer<String> {
        match probe::get(&format!("http://127.0.0.1:{}/minio/health/ready", stack.ports.minio()))? {
            (200, _) => Ok(format!("MinIO {}", MODULE.version)),
            (status, _) => Err(format!("it answers {status}")),
        }
    }

    fn settle(&self, stack: &Stack) -> Result<()> {
        const MADE_OR_THERE: [&str; 2] = ["200", "409"];
        const NOT_YET: &str = "503";
        let what = || format!("The bucket {BUCKET} cannot be made");
        // curl signs for S3; the secret reaches it by standard input, for arguments are anyone's to read.
        let request = format!(
            "url = \"http://127.0.0.1:{}/{BUCKET}\"\nuser = \"{ACCESS_KEY}:{}\"\naws-sigv4 = \"aws:amz:{REGION}:s3\"\n\
             request = \"PUT\"\nmax-time = 10\nsilent\nshow-error\noutput = \"/dev/null\"\nwrite-out = \"%{{http_code}}\"\n",
            stack.ports.minio(),
            stack.secrets.minio
        );
        let begun = Instant::now();
        loop {
            let mut curl = Command::new("curl");
            curl.args(["--disable", "--noproxy", "*", "--config", "-"]);
            let mut child =
                curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().attempt(what)?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(request.as_bytes()).attempt(what)?;
            }
            let output = child.wait_with_output().attempt(what)?;
            let status = String::from_utf8_lossy(&output.stdout).into_owned();
            if MADE_OR_THERE.contains(&status.as_str()) {
                return Ok(());
            }
            // It says that it is ready a moment before it is.
            if status != NOT_YET || begun.elapsed() > Duration::from_secs(20) {
                let said = tail(&String::from_utf8_lossy(&output.stderr));
                return Err(Failure::new(what(), format!("MinIO answers {status} {said}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}
