//! The commands, one module each.

pub(crate) mod attach;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod console;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod logs;
pub(crate) mod output;
pub(crate) mod own_program;
pub(crate) mod seed;
pub(crate) mod service;
pub(crate) mod soak;
pub(crate) mod start_stop;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod up;
