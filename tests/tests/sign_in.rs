//! `POST /auth/login`.

use std::time::Instant;

use jsonwebtoken::Algorithm;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    auth::TokenSigner,
    config::{FromEnv, ImpersonationSigningConfig, SigningConfig, TokenConfig},
    passwords,
};
use tests::{
    Api, World,
    api::{Parts, answer},
    tokens::{NewKey, OWNER},
};
use uuid::Uuid;

/// Creates a super-admin with an e-mail address that no other test uses, because all tests count attempts in one Redis.
async fn super_admin(world: &World, password: &str) -> String {
    let email = format!("owner-{}@landlord.example", Uuid::now_v7().simple());
    let hash = passwords::hash(password).await.unwrap();
    world
        .client()
        .await
        .execute(
            "INSERT INTO super_admins (id, email, password_hash, role) VALUES (gen_random_uuid(), $1, $2, 'owner')",
            &[&email, &hash],
        )
        .await
        .unwrap();
    email
}

async fn sign_in(api: &Api, email: &str, password: &str) -> tests::Answer {
    let body = json!({"email": email, "password": password});
    answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await
}

#[tokio::test]
async fn the_correct_password_yields_a_token_that_the_api_accepts() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    let signed_in = sign_in(&api, &email.to_uppercase(), "correct horse battery staple").await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    assert_eq!(signed_in.json["token_type"], "Bearer");
    let token = signed_in.json["access_token"].as_str().unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert!(header.kid.is_some());
    let claims: Value = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
    for claim in ["iss", "aud", "exp", "iat", "jti", "sub"] {
        assert!(!claims[claim].is_null(), "{claim} is missing in {claims}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), signed_in.json["expires_in"]);
    assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status, StatusCode::OK);
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.login'").await, 1);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_e_mail_get_the_same_response_in_the_same_time() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let mut times = [Vec::new(), Vec::new()];
    let mut bodies = Vec::new();
    for _ in 0..9 {
        let known = super_admin(&world, "correct horse battery staple").await;
        let unknown = format!("unknown-{}@landlord.example", Uuid::now_v7().simple());
        for (index, email) in [known, unknown].iter().enumerate() {
            let started = Instant::now();
            let refused = sign_in(&api, email, "wrong horse battery staple").await;
            times[index].push(started.elapsed());
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            bodies.push((refused.json["type"].clone(), refused.json["detail"].clone()));
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    // Without a hash, a response would take about a millisecond.
    let begun = Instant::now();
    passwords::hash("correct horse battery staple").await.unwrap();
    let hash = begun.elapsed();
    assert!(unknown * 2 > hash && unknown * 2 > known && known * 2 > unknown, "{hash:?} {known:?} {unknown:?}");
}

#[tokio::test]
async fn after_ten_attempts_an_account_refuses_even_the_correct_password() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    for _ in 0..10 {
        assert_eq!(sign_in(&api, &email, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = sign_in(&api, &email, "correct horse battery staple").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait));
}

/// The remaining quota of a policy in the header `RateLimit`.
fn remaining(answer: &tests::Answer, policy: &str) -> Option<u64> {
    let item = answer.header("ratelimit").split(", ").find(|item| item.starts_with(&format!("\"{policy}\";")))?;
    item.split(";r=").nth(1)?.split(';').next()?.parse().ok()
}

#[tokio::test]
async fn each_response_states_how_many_attempts_are_left() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    for left in (0..10).rev() {
        let refused = sign_in(&api, &email, "wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(remaining(&refused, "account_and_address"), Some(left), "{}", refused.header("ratelimit"));
        assert!(refused.header("ratelimit-policy").contains("\"account_and_address\";q=10;w=900"));
    }
    let refused = sign_in(&api, &email, "correct horse battery staple").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(remaining(&refused, "account_and_address"), Some(0));
    let restored = format!("\"account_and_address\";r=0;t={}", refused.header("retry-after"));
    assert!(refused.header("ratelimit").contains(&restored), "{}", refused.header("ratelimit"));
    let other = super_admin(&world, "correct horse battery staple").await;
    assert_eq!(remaining(&sign_in(&api, &other, "wrong").await, "account_and_address"), Some(9));
    let signed_in = sign_in(&api, &other, "correct horse battery staple").await;
    assert_eq!(remaining(&signed_in, "account_and_address"), Some(10), "{}", signed_in.header("ratelimit"));
    // Nothing is counted when the body is invalid.
    let invalid = answer(api.anonymous(Method::POST, "/auth/login").json(&json!({}))).await;
    assert_eq!([invalid.header("ratelimit"), invalid.header("ratelimit-policy")], [""; 2]);
}

#[tokio::test]
async fn a_successful_attempt_resets_the_count() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    for _ in 0..3 {
        for _ in 0..6 {
            assert_eq!(sign_in(&api, &email, "wrong").await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(sign_in(&api, &email, "correct horse battery staple").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_disabled_super_admin_cannot_sign_in_and_invalid_bodies_are_refused() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    world.client().await.batch_execute("UPDATE super_admins SET disabled_at = now()").await.unwrap();
    assert_eq!(sign_in(&api, &email, "correct horse battery staple").await.status, StatusCode::UNAUTHORIZED);
    for (body, errors) in [
        (json!({}), vec!["/email", "/password"]),
        (json!({"email": 1, "password": []}), vec!["/email", "/password"]),
        (json!({"email": "a", "password": "b", "remember": true}), vec!["/remember"]),
    ] {
        let refused = answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.faults(), errors);
    }
}

/// Otherwise a super-admin could sign in after a wrong rotation, and every later request would be refused.
#[test]
fn no_token_is_signed_with_a_key_that_the_api_does_not_accept() {
    let tokens = TokenConfig::from_env().unwrap();
    let signing = SigningConfig::from_env().unwrap();
    let refusal = |signing: &SigningConfig| TokenSigner::new(signing, &tokens).err().map(|error| error.to_string());
    assert_eq!(refusal(&signing), None);

    let unknown = refusal(&SigningConfig { key_id: "next".to_owned(), ..signing.clone() }).unwrap();
    assert!(unknown.contains("JWT_SIGNING_KEY_ID") && unknown.contains("no key in JWT_PUBLIC_KEYS"), "{unknown}");

    let key = ImpersonationSigningConfig::from_env().unwrap().key;
    let mismatched = refusal(&SigningConfig { key, ..signing }).unwrap();
    assert!(mismatched.contains("JWT_PUBLIC_KEYS does not match the private key"), "{mismatched}");
}

#[tokio::test]
async fn a_token_that_is_signed_with_a_p256_key_is_accepted_beside_those_of_other_keys() {
    let (tokens, signing) = (TokenConfig::from_env().unwrap(), SigningConfig::from_env().unwrap());
    let key = NewKey::p256("next");
    let tokens = TokenConfig { public_keys: key.added_to(&tokens.public_keys), ..tokens };
    let signing = SigningConfig { key: key.private.clone(), key_id: "next".to_owned(), ..signing };
    let signer = TokenSigner::new(&signing, &tokens).unwrap();
    let token = signer.sign(OWNER.parse().unwrap(), 0, false).unwrap().access_token;
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::ES256, Some("next")));

    let world = World::new().await;
    let accepts = async |tokens: &TokenConfig, token: &str| {
        let api = Api::with(&Parts { tokens: tokens.clone(), ..Parts::of(&world) }).await;
        answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status
    };
    assert_eq!(accepts(&tokens, &token).await, StatusCode::OK);
    assert_eq!(accepts(&tokens, &tests::tokens::good()).await, StatusCode::OK);
    // Another key with the same id did not sign it.
    let others = TokenConfig::from_env().unwrap();
    let public_keys = NewKey::p256("next").added_to(&others.public_keys);
    assert_eq!(accepts(&TokenConfig { public_keys, ..others.clone() }, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(accepts(&others, &token).await, StatusCode::UNAUTHORIZED);
}
