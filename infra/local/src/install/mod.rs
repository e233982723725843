//! Getting what is missing onto the machine: pinned, verified, and as a whole or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    checkout::{Lock, cache},
    failure::{Attempt, Result},
};

pub(crate) mod go;
pub(crate) mod maven;
pub(crate) mod python;
pub(crate) mod system;

/// The cache's folder of `name` at `version`, filled by `fill` if it is not there.
///
/// `fill` gets an empty folder that takes its final name only when `fill` succeeded, so a folder that has that name is
/// complete. Another process that wants the same waits instead of doing it again.
pub(crate) fn once(name: &str, version: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache()?;
    let folder = cache.join(format!("{name}-{version}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = Lock::wait(&cache.join(format!("{name}.lock")), &format!("{name} is being installed already"))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    // Programs that a killed installation had started may still write to its draft, so each has one of its own.
    let drafts = format!("{name}.part-");
    for leftover in entries(&cache).filter(|entry| entry.starts_with(&drafts)) {
        let _ = fs::remove_dir_all(cache.join(leftover));
    }
    let draft = cache.join(format!("{drafts}{}", std::process::id()));
    let what = || format!("{} cannot be used", draft.display());
    fs::create_dir_all(&draft).attempt(what)?;
    if let Err(failure) = fill(&draft) {
        let _ = fs::remove_dir_all(&draft);
        return Err(failure);
    }
    fs::rename(&draft, &folder).attempt(what)?;
    Ok(folder)
}

fn entries(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// Whether the cache holds `name` at `version`.
pub(crate) fn is_there(name: &str, version: &str) -> bool {
    cache().is_ok_and(|cache| cache.join(format!("{name}-{version}")).is_dir())
}
