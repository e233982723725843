//! Health: the report is right and in time whatever hangs, is shared by those who ask, and is written down.

mod access;
mod history;
mod neighbours;
mod recording;
mod sharing;
mod stage;
mod stores;
mod thinning;
