//! Which API is addressed, and as whom.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ArgMatches;
use secrecy::SecretString;

use crate::{
    client::{BaseUrl, Client},
    command_line::DEFAULT_PROFILE,
    environment,
    error::{CliError, Exit, Result},
    profiles::{Profile, Profiles},
};

/// The global options, together with the profile that they name.
pub(crate) struct Session {
    pub(crate) profile_name: String,
    pub(crate) profiles: Profiles,
    pub(crate) base: Option<BaseUrl>,
    pub(crate) ca_file: Option<PathBuf>,
    timeout: Duration,
    prints_headers: bool,
}

/// Whether a flag is set. A command need not have it.
pub(crate) fn flag(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

/// A number of seconds with a default. A command need not have it.
pub(crate) fn seconds(matches: &ArgMatches, name: &str) -> Duration {
    Duration::from_secs(number(matches, name).unwrap_or_default())
}

pub(crate) fn number(matches: &ArgMatches, name: &str) -> Option<u64> {
    matches.try_get_one::<u64>(name).ok().flatten().copied()
}

impl Session {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self> {
        let profiles = Profiles::load()?;
        let profile_name = matches.get_one::<String>("profile").filter(|name| !name.is_empty());
        let profile_name = profile_name.map_or_else(|| DEFAULT_PROFILE.to_owned(), Clone::clone);
        let profile = profiles.all.get(&profile_name);
        let chosen = matches.get_one::<String>("url").filter(|url| !url.is_empty());
        let own = profile.map(|profile| BaseUrl::parse(&profile.url)).transpose()?;
        let base = chosen.map(|url| BaseUrl::parse(url)).transpose()?.or_else(|| own.clone());
        let ca_file = matches.get_one::<OsString>("ca-file").filter(|path| !path.is_empty()).map(PathBuf::from);
        // What the profile trusts and its token are for its own API only.
        let ca_file = ca_file.or_else(|| profile.filter(|_| base == own).and_then(|profile| profile.ca_file.clone()));
        let (timeout, prints_headers) = (seconds(matches, "timeout"), flag(matches, "headers"));
        Ok(Self { profile_name, profiles, base, ca_file, timeout, prints_headers })
    }

    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.profiles.all.get(&self.profile_name)
    }

    pub(crate) fn base(&self) -> Result<&BaseUrl> {
        self.base.as_ref().ok_or_else(|| {
            let message =
                format!("error: the profile {:?} does not exist. Sign in: landlord login --url URL", self.profile_name);
            CliError::new(Exit::NotSignedIn, message)
        })
    }

    /// The token of the profile, if the profile's API is the one that is addressed.
    fn profile_token(&self) -> Option<SecretString> {
        let profile = self.profile()?;
        let is_own = BaseUrl::parse(&profile.url).ok() == self.base;
        profile.token.clone().filter(|_| is_own)
    }

    fn token(&self) -> Result<Option<SecretString>> {
        Ok(environment::token()?.or_else(|| self.profile_token()))
    }

    pub(crate) fn has_token(&self) -> Result<bool> {
        Ok(self.token()?.is_some())
    }

    /// Whether a new token replaces that of the profile.
    pub(crate) fn uses_profile_token(&self) -> Result<bool> {
        Ok(environment::token()?.is_none() && self.profile_token().is_some())
    }

    /// A client with the token, if there is one.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client_with(self.token()?)
    }

    pub(crate) fn client_with(&self, token: Option<SecretString>) -> Result<Client> {
        let ca_file: Option<&Path> = self.ca_file.as_deref();
        Client::new(self.base()?.clone(), token, ca_file, self.timeout, self.prints_headers)
    }
}
