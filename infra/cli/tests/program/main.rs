//! The program against a server of the test's own, which answers as the API does or as it should never do.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod credentials;
mod encryption;
mod lists;
mod problems;
mod server;
mod single;
mod waiting;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

/// A folder of configuration of one test, in which the profile `default` is signed in to an API.
struct Computer {
    folder: PathBuf,
}

/// How the program ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

const TOKEN: &str = "eyJ.the-token-of-the-test";

impl Computer {
    /// Without profiles.
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn signed_in(url: &str) -> Self {
        let computer = Self::new();
        let profile = json!({"default": {"url": url, "email": "ops@landlord.example", "token": TOKEN}});
        computer.write_profiles(&profile);
        computer
    }

    fn profiles(&self) -> PathBuf {
        self.folder.join("landlord/profiles.json")
    }

    fn write_profiles(&self, profiles: &Value) {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir_all(self.folder.join("landlord")).unwrap();
        fs::write(self.profiles(), profiles.to_string()).unwrap();
        fs::set_permissions(self.profiles(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landlord"));
        command.args(arguments).env("XDG_CONFIG_HOME", &self.folder);
        for name in ["LANDLORD_PROFILE", "LANDLORD_URL", "LANDLORD_CA_FILE", "LANDLORD_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments), "")
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        end(self.command(arguments), input)
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn end(mut command: Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that reads no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
