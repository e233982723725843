//! `cargo dev logs`

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use crate::{
    checkout::Checkout,
    failure::{Failure, Result},
    process,
};

/// Prints one log or all, and with `follow` what is added to them.
pub(crate) fn run(checkout: &Checkout, name: Option<&str>, follow: bool) -> Result<ExitCode> {
    let there = names(checkout);
    if let Some(name) = name
        && !there.iter().any(|log| log == name)
    {
        return Err(Failure::new(format!("There is no log of {name}"), "nothing of that name was started here")
            .remedy(format!("There are logs of: {}", there.join(", "))));
    }
    let mut follower =
        Follower { checkout, only: name.into_iter().collect(), prefixed: name.is_none(), read: BTreeMap::new() };
    // Whoever reads it may stop reading.
    while follower.print().is_ok() && follow {
        thread::sleep(Duration::from_millis(200));
    }
    Ok(ExitCode::SUCCESS)
}

fn names(checkout: &Checkout) -> Vec<String> {
    let entries = fs::read_dir(checkout.local("log")).into_iter().flatten();
    let name = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix(".log").map(ToOwned::to_owned);
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    names
}

/// Prints what is added to logs.
pub(crate) struct Follower<'a> {
    checkout: &'a Checkout,
    only: Vec<&'a str>,
    prefixed: bool,
    read: BTreeMap<String, u64>,
}

impl<'a> Follower<'a> {
    /// Follows some logs from where they end now.
    pub(crate) fn from_now(checkout: &'a Checkout, logs: &[&'a str]) -> Self {
        let read = logs.iter().map(|log| ((*log).to_owned(), process::log_length(checkout, log))).collect();
        Self { checkout, only: logs.to_vec(), prefixed: true, read }
    }

    /// Prints what was added since the last time; fails when nobody reads any longer.
    pub(crate) fn print(&mut self) -> io::Result<()> {
        for log in names(self.checkout) {
            if self.only.is_empty() || self.only.contains(&log.as_str()) {
                let prefix = if self.prefixed { format!("{log:>10} | ") } else { String::new() };
                let path = self.checkout.log(&log);
                print(&path, &prefix, self.read.entry(log).or_insert(0))?;
            }
        }
        Ok(())
    }
}

fn print(path: &Path, prefix: &str, from: &mut u64) -> io::Result<()> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    if file.metadata()?.len() < *from {
        // A new log took the place of a long one.
        *from = 0;
    }
    file.seek(SeekFrom::Start(*from))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    *from += text.len() as u64;
    let mut out = io::stdout().lock();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.write_all(prefix.as_bytes())?;
        out.write_all(line)?;
    }
    out.flush()
}
