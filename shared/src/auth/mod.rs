//! Who is asking: bearer tokens (JWT, RFC 7519), and the keys that verify and sign them. What they may do: the extractors
//! [`MayRead`], [`MayOperate`] and [`MayAdminister`], which are the check.

mod identity;
pub(crate) mod keys;
mod oidc;
pub(crate) mod private_key;
pub(crate) mod published_keys;
mod signer;
mod verified;
mod verifier;

pub use identity::Identity;
pub use published_keys::PublishedKeys;
pub use signer::{IssuedToken, TokenSigner};
pub use verifier::TokenVerifier;

/// The role that a token must carry.
pub const SUPER_ADMIN_ROLE: &str = "super_admin";
