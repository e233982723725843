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
    error::{DevError, Result},
    process,
};

/// Prints one log or all. `follow` goes on with new lines.
pub(crate) fn run(checkout: &Checkout, name: Option<&str>, follow: bool) -> Result<ExitCode> {
    let names = log_names(checkout);
    if let Some(name) = name
        && !names.iter().any(|log| log == name)
    {
        let reason = match names.as_slice() {
            [] => "this checkout has no logs, because nothing was started".to_owned(),
            _ => format!("no log has this name; expected one of {}", names.join(", ")),
        };
        return Err(DevError::new(format!("The log of {name} cannot be printed"), reason));
    }
    let mut follower =
        LogFollower { checkout, selected: name.into_iter().collect(), prefixed: name.is_none(), read: BTreeMap::new() };
    // Printing fails when the reader, such as `head`, has ended.
    while follower.print().is_ok() && follow {
        thread::sleep(Duration::from_millis(200));
    }
    Ok(ExitCode::SUCCESS)
}

fn log_names(checkout: &Checkout) -> Vec<String> {
    let entries = fs::read_dir(checkout.local("log")).into_iter().flatten();
    let name = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix(".log").map(ToOwned::to_owned);
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    names
}

/// Prints what is appended to logs.
pub(crate) struct LogFollower<'a> {
    checkout: &'a Checkout,
    selected: Vec<&'a str>,
    prefixed: bool,
    read: BTreeMap<String, u64>,
}

impl<'a> LogFollower<'a> {
    /// Follows logs from their current ends.
    pub(crate) fn from_now(checkout: &'a Checkout, logs: &[&'a str]) -> Self {
        let read = logs.iter().map(|log| ((*log).to_owned(), process::log_length(checkout, log))).collect();
        Self { checkout, selected: logs.to_vec(), prefixed: true, read }
    }

    /// Prints what was appended since the last call.
    pub(crate) fn print(&mut self) -> io::Result<()> {
        for log in log_names(self.checkout) {
            if self.selected.is_empty() || self.selected.contains(&log.as_str()) {
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
        // A long log was renamed, and a new one was created.
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
