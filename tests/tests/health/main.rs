//! Health: the report is correct and in time whatever hangs, is shared by concurrent requests, and is recorded.

mod access;
mod history;
mod neighbours;
mod recording;
mod sharing;
mod stage;
mod stores;
mod thinning;
