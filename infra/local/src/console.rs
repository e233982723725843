//! Builds the console: from `functions/get-console/web`, an application in TypeScript, into `functions/get-console/assets`, which
//! the function embeds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{
    checkout::{Checkout, write_file},
    error::{DevError, ErrorContext, Result},
    install::{node, system::SystemPackage},
    process::{prepend_to_path, run, tail},
    progress::ProgressStep,
};

/// The function that embeds the files.
pub(crate) const FUNCTION: &str = "get-console";

const SOURCES: &str = "functions/get-console/web";
const FILES: &str = "functions/get-console/assets";
/// The types of the API and the table of operations are generated from it.
const DESCRIPTION: &str = "infra/openapi.json";
/// In each folder of results, the digest of its sources.
const STAMP: &str = ".sources";
/// Folders in `web` that contain no sources: a build or a test writes them.
const RESULTS: [&str; 4] = ["generated", "node_modules", "dist", ".test-results"];

/// What must be installed before [`build`].
pub(crate) fn required_packages() -> Vec<SystemPackage> {
    node::required_packages()
}

/// Node.js in the folder of the console, with the packages of its lock file.
pub(crate) struct ConsoleTools {
    pub(crate) node: PathBuf,
    pub(crate) folder: PathBuf,
}

impl ConsoleTools {
    /// Installs what is missing.
    pub(crate) fn open(checkout: &Checkout) -> Result<Self> {
        let node = node::node()?;
        let folder = checkout.root().join(SOURCES);
        let action = "The packages of the console cannot be installed";
        let lock = fs::read(folder.join("package-lock.json")).context(|| action.to_owned())?;
        let wanted = format!("{:x}", Sha256::digest(lock));
        let stamp = folder.join("node_modules").join(STAMP);
        if fs::read_to_string(&stamp).unwrap_or_default() != wanted {
            run(&mut node::install_command(&node, &folder), action)
                .map_err(|error| error.remedy("Check the network connection and try again"))?;
            write_file(&stamp, &wanted)?;
        }
        Ok(Self { node, folder })
    }

    /// A script of `package.json`.
    pub(crate) fn script(&self, name: &str) -> Result<Command> {
        let mut command = node::npm(&self.node);
        command.args(["run", "--silent", name]).current_dir(&self.folder);
        if let Some(programs) = self.node.parent() {
            command.env("PATH", prepend_to_path(programs)?);
        }
        Ok(command)
    }
}

/// Builds the console unless it is current. Returns whether it did.
pub(crate) fn build(checkout: &Checkout, step: &ProgressStep) -> Result<bool> {
    let sources = source_digest(checkout)?;
    let stamp = checkout.root().join(FILES).join(STAMP);
    if fs::read_to_string(&stamp).unwrap_or_default() == sources {
        return Ok(false);
    }
    step.begin("installing packages");
    let tools = ConsoleTools::open(checkout)?;
    step.begin("building");
    let output = tools.script("build")?.output().context(|| "npm cannot be run".into())?;
    if !output.status.success() {
        // The compiler reports errors on standard output.
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        return Err(DevError::new("The console cannot be built", tail(&text))
            .remedy(format!("See the whole output: (cd {SOURCES} && npm run build)")));
    }
    write_file(&stamp, &sources)?;
    Ok(true)
}

/// A digest of everything that the build of the console reads.
fn source_digest(checkout: &Checkout) -> Result<String> {
    let mut files = vec![checkout.root().join(DESCRIPTION)];
    collect(&checkout.root().join(SOURCES), &mut files).context(|| format!("{SOURCES} cannot be read"))?;
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let text = fs::read(&file).context(|| format!("{} cannot be read", file.display()))?;
        digest.update(file.as_os_str().as_encoded_bytes());
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    }
    Ok(format!("{:x}", digest.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            files.push(entry.path());
        } else if !RESULTS.iter().any(|name| entry.file_name() == *name) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}
