//! Types of tokens. An ID token proves to a client who has signed in, and is readable in that client; it must never open this API
//! (RFC 9068, section 5). Signature, issuer and audience can be those of an access token.

use jsonwebtoken::Header;
use serde_json::{Map, Value};

use crate::error::Result;

use super::verifier::INVALID;

/// Claims that bind an ID token to a request, a code or an access token (OpenID Connect Core, sections 2 and 3.3.2.11).
const CLAIMS_OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// Claims that state what a client may do with an access token. Microsoft Entra ID and Okta use the second one.
const SCOPES: [&str; 2] = ["scope", "scp"];

/// Refuses a header with extensions that must be understood (`crit`; RFC 7515, section 4.1.11), because none is, and one that
/// states a type other than a general or an access token (RFC 8725, section 3.11).
pub(super) fn check_header(header: &Header) -> Result<()> {
    let is_known = match header.typ.as_deref() {
        None => true,
        Some(typ) => typ.eq_ignore_ascii_case("JWT") || is_access_token(typ),
    };
    if header.crit.is_none() && is_known { Ok(()) } else { Err(INVALID) }
}

/// The type of RFC 9068, which may omit `application/`.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "at+jwt"
}

/// Refuses a provider's token that is not an access token. A type decides where the token states one: in the header (RFC 9068), in
/// `typ` (Keycloak) or in `token_use` (Amazon Cognito). Otherwise (Auth0, Okta, Microsoft Entra ID …) an access token has a scope,
/// and nothing of an ID token.
pub(super) fn check_provider_claims(header: &Header, claims: &Map<String, Value>) -> Result<()> {
    let stated = |name: &str, wanted: &str| claims.get(name).map(|value| value.as_str() == Some(wanted));
    let is_access = match (stated("typ", "Bearer"), stated("token_use", "access")) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, None) if header.typ.as_deref().is_some_and(is_access_token) => true,
        (None, None) => {
            SCOPES.iter().any(|name| claims.contains_key(*name))
                && !CLAIMS_OF_ID_TOKENS.iter().any(|name| claims.contains_key(*name))
        }
    };
    if is_access { Ok(()) } else { Err(INVALID) }
}
