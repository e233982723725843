//! The supervisor's log, which is its standard output.

use std::time::SystemTime;

pub(super) fn log(text: &str) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    println!("{:02}:{:02}:{:02}Z {text}", now / 3600 % 24, now / 60 % 60, now % 60);
}
