//! Authentication: bearer tokens (JWT, RFC 7519) and the keys that verify and sign them. A verified token yields an
//! [`Identity`]. Authorization is not decided here.

mod code_exchange;
mod identity;
mod jwk;
mod oidc;
mod private_key;
mod published_keys;
mod token_cache;
mod token_signer;
mod token_type;
mod verifier;

pub use code_exchange::{AuthorizationCode, CodeExchange, CodeVerifier, ProviderToken, RedirectUri};
pub use identity::{Identity, Session};
pub use private_key::PrivateKey;
pub use published_keys::PublishedKeys;
pub use token_signer::{IssuedToken, TokenSigner};
pub use verifier::TokenVerifier;

/// The role that a token must carry.
pub const SUPER_ADMIN_ROLE: &str = "super_admin";
