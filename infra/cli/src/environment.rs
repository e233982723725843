//! The variables that this program reads. Those of options are read by `clap`.

use std::{env, ffi::OsString, path::PathBuf};

use secrecy::SecretString;

use crate::error::{CliError, Result};

pub(crate) const TOKEN: &str = "LANDLORD_TOKEN";

/// An empty variable counts as unset.
fn variable(name: &str) -> Option<OsString> {
    env::vars_os().find(|(found, _)| found == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// A bearer token that replaces the one of the profile. It cannot be an option: other users of a computer can read the
/// arguments of every program.
pub(crate) fn token() -> Result<Option<SecretString>> {
    let Some(value) = variable(TOKEN) else { return Ok(None) };
    let text = value.into_string().map_err(|_| CliError::usage(format!("error: {TOKEN} is not text")))?;
    Ok(Some(SecretString::from(text.trim())))
}

/// `$XDG_CONFIG_HOME/landlord`, or `~/.config/landlord`.
pub(crate) fn configuration_folder() -> Option<PathBuf> {
    let configured = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = configured.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
    folder.map(|folder| folder.join("landlord"))
}
