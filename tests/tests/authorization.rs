//! Every route except the open ones refuses invalid tokens. The routes come from the code, so that the test covers new ones.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::{
    config::{FromEnv, TokenConfig},
    types::SuperAdminRole,
};
use tests::{
    Api, World,
    api::{OPEN, Parts, all_routes, answer},
    tokens,
};

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

mod identity_provider {
    //! The platform's identity provider, played by an HTTP server that publishes keys.

    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use aws_lc_rs::{
        encoding::AsDer,
        rsa::{KeySize, PrivateDecryptingKey},
        signature::{KeyPair, RsaKeyPair},
    };
    use axum::{Json, Router, routing::get};
    use shared::config::OidcConfig;

    use super::*;

    #[tokio::test]
    async fn tokens_are_checked_by_issuer_audience_key_and_role_and_keys_are_fetched_once() {
        let der = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der: Vec<u8> = AsDer::as_der(&der).unwrap().as_ref().to_vec();
        let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
        let public = pair.public_key();
        let keys = json!({"keys": [
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "RSA", "use": "sig", "kid": "idp-1", "alg": "RS256",
             "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
             "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero())},
        ]});
        let fetched = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fetched);
        let provider = Api::serve(Router::new().route(
            "/keys",
            get(move || {
                counter.fetch_add(1, Ordering::SeqCst);
                let keys = keys.clone();
                async move { Json(keys) }
            }),
        ))
        .await;
        let world = World::new().await;
        let mut parts = Parts::of(&world);
        parts.tokens.oidc = Some(OidcConfig {
            issuer: "https://idp.example".to_owned(),
            audience: "landlord".to_owned(),
            jwks_url: provider.base.replace("/api/super-admin", "/keys"),
            role_claim: "groups".to_owned(),
            default_role: SuperAdminRole::Viewer,
        });
        let api = Api::with(&parts).await;
        let token = |change: fn(&mut serde_json::Value)| {
            let mut claims = tokens::claims("idp|42");
            claims["iss"] = json!("https://idp.example");
            claims["aud"] = json!(["landlord", "other"]);
            claims["groups"] = json!(["staff", "super_admin"]);
            claims.as_object_mut().unwrap().remove("role");
            change(&mut claims);
            let mut header = Header::new(Algorithm::RS256);
            header.kid = Some("idp-1".to_owned());
            // The encoder needs PKCS#1, which is the last element of PKCS#8.
            let start = der.windows(4).skip(1).position(|window| window[..2] == [0x30, 0x82]).unwrap() + 1;
            encode(&header, &claims, &EncodingKey::from_rsa_der(&der[start..])).unwrap()
        };
        let status =
            async |token: String| answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status;
        for _ in 0..3 {
            assert_eq!(status(token(|_| {})).await, StatusCode::OK);
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        // A single tenant is read together with the caller's state.
        let one = format!("/tenants/{}", api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap());
        let read = async |token: String| answer(api.anonymous(Method::GET, &one).bearer_auth(token)).await.status;
        assert_eq!(read(token(|_| {})).await, StatusCode::OK);
        assert_eq!(status(token(|claims| claims["groups"] = json!(["staff"]))).await, StatusCode::FORBIDDEN);
        assert_eq!(status(token(|claims| claims["aud"] = json!("other"))).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(token(|claims| claims["iss"] = json!("landlord"))).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(tokens::good()).await, StatusCode::OK);
        // The role comes from the platform database, else from the token, else from the configuration.
        let write = async |token: String| {
            let request = api.anonymous(Method::POST, "/tenants").bearer_auth(token).body("{}");
            answer(request.header("content-type", "application/json")).await.status
        };
        assert_eq!(write(token(|_| {})).await, StatusCode::FORBIDDEN);
        let with_roles = |claims: &mut serde_json::Value| {
            claims["groups"] = json!(["super_admin", "super_admin:viewer", "super_admin:operator"]);
        };
        assert_eq!(write(token(with_roles)).await, StatusCode::UNPROCESSABLE_ENTITY);
        let account = json!({"email": "ada@landlord.example", "role": "viewer", "subject": "idp|42"});
        let account = api.post("/admins", &account).await;
        assert_eq!(account.status, StatusCode::CREATED, "{}", account.text);
        assert_eq!(write(token(with_roles)).await, StatusCode::FORBIDDEN);
        assert_eq!(read(token(with_roles)).await, StatusCode::OK);
        let path = format!("/admins/{}", account.json["id"].as_str().unwrap());
        assert_eq!(api.patch(&path, &json!({"status": "disabled"})).await.status, StatusCode::OK);
        assert_eq!(status(token(|_| {})).await, StatusCode::UNAUTHORIZED);
        assert_eq!(read(token(|_| {})).await, StatusCode::UNAUTHORIZED);
    }
}
