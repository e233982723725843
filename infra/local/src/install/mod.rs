//! Installs missing programs: pinned, verified, and completely or not at all.

pub(crate) mod cached;
pub(crate) mod go;
pub(crate) mod maven;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod system;
