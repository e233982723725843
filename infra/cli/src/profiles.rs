//! Profiles: the URL of an API, and the token of the last sign-in there. They are in one file, which only its owner can read.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::PathBuf,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    environment,
    error::{CliError, Result},
};

const FILE: &str = "profiles.json";

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Profile {
    /// Without `/api/super-admin`.
    pub(crate) url: String,
    /// Authorities to trust beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    pub(crate) token: Option<SecretString>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<String>,
}

/// Writes the token. This is the only place where it leaves the program, except for requests.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn expose<S: Serializer>(token: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

/// All profiles, by name.
#[derive(Debug)]
pub(crate) struct Profiles {
    /// `None` if there is no folder for it. Then nothing can be stored, but variables may replace a profile.
    path: Option<PathBuf>,
    pub(crate) all: BTreeMap<String, Profile>,
}

impl Profiles {
    pub(crate) fn load() -> Result<Self> {
        let Some(folder) = environment::configuration_folder() else {
            return Ok(Self { path: None, all: BTreeMap::new() });
        };
        let path = folder.join(FILE);
        let failed = |reason: String| CliError::failed(format!("error: {}: {reason}", path.display()));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path: Some(path), all: BTreeMap::new() });
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let mode = fs::metadata(&path).map_err(|error| failed(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(format!(
                "its mode {:o} lets others read the tokens in it; run chmod 600 and sign in again",
                mode & 0o777
            )));
        }
        // The reason of a parser could contain a part of the file.
        let all =
            serde_json::from_str(&text).map_err(|error| failed(format!("it is malformed in line {}", error.line())))?;
        Ok(Self { path: Some(path), all })
    }

    /// Replaces the file at once, so that an interruption leaves the old or the new one.
    pub(crate) fn save(&self) -> Result<()> {
        let Some(path) = &self.path else {
            return Err(CliError::failed("error: no folder for profiles: neither XDG_CONFIG_HOME nor HOME is set"));
        };
        let failed =
            |error: std::io::Error| CliError::failed(format!("error: {} cannot be written: {error}", path.display()));
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let text = serde_json::to_string_pretty(&self.all).map_err(|error| failed(error.into()))?;
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
        // An older draft keeps its mode.
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&draft, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(path: PathBuf, token: &str) -> Profiles {
        let url = "https://landlord.example.com".to_owned();
        let token = Some(SecretString::from(token));
        let profile = Profile { url, ca_file: None, email: Some("a@example.com".into()), token, expires_at: None };
        Profiles { path: Some(path), all: BTreeMap::from([("default".to_owned(), profile)]) }
    }

    #[test]
    fn only_the_owner_can_read_the_file_and_the_token_is_in_no_debug_output() {
        let folder = std::env::temp_dir().join(format!("landlord-profiles-{}", std::process::id()));
        let path = folder.join("landlord").join(FILE);
        let written = profiles(path.clone(), "eyJ.secret");
        written.save().unwrap();
        written.save().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.join("landlord")).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(fs::read_to_string(&path).unwrap().contains("eyJ.secret"));
        assert_eq!(fs::read_dir(folder.join("landlord")).unwrap().count(), 1, "no draft is left");
        assert!(!format!("{written:?}").contains("secret"), "{written:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
