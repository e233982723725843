//! Folders and files: this checkout, its `.local/`, and the cache that all checkouts of a user share.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::error::{DevError, ErrorContext, Result};

/// The folders of a checkout.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout that contains the current directory.
    pub(crate) fn find() -> Result<Self> {
        let current = env::current_dir().context(|| "The current directory cannot be read".into())?;
        current
            .ancestors()
            .find(|folder| folder.join("infra/local/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file())
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| {
                DevError::new("`cargo dev` cannot find its checkout", "the current directory is outside of it")
            })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in `.local/`, which contains everything of this checkout's stack.
    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.root.join(".local").join(path)
    }

    /// The log of a server, or of `functions`, `emulator`, `services`, `supervisor`, `build` or `migrations`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.local("log").join(format!("{name}.log"))
    }

    /// Creates the folders of `.local/`. Only their owner can read logs, configuration and secrets.
    pub(crate) fn create_folders(&self) -> Result<()> {
        // Other users can pass through `.local` and `data`: PostgreSQL refuses to run as root, so its data belong to
        // another user then.
        create_folder(&self.local(""), 0o711)?;
        create_folder(&self.local("data"), 0o711)?;
        for folder in ["etc", "log", "run", "secrets"] {
            create_folder(&self.local(folder), 0o700)?;
        }
        Ok(())
    }

    /// Excludes other commands that change this checkout's stack, until the guard is dropped.
    pub(crate) fn lock(&self) -> Result<FileLock> {
        self.create_folders()?;
        FileLock::wait(&self.local("run/lock"), "another `cargo dev` is changing this checkout's stack")
    }
}

fn create_folder(folder: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .context(|| format!("{} cannot be created", folder.display()))
}

/// Downloads and built servers, shared by all checkouts of this user: `$XDG_CACHE_HOME/landlord`.
pub(crate) fn cache() -> Result<PathBuf> {
    let variables: BTreeMap<_, _> = env::vars_os().collect();
    let variable =
        |name: &str| variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(variable("HOME")?.join(".cache")))
        .ok_or_else(|| DevError::new("No folder for downloads can be chosen", "HOME is not set"))?;
    let folder = base.join("landlord");
    fs::create_dir_all(&folder).context(|| format!("{} cannot be created", folder.display()))?;
    Ok(folder)
}

/// An exclusive lock between processes. The kernel releases it when its holder ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits for the lock. While another process holds it, `reason` is printed once.
    pub(crate) fn wait(path: &Path, reason: &str) -> Result<Self> {
        let action = || format!("The lock {} cannot be acquired", path.display());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).context(action)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                eprintln!("Waiting: {reason} (process {}).", holder.trim());
                file.lock().context(action)?;
            }
            Err(TryLockError::Error(error)) => return Err(DevError::new(action(), error)),
        }
        file.set_len(0).context(action)?;
        write!(file, "{}", std::process::id()).context(action)?;
        Ok(Self { _file: file })
    }

    /// Whether a process holds the lock.
    pub(crate) fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Replaces a file atomically. Only its owner can read it.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    let action = || format!("{} cannot be written", path.display());
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).context(action)?;
    file.write_all(text.as_bytes()).context(action)?;
    fs::rename(&draft, path).context(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_its_guard_is_dropped() {
        let path = env::temp_dir().join(format!("landlord-lock-{}", std::process::id()));
        assert!(!FileLock::is_held(&path), "the file does not exist");
        let lock = FileLock::wait(&path, "a test holds it").unwrap();
        assert!(FileLock::is_held(&path));
        drop(lock);
        assert!(!FileLock::is_held(&path));
        fs::remove_file(&path).unwrap();
    }
}
