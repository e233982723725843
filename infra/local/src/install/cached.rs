//! Folders of the cache, each filled once for all checkouts of a user.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    checkout::{FileLock, cache},
    error::{ErrorContext, Result},
};

/// Returns the cache's folder of `name` at `version`, and fills it first if it does not exist.
///
/// `fill` gets an empty folder, which is renamed only after `fill` succeeded. A folder with the final name is therefore
/// complete. A second process that needs the same folder waits for the first.
pub(crate) fn fill_once(name: &str, version: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache()?;
    let folder = folder(&cache, name, version);
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = FileLock::wait(&lock(&cache, name), &format!("another process is installing {name}"))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    // A tool of an installation that was killed may still write to its draft, so every process has its own draft.
    let prefix = format!("{name}.part-");
    for leftover in entries(&cache).filter(|entry| entry.starts_with(&prefix)) {
        let _ = fs::remove_dir_all(cache.join(leftover));
    }
    let draft = cache.join(format!("{prefix}{}", std::process::id()));
    let action = || format!("The folder {} cannot be used", draft.display());
    fs::create_dir_all(&draft).context(action)?;
    if let Err(error) = fill(&draft) {
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    fs::rename(&draft, &folder).context(action)?;
    Ok(folder)
}

fn folder(cache: &Path, name: &str, version: &str) -> PathBuf {
    cache.join(format!("{name}-{version}"))
}

fn lock(cache: &Path, name: &str) -> PathBuf {
    cache.join(format!("{name}.lock"))
}

fn entries(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// The folder of `name` at `version`, whether it exists or not.
pub(crate) fn path(name: &str, version: &str) -> Result<PathBuf> {
    Ok(folder(&cache()?, name, version))
}

pub(crate) fn is_installed(name: &str, version: &str) -> bool {
    path(name, version).is_ok_and(|folder| folder.is_dir())
}

/// Whether a process is filling the folder now.
pub(crate) fn is_being_installed(name: &str, version: &str) -> bool {
    !is_installed(name, version) && cache().is_ok_and(|cache| FileLock::is_held(&lock(&cache, name)))
}
