//! A client of the API in Python, generated from the API's description.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{manifests::repository, variable};

/// A generated package with the name `landlord_client`.
pub struct PythonClient {
    /// The folder that contains the package.
    folder: PathBuf,
}

impl PythonClient {
    /// Generates the package below a folder that is emptied first. Anything that the generator cannot express fails the test.
    pub fn generate(folder: &Path) -> Self {
        let _none = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let output = Command::new(variable("OPENAPI_PYTHON_CLIENT"))
            .args(["generate", "--meta", "none", "--fail-on-warning", "--path"])
            .arg(repository().join("infra/openapi.json"))
            .arg("--config")
            .arg(repository().join("tests/descriptions/python.yaml"))
            .arg("--output-path")
            .arg(folder.join("landlord_client"))
            .env("PYTHONPATH", libraries())
            .output()
            .unwrap();
        assert_success("the Python client cannot be generated", &output);
        Self { folder: folder.to_owned() }
    }

    /// A command that runs Python with the package and the libraries that it imports.
    pub fn command(&self) -> Command {
        let mut command = Command::new("python3");
        let path = format!("{}:{}", self.folder.display(), libraries().display());
        command.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The folder of the generator's packages, which include those that a client imports.
fn libraries() -> PathBuf {
    let program = PathBuf::from(variable("OPENAPI_PYTHON_CLIENT"));
    program.parent().and_then(Path::parent).unwrap().to_owned()
}

/// Fails the test with the output of a program that has failed.
pub fn assert_success(what: &str, output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}:\n{}{}", text(&output.stdout), text(&output.stderr));
}
