//! Every route except the open ones refuses invalid tokens. The routes come from the code, so that the test covers new ones.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::config::{FromEnv, TokenConfig};
use tests::{
    Api, World,
    api::{OPEN, Parts, all_routes, answer},
    tokens,
};

mod code_exchange;
mod identity_provider;

/// Routes that return a summary without a token, and everything with one.
const SUMMARY_WITHOUT_TOKEN: [(&str, &str); 1] = [("GET", "/api/super-admin/health")];

fn tampered(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A token signed with a shared secret, the public key: the algorithm confusion attack (RFC 8725, section 2.1).
fn symmetric() -> String {
    let keys = TokenConfig::from_env().unwrap().public_keys;
    let set: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let public = URL_SAFE_NO_PAD.decode(set["keys"][0]["x"].as_str().unwrap()).unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(set["keys"][0]["kid"].as_str().unwrap().to_owned());
    encode(&header, &tokens::claims("x"), &EncodingKey::from_secret(&public)).unwrap()
}

fn unsigned() -> String {
    let valid = tokens::good();
    let mut parts = valid.split('.');
    let kid = jsonwebtoken::decode_header(&valid).unwrap().kid;
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "JWT", "kid": kid}).to_string());
    format!("{header}.{}.", parts.nth(1).unwrap())
}

#[tokio::test]
async fn every_route_refuses_a_token_that_is_missing_malformed_expired_for_another_audience_or_without_the_role() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    let api = Api::with(&parts).await;
    let valid = tokens::good();
    let unauthenticated = [
        ("no token", None),
        ("another scheme", Some("Basic b3duZXI6b3duZXI=".to_owned())),
        ("no scheme", Some(valid.clone())),
        ("no JWT", Some("Bearer nonsense".to_owned())),
        ("empty", Some("Bearer ".to_owned())),
        ("huge", Some(format!("Bearer {}", "a".repeat(9000)))),
        ("a changed signature", Some(format!("Bearer {}", tampered(&valid)))),
        ("no signature", Some(format!("Bearer {}", unsigned()))),
        ("a shared secret", Some(format!("Bearer {}", symmetric()))),
        ("expired", Some(format!("Bearer {}", tokens::with(|claims| claims["exp"] = json!(1_700_000_000))))),
        ("not yet valid", Some(format!("Bearer {}", tokens::with(|claims| claims["nbf"] = json!(4_000_000_000_u64))))),
        ("another audience", Some(format!("Bearer {}", tokens::with(|claims| claims["aud"] = json!("platform"))))),
        ("another issuer", Some(format!("Bearer {}", tokens::with(|claims| claims["iss"] = json!("someone"))))),
        (
            "no expiry",
            Some(format!("Bearer {}", tokens::with(|claims| drop(claims.as_object_mut().unwrap().remove("exp"))))),
        ),
        ("an impersonation", Some(format!("Bearer {}", tokens::with(|claims| claims["act"] = json!({"sub": "x"}))))),
    ];
    let forbidden = [
        ("another role", tokens::with(|claims| claims["role"] = json!("admin"))),
        ("no role", tokens::with(|claims| drop(claims.as_object_mut().unwrap().remove("role")))),
        ("a role that contains it", tokens::with(|claims| claims["role"] = json!("not_super_admin"))),
    ];
    let mut count = 0;
    for (method, path) in all_routes(&parts) {
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        count += 1;
        let has_summary = SUMMARY_WITHOUT_TOKEN.contains(&(method.as_str(), path.as_str()));
        let id = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee";
        let path = path.trim_start_matches("/api/super-admin").replace("{id}", id).replace("{user_id}", id);
        for (case, header) in &unauthenticated {
            let mut request = api.anonymous(method.clone(), &path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            } else if has_summary {
                assert_eq!(answer(request).await.json.as_object().unwrap().keys().collect::<Vec<_>>(), ["status"]);
                continue;
            }
            let refused = answer(request).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {path} with {case}: {}", refused.text);
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{method} {path} with {case}");
            assert_eq!(refused.header("content-type"), "application/problem+json");
        }
        for (case, token) in &forbidden {
            let refused = answer(api.anonymous(method.clone(), &path).bearer_auth(token)).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path} with {case}: {}", refused.text);
        }
        let allowed = answer(api.request(method.clone(), &path)).await;
        assert!(
            ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&allowed.status),
            "{method} {path} with a valid token: {}",
            allowed.text
        );
    }
    assert!(count >= 6, "only {count} routes were found");
}

#[tokio::test]
async fn tokens_of_the_old_and_the_new_key_are_accepted_during_rotation() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    let world = World::new().await;
    let mut parts = Parts::of(&world);
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: Vec<u8> = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
    let mut set: serde_json::Value = serde_json::from_str(&parts.tokens.public_keys).unwrap();
    set["keys"].as_array_mut().unwrap().push(json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "next",
        "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
    }));
    parts.tokens.public_keys = set.to_string();
    let api = Api::with(&parts).await;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("next".to_owned());
    let new = encode(&header, &tokens::claims(tokens::OWNER), &EncodingKey::from_ed_der(&der)).unwrap();
    for token in [tokens::good(), new.clone()] {
        assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status, StatusCode::OK);
    }
    // An API that does not know the key refuses its token.
    let other = Api::of(&world).await;
    assert_eq!(
        answer(other.anonymous(Method::GET, "/tenants").bearer_auth(new)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_token_with_a_critical_header_or_of_another_type_is_refused() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let claims = tokens::claims(tokens::OWNER);
    let status = async |change: fn(&mut Header)| {
        let token = tokens::sign_with(&claims, change);
        answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status
    };
    assert_eq!(status(|_| {}).await, StatusCode::OK);
    // RFC 7515, section 4.1.11: a verifier refuses extensions that it does not know.
    assert_eq!(status(|header| header.crit = Some(vec!["exp".to_owned()])).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(|header| header.crit = Some(vec![])).await, StatusCode::UNAUTHORIZED);
    for other in ["impersonation+jwt", "logout+jwt", "dpop+jwt", "JOSE"] {
        let token = tokens::sign_with(&claims, |header| header.typ = Some(other.to_owned()));
        let refused = answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{other}");
    }
}

#[tokio::test]
async fn every_response_requires_https_from_then_on() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    let api = Api::with(&parts).await;
    let mut paths: Vec<_> = all_routes(&parts);
    paths.push((Method::GET, "/api/super-admin/nothing".to_owned()));
    paths.push((Method::DELETE, "/api/super-admin/tenants".to_owned()));
    for (method, path) in paths {
        let path = path.replace("{id}", tokens::UNKNOWN);
        for token in ["", api.token.as_str()] {
            let answer = answer(api.anonymous_root(method.clone(), &path).bearer_auth(token)).await;
            let policy = answer.header("strict-transport-security");
            assert_eq!(policy, "max-age=63072000", "{method} {path}: {}", answer.status);
        }
    }
}
