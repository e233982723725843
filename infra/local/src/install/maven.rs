//! Java programs from Maven Central: the jars of some artifacts and of all their dependencies.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{
    error::{DevError, ErrorContext, Result},
    process::run,
};

use super::{cached, system::SystemPackage};

/// Copies dependencies. It is pinned because Maven downloads and runs it too.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// A folder of jars.
#[derive(Debug)]
pub(crate) struct MavenJars {
    /// Its name in the cache.
    pub(crate) name: &'static str,
    /// The version of its main artifact.
    pub(crate) version: &'static str,
    /// Maven coordinates: `group:artifact:version`.
    pub(crate) coordinates: &'static [&'static str],
    /// SHA-256 and name of every jar, as `sha256sum` prints them.
    pub(crate) checksums: &'static str,
}

impl MavenJars {
    /// Returns the folder, and downloads and verifies it first if necessary.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        cached::fill_once(self.name, self.version, |draft| {
            let action = format!("{} {} cannot be downloaded", self.name, self.version);
            let project = draft.join("pom.xml");
            fs::write(&project, self.project()).context(|| action.clone())?;
            // A local repository of its own: the developer's may contain an incomplete jar.
            let mut command = Command::new("mvn");
            command.args(["--quiet", "--batch-mode", "--strict-checksums", "--file"]).arg(&project);
            command.arg(format!("-Dmaven.repo.local={}", draft.join("repository").display()));
            command.arg(format!("-DoutputDirectory={}", draft.display())).arg("-DincludeScope=runtime").arg(PLUGIN);
            run(&mut command, &action).map_err(|error| error.remedy("Check the network connection and try again"))?;
            fs::remove_dir_all(draft.join("repository")).context(|| action.clone())?;
            fs::remove_file(project).context(|| action.clone())?;
            self.verify(draft)
        })
    }

    /// Java runs the program; Maven is needed until it is downloaded.
    pub(crate) fn required_packages(&self) -> Vec<SystemPackage> {
        let mut packages = vec![SystemPackage::Java];
        if !cached::is_installed(self.name, self.version) {
            packages.push(SystemPackage::Maven);
        }
        packages
    }

    fn project(&self) -> String {
        let dependency = |coordinate: &&str| {
            let mut parts = coordinate.split(':');
            let [group, artifact, version] = [(); 3].map(|()| parts.next().unwrap_or_default());
            format!(
                "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
            )
        };
        let dependencies: String = self.coordinates.iter().map(dependency).collect();
        format!(
            "<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>{}</artifactId>\
             <version>1</version><dependencies>{dependencies}</dependencies></project>",
            self.name
        )
    }

    fn verify(&self, folder: &Path) -> Result<()> {
        let action = || format!("{} {} cannot be verified", self.name, self.version);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).context(action)? {
            let path = entry.context(action)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sum = Sha256::digest(fs::read(&path).context(action)?);
            found.insert(name, format!("{sum:x}"));
        }
        compare(&parse(self.checksums), &found).map_err(|reason| DevError::new(action(), reason))
    }
}

fn parse(checksums: &str) -> BTreeMap<String, String> {
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    checksums.lines().filter_map(line).collect()
}

fn compare(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Result<(), String> {
    let names = expected.keys().chain(found.keys());
    match names.into_iter().find(|name| expected.get(*name) != found.get(*name)) {
        None => Ok(()),
        Some(name) if !found.contains_key(name) => Err(format!("{name} is missing")),
        Some(name) if !expected.contains_key(name) => Err(format!("{name} is not expected")),
        Some(name) => Err(format!("{name} has another SHA-256 than expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_an_additional_and_a_changed_jar_are_errors() {
        let expected = parse("aa  one.jar\nbb  two.jar\n");
        let with = |list: &str| compare(&expected, &parse(list));
        assert_eq!(with("bb  two.jar\naa  one.jar\n"), Ok(()));
        assert!(with("aa  one.jar\n").unwrap_err().contains("missing"));
        assert!(with("aa  one.jar\nbb  two.jar\ncc  three.jar\n").unwrap_err().contains("not expected"));
        assert!(with("aa  one.jar\nb0  two.jar\n").unwrap_err().contains("SHA-256"));
    }
}
