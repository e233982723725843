//! Where things are: this checkout, its `.local/`, and the cache that all checkouts of a user share.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::failure::{Attempt, Failure, Result};

/// The folders of a checkout.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout that the current directory is in.
    pub(crate) fn find() -> Result<Self> {
        let here = env::current_dir().attempt(|| "The current directory cannot be read".into())?;
        here.ancestors()
            .find(|folder| folder.join("infra/local/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file())
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| Failure::new("`cargo dev` does not know its checkout", "it was started outside of it"))
    }

    /// The top of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below `.local/`, where everything of this checkout's stack is.
    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.root.join(".local").join(path)
    }

    /// The log of a server, of `watch`, `emulator`, `supervisor` or `build`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.local("log").join(format!("{name}.log"))
    }

    /// Makes the folders of `.local/`. Data, logs and configuration are nobody else's to read.
    pub(crate) fn prepare(&self) -> Result<()> {
        // `.local` itself stays passable: PostgreSQL refuses to run as root, so its data belong to another user.
        private_or_passable(&self.local(""), 0o711)?;
        private_or_passable(&self.local("data"), 0o711)?;
        for folder in ["etc", "log", "run", "secrets"] {
            private_or_passable(&self.local(folder), 0o700)?;
        }
        Ok(())
    }

    /// Waits for the right to change this checkout's stack, and keeps others waiting until the guard is dropped.
    pub(crate) fn lock(&self) -> Result<Lock> {
        self.prepare()?;
        Lock::wait(&self.local("run/lock"), "another `cargo dev` is at work in this checkout")
    }
}

fn private_or_passable(folder: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .attempt(|| format!("{} cannot be made", folder.display()))
}

/// What was downloaded or built once, for every checkout of this user: `$XDG_CACHE_HOME/landlord`.
pub(crate) fn cache() -> Result<PathBuf> {
    let variables: BTreeMap<_, _> = env::vars_os().collect();
    let of =
        |name: &str| variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = of("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(of("HOME")?.join(".cache")));
    let folder =
        base.ok_or_else(|| Failure::new("There is no place for downloads", "HOME is not set"))?.join("landlord");
    fs::create_dir_all(&folder).attempt(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

/// An exclusive lock between processes; the kernel frees it when its holder dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock, saying so once when somebody else holds it.
    pub(crate) fn wait(path: &Path, who: &str) -> Result<Self> {
        let what = || format!("The lock {} cannot be taken", path.display());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).attempt(what)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                eprintln!("Waiting: {who} (process {}).", holder.trim());
                file.lock().attempt(what)?;
            }
            Err(TryLockError::Error(error)) => return Err(Failure::new(what(), error)),
        }
        file.set_len(0).attempt(what)?;
        write!(file, "{}", std::process::id()).attempt(what)?;
        Ok(Self { _file: file })
    }
}

/// Writes a file as a whole or not at all, for nobody but its owner to read.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let what = || format!("{} cannot be written", path.display());
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).attempt(what)?;
    file.write_all(text.as_bytes()).attempt(what)?;
    fs::rename(&draft, path).attempt(what)
}
