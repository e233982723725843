//! What can be asked for: a module a command.

use std::io::Write;

pub(crate) mod attach;
pub(crate) mod bench;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod logs;
pub(crate) mod seed;
pub(crate) mod service;
pub(crate) mod single;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod up;

/// Prints to standard output. Whoever reads it may stop reading, which is no failure.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
