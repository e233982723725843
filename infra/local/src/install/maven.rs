//! Java programs out of Maven's central repository: the jars of one artifact and all that it needs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{
    failure::{Attempt, Failure, Result},
    process::run,
};

use super::{is_there, once};

/// Copies dependencies; pinned, for it is a program that Maven downloads and runs too.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// A folder of jars, made from Maven coordinates (`group:artifact:version`).
#[derive(Debug)]
pub(crate) struct Jars {
    /// Its name in the cache.
    pub(crate) name: &'static str,
    /// The version of its main artifact.
    pub(crate) version: &'static str,
    /// What to resolve.
    pub(crate) coordinates: &'static [&'static str],
    /// SHA-256 and name of every jar, as `sha256sum` prints them.
    pub(crate) checksums: &'static str,
}

impl Jars {
    /// The folder, downloaded and verified if need be.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        once(self.name, self.version, |draft| {
            let what = format!("{} {} cannot be downloaded", self.name, self.version);
            let project = draft.join("pom.xml");
            fs::write(&project, self.project()).attempt(|| what.clone())?;
            // Its own repository: a developer's is theirs, and one with a half-written jar in it would be no help.
            let mut command = Command::new("mvn");
            command.args(["--quiet", "--batch-mode", "--strict-checksums", "--file"]).arg(&project);
            command.arg(format!("-Dmaven.repo.local={}", draft.join("repository").display()));
            command.arg(format!("-DoutputDirectory={}", draft.display())).arg("-DincludeScope=runtime").arg(PLUGIN);
            run(&mut command, &what).map_err(|failure| failure.remedy("Is the network there? Then try again"))?;
            fs::remove_dir_all(draft.join("repository")).attempt(|| what.clone())?;
            fs::remove_file(project).attempt(|| what.clone())?;
            self.verify(draft)
        })
    }

    /// Whether it was downloaded already.
    pub(crate) fn is_installed(&self) -> bool {
        is_there(self.name, self.version)
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
        let what = || format!("{} {} cannot be verified", self.name, self.version);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).attempt(what)? {
            let path = entry.attempt(what)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sum = Sha256::digest(fs::read(&path).attempt(what)?);
            found.insert(name, format!("{sum:x}"));
        }
        compare(&expected(self.checksums), &found).map_err(|why| Failure::new(what(), why))
    }
}

fn expected(checksums: &str) -> BTreeMap<String, String> {
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    checksums.lines().filter_map(line).collect()
}

fn compare(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Result<(), String> {
    let names = expected.keys().chain(found.keys());
    match names.into_iter().find(|name| expected.get(*name) != found.get(*name)) {
        None => Ok(()),
        Some(name) if !found.contains_key(name) => Err(format!("{name} is missing")),
        Some(name) if !expected.contains_key(name) => Err(format!("{name} should not be there")),
        Some(name) => Err(format!("{name} is not the file that is expected (SHA-256 differs)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_surplus_and_a_changed_jar_are_all_refused() {
        let wanted = expected("aa  one.jar\nbb  two.jar\n");
        let with = |list: &str| compare(&wanted, &expected(list));
        assert_eq!(with("bb  two.jar\naa  one.jar\n"), Ok(()));
        assert!(with("aa  one.jar\n").unwrap_err().contains("missing"));
        assert!(with("aa  one.jar\nbb  two.jar\ncc  three.jar\n").unwrap_err().contains("should not"));
        assert!(with("aa  one.jar\nb0  two.jar\n").unwrap_err().contains("SHA-256"));
    }
}
