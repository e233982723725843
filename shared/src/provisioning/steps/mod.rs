//! The steps that make a tenant. The first and the last are transactions on the platform database, the others have effects
//! outside of it.

pub(super) mod activation;
pub(super) mod admin_agent;
pub(super) mod mongodb_database;
pub(super) mod object_prefix;
pub(super) mod placement;
pub(super) mod postgresql_database;
