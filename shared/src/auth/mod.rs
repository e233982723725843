//! Who is asking: bearer tokens (JWT, RFC 7519), and the keys that verify and sign them. What they may do: the extractors
//! [`MayRead`], [`MayOperate`] and [`MayAdminister`], which are the check.

mod authority;
mod caller;
mod gate;
mod impersonation;
mod keys;
mod oidc;
mod private_key;
mod published_keys;
mod signer;
mod verified;
mod verifier;

pub use authority::{IsOperator, MayAdminister, MayOperate, MayRead, SuperAdmin};
pub use caller::{Caller, Identity};
pub use gate::Gate;
pub use impersonation::{IMPERSONATION_TYPE, ImpersonationSigner};
pub use published_keys::PublishedKeys;
pub use signer::{IssuedToken, TokenSigner};
pub use verifier::TokenVerifier;

/// The role that a token must carry.
pub const SUPER_ADMIN_ROLE: &str = "super_admin";
