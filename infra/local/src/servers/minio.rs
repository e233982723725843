//! MinIO. No package contains the server, so it is built from source.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    certificates,
    checkout::write_file,
    environment::{ACCESS_KEY, BUCKET, REGION},
    error::{DevError, ErrorContext, Result},
    install::{go::GoModule, system::SystemPackage},
    probe::ProbeResult,
    process::{detached, tail},
    progress::ProgressStep,
    stack::LocalStack,
};

use super::server::LocalServer;

const MODULE: GoModule = GoModule {
    name: "minio",
    version: "2026.02.12",
    path: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c",
    packages: 1300,
};

/// The folder of the certificate and its key, in `.local/`.
const CERTIFICATES: &str = "etc/minio";

/// The path of the server's program.
pub(crate) fn program() -> Result<PathBuf> {
    MODULE.program()
}

pub(crate) struct MinioServer;

impl LocalServer for MinioServer {
    fn name(&self) -> &'static str {
        "minio"
    }

    fn variable(&self) -> &'static str {
        "AWS_ENDPOINT_URL_S3"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.minio()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        let mut packages = vec![SystemPackage::Curl];
        if MODULE.lacks_go() {
            packages.push(SystemPackage::Pip);
        }
        packages
    }

    fn must_be_built(&self) -> bool {
        !MODULE.is_installed()
    }

    fn is_being_built(&self) -> bool {
        MODULE.is_being_built()
    }

    fn install(&self, step: &ProgressStep) -> Result<()> {
        MODULE.install(step).map(drop)
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = stack.checkout.local("data/minio");
        fs::create_dir_all(&data).context(|| format!("{} cannot be created", data.display()))?;
        // MinIO prescribes the names of the files.
        let folder = stack.checkout.local(CERTIFICATES);
        fs::create_dir_all(&folder).context(|| format!("{} cannot be created", folder.display()))?;
        let (certificate, key) = (certificates::certificate(&stack.checkout), certificates::key(&stack.checkout));
        for (name, source) in [("public.crt", certificate), ("private.key", key)] {
            let text = fs::read_to_string(&source).context(|| format!("{} cannot be read", source.display()))?;
            write_file(&folder.join(name), &text)?;
        }
        Ok(())
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = detached(program()?);
        command.args(["server", "--quiet", "--address", &format!("127.0.0.1:{}", stack.ports.minio())]);
        command.arg("--certs-dir").arg(stack.checkout.local(CERTIFICATES));
        command.arg(stack.checkout.local("data/minio"));
        command.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", &stack.secrets.minio);
        command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off").env("MINIO_REGION", REGION);
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        match stack.endpoint(stack.ports.minio()).get("/minio/health/ready")? {
            (200, _) => Ok(format!("MinIO {}", MODULE.version)),
            (status, _) => Err(format!("it answered {status}")),
        }
    }

    fn set_up(&self, stack: &LocalStack) -> Result<()> {
        const CREATED_OR_EXISTS: [&str; 2] = ["200", "409"];
        const NOT_READY: &str = "503";
        let action = || format!("The bucket {BUCKET} cannot be created");
        // curl signs the request. It reads the secret from standard input, because other users can read arguments.
        let request = format!(
            "url = \"https://127.0.0.1:{}/{BUCKET}\"\ncacert = \"{}\"\nuser = \"{ACCESS_KEY}:{}\"\naws-sigv4 = \"aws:amz:{REGION}:s3\"\n\
             request = \"PUT\"\nmax-time = 10\nsilent\nshow-error\noutput = \"/dev/null\"\nwrite-out = \"%{{http_code}}\"\n",
            stack.ports.minio(),
            certificates::authority(&stack.checkout).display(),
            stack.secrets.minio
        );
        let started = Instant::now();
        loop {
            let mut curl = Command::new("curl");
            curl.args(["--disable", "--noproxy", "*", "--config", "-"]);
            let mut child =
                curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(action)?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(request.as_bytes()).context(action)?;
            }
            let output = child.wait_with_output().context(action)?;
            let status = String::from_utf8_lossy(&output.stdout).into_owned();
            if CREATED_OR_EXISTS.contains(&status.as_str()) {
                return Ok(());
            }
            // MinIO reports that it is ready shortly before it is.
            if status != NOT_READY || started.elapsed() > Duration::from_secs(20) {
                let errors = tail(&String::from_utf8_lossy(&output.stderr));
                return Err(DevError::new(action(), format!("MinIO answered {status} {errors}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}
