//! Keys: publication, rotation without an outage, and verification by a library of another language.

use std::{
    path::Path,
    process::{Command, Output},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    config::{FromEnv, ImpersonationSigningConfig, TokenConfig},
    impersonations::ImpersonationSigner,
};
use tests::{Api, api::answer, tokens::NewKey, variable};

use super::{
    stage::{ImpersonationStage, id},
    verifier::verified,
};

async fn published(api: &Api) -> (tests::Answer, JwkSet) {
    let answer = answer(api.anonymous_root(Method::GET, "/.well-known/jwks.json")).await;
    let keys = serde_json::from_str(&answer.text).unwrap();
    (answer, keys)
}

#[tokio::test]
async fn the_keys_are_public_and_cacheable_and_differ_from_those_of_sign_in() {
    let stage = ImpersonationStage::new().await;
    let (answer, keys) = published(&stage.api).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(keys.keys.len(), 1);
    for key in answer.json["keys"].as_array().unwrap() {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
    let sign_in: Value = serde_json::from_str(&TokenConfig::from_env().unwrap().public_keys).unwrap();
    assert_ne!(sign_in["keys"][0]["x"], answer.json["keys"][0]["x"]);
}

/// Adds a key pair with the id `next` to `before`. Returns the configuration in which it is published, and the one in which it
/// signs.
fn next(before: &ImpersonationSigningConfig, key: &NewKey) -> (ImpersonationSigningConfig, ImpersonationSigningConfig) {
    let mut published = before.clone();
    published.published.public_keys = key.added_to(&before.published.public_keys);
    let signing =
        ImpersonationSigningConfig { key: key.private.clone(), key_id: "next".to_owned(), ..published.clone() };
    (published, signing)
}

#[tokio::test]
async fn a_verifier_with_cached_keys_verifies_every_token_during_a_rotation() {
    let before = ImpersonationSigningConfig::from_env().unwrap();
    let (with_next, signs_with_next) = next(&before, &NewKey::ed25519("next"));
    let stage = ImpersonationStage::with(|_, mut parts| {
        parts.impersonation = before.clone();
        parts
    })
    .await;
    let tenant = stage.tenant().await;
    let api = async |config: &ImpersonationSigningConfig| {
        let mut parts = tests::api::Parts::of(&stage.world);
        parts.impersonation = config.clone();
        Api::with(&parts).await
    };
    let token = async |api: &Api| {
        let body = super::stage::request(&tenant);
        let started = api.post("/impersonations", &body).await;
        assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
        stage.end(&id(&started.json)).await;
        started.json["token"].as_str().unwrap().to_owned()
    };
    // First the new key is published. Verifiers still have the old one cached.
    let (_, kept) = published(&stage.api).await;
    let second = api(&with_next).await;
    let old = token(&second).await;
    assert!(verified(&kept, &old).is_some());
    let (_, kept) = published(&second).await;
    // Then it signs. Tokens of the old key stay valid as long as it is published.
    let third = api(&signs_with_next).await;
    let new = token(&third).await;
    for token in [&old, &new] {
        assert!(verified(&kept, token).is_some());
    }
    let mut only_new = signs_with_next.clone();
    let mut set: Value = serde_json::from_str(&only_new.published.public_keys).unwrap();
    set["keys"].as_array_mut().unwrap().remove(0);
    only_new.published.public_keys = set.to_string();
    let (_, last) = published(&api(&only_new).await).await;
    assert!(verified(&last, &new).is_some() && verified(&last, &old).is_none());

    // A key that is not published could not be verified, so the function does not start.
    let unpublished = ImpersonationSigningConfig { published: before.published.clone(), ..signs_with_next.clone() };
    let another = ImpersonationSigningConfig { key: before.key.clone(), ..signs_with_next };
    for config in [unpublished, another] {
        let refused = ImpersonationSigner::new(&config).err().unwrap().to_string();
        assert!(refused.contains("IMPERSONATION_SIGNING_KEY_ID"), "{refused}");
    }
}

/// Runs `PyJWT`, with a clock that is `clock` seconds off.
fn verify(api: &Api, audience: &str, clock: i64, token: &str) -> Output {
    let packages = Path::new(&variable("PYJWT")).ancestors().nth(2).unwrap().to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/impersonation/verify.py");
    let keys = api.base.replace("/api/super-admin", "/.well-known/jwks.json");
    let (clock, redis, authority) = (clock.to_string(), variable("REDIS_URL"), variable("REDIS_CA_FILE"));
    let mut python = Command::new("python3");
    python.arg(script).args([&*keys, "landlord", audience, &clock, &redis, &authority, token]);
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    tokio::task::block_in_place(|| python.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p256_key_signs_tokens_that_a_library_of_another_language_verifies() {
    let before = ImpersonationSigningConfig::from_env().unwrap();
    let stage = ImpersonationStage::with(|_, parts| {
        let (_, signing) = next(&before, &NewKey::p256("next"));
        tests::api::Parts { impersonation: signing, ..parts }
    })
    .await;
    let (answer, keys) = published(&stage.api).await;
    let members: Vec<_> = answer.json["keys"][1].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "{}", answer.text);
    let started = stage.start(&stage.tenant().await).await;
    let token = started["token"].as_str().unwrap();
    assert!(verified(&keys, token).is_some() && verified(&keys, &tampered(token)).is_none());

    let output = verify(&stage.api, "landlord-platform", 0, token);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!([&verified["header"]["kid"], &verified["header"]["alg"]], ["next", "ES256"]);
    let refused = verify(&stage.api, "landlord-platform", 0, &tampered(token));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("InvalidSignatureError"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_of_another_language_verifies_a_token_against_the_published_keys() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let started = stage.start(&tenant).await;
    let token = started["token"].as_str().unwrap();
    let verify = |audience: &str, clock: i64, token: &str| verify(&stage.api, audience, clock, token);
    // The clock of the verifier may be two minutes off.
    let mut verified = Vec::new();
    for clock in [-119, 119, 0] {
        let output = verify("landlord-platform", clock, token);
        assert!(output.status.success(), "{clock} s: {}", String::from_utf8_lossy(&output.stderr));
        verified = output.stdout;
    }
    let verified: Value = serde_json::from_slice(&verified).unwrap();
    assert_eq!([&verified["header"]["typ"], &verified["header"]["alg"]], ["impersonation+jwt", "EdDSA"]);
    assert_eq!([&verified["claims"]["sid"], &verified["claims"]["tenant_id"]], [&started["id"], &json!(tenant.id)]);
    assert_eq!(verified["claims"]["sub"], json!(tenant.admin));

    for (audience, clock, token, what) in [
        ("landlord-super-admin", 0, token.to_owned(), "InvalidAudienceError"),
        ("landlord-platform", 0, tampered(token), "InvalidSignatureError"),
        ("landlord-platform", 0, tests::tokens::good(), "PyJWKClientError"),
        ("landlord-platform", 30 * 60 + 121, token.to_owned(), "ExpiredSignatureError"),
    ] {
        let refused = verify(audience, clock, &token);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(what), "{what}: {error}");
    }
    stage.end(&id(&started)).await;
    let ended = verify("landlord-platform", 0, token);
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && error.contains("NotLive"), "{error}");
}

fn tampered(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
