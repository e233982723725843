//! What can be asked for: a module a command.

pub(crate) mod attach;
pub(crate) mod bench;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod logs;
pub(crate) mod single;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod up;
