//! Who is asking: bearer tokens (JWT, RFC 7519), the keys that verify and sign them, and the [`SuperAdmin`] extractor that
//! is the check.

mod keys;
mod oidc;
mod signer;
mod super_admin;
mod verified;
mod verifier;

pub use signer::{IssuedToken, TokenSigner};
pub use super_admin::SuperAdmin;
pub use verifier::TokenVerifier;

/// The role that a token must carry.
pub const SUPER_ADMIN_ROLE: &str = "super_admin";
