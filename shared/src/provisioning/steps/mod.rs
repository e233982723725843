//! The steps of the saga. The first and the last step are transactions on the platform database ([`platform`]); the others
//! have effects outside of it.

pub(super) mod mongodb;
pub(super) mod object_prefix;
pub(super) mod platform;
pub(super) mod postgresql;
