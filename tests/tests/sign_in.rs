//! `POST /auth/login` and `POST /auth/refresh`.

use std::time::{Duration, Instant};

use jsonwebtoken::Algorithm;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    auth::TokenSigner,
    config::{FromEnv, ImpersonationSigningConfig, SigningConfig, TokenConfig},
    passwords,
    types::SuperAdminRole,
};
use tests::{
    Api, PASSWORD, World,
    api::{Parts, answer},
    tokens::{self, NewKey, OWNER},
};
use time::OffsetDateTime;
use tokio::time::sleep;
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
    for claim in ["iss", "aud", "exp", "iat", "jti", "sub", "auth_time"] {
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
    let mut hash = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        passwords::hash("correct horse battery staple").await.unwrap();
        // Other work on the machine can only make it longer.
        hash = hash.min(begun.elapsed());
    }
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

async fn refresh(api: &Api, token: &str) -> tests::Answer {
    answer(api.anonymous(Method::POST, "/auth/refresh").bearer_auth(token)).await
}

/// The token in a response that has one.
fn token_in(answer: &tests::Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json["access_token"].as_str().unwrap().to_owned()
}

fn claims_in(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

/// A token of a new operator whose session began some seconds ago.
async fn session(world: &World, seconds_ago: i64) -> String {
    let mut claims = tokens::claims(&world.operator(SuperAdminRole::Operator).await.to_string());
    claims["auth_time"] = json!(OffsetDateTime::now_utc().unix_timestamp() - seconds_ago);
    tokens::sign(&claims)
}

#[tokio::test]
async fn a_session_is_refreshed_again_and_again_and_keeps_the_time_of_its_sign_in() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = super_admin(&world, "correct horse battery staple").await;
    let first = token_in(&sign_in(&api, &email, "correct horse battery staple").await);
    let mut token = first.clone();
    for _ in 0..3 {
        sleep(Duration::from_millis(1100)).await;
        let refreshed = refresh(&api, &token).await;
        let (old, new) = (claims_in(&token), claims_in(&token_in(&refreshed)));
        for same in ["iss", "aud", "sub", "role", "epoch", "auth_time"] {
            assert_eq!(old[same], new[same], "{same}");
        }
        assert_ne!(old["jti"], new["jti"]);
        assert!(new["iat"].as_i64() > old["iat"].as_i64() && new["exp"].as_i64() > old["exp"].as_i64(), "{old} {new}");
        assert_eq!(new["exp"].as_i64().unwrap() - new["iat"].as_i64().unwrap(), refreshed.json["expires_in"]);
        assert_eq!(refreshed.json["must_change_password"], false);
        token = token_in(&refreshed);
    }
    for valid in [&first, &token] {
        assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(valid)).await.status, StatusCode::OK);
    }
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.refresh_session' AND outcome = 'done'").await, 3);
}

#[tokio::test]
async fn no_token_outlives_the_maximum_age_of_its_session() {
    let world = World::new().await;
    let api = Api::with(&Parts { session_max_age: Duration::from_hours(24), ..Parts::of(&world) }).await;
    let ends_soon = session(&world, 24 * 60 * 60 - 100).await;
    let refreshed = refresh(&api, &ends_soon).await;
    let claims = claims_in(&token_in(&refreshed));
    assert!((90..=100).contains(&refreshed.json["expires_in"].as_i64().unwrap()), "{}", refreshed.text);
    assert_eq!(claims["exp"].as_i64().unwrap(), claims["auth_time"].as_i64().unwrap() + 24 * 60 * 60);

    let refused = refresh(&api, &session(&world, 24 * 60 * 60 + 1).await).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    assert!(refused.text.contains("maximum age"), "{}", refused.text);
    assert_eq!(
        world.count("SELECT FROM audit WHERE action = 'admin.refresh_session' AND outcome = 'refused'").await,
        1
    );

    // A token of an earlier release: its sign-in is when it was issued.
    let mut old = tokens::claims(&world.operator(SuperAdminRole::Operator).await.to_string());
    old["iat"] = json!(old["iat"].as_i64().unwrap() - 60);
    let refreshed = refresh(&api, &tokens::sign(&old)).await;
    assert_eq!(claims_in(&token_in(&refreshed))["auth_time"], old["iat"]);
    for bad in [json!("yesterday"), json!(1.5), json!(null)] {
        old["auth_time"] = bad;
        assert_eq!(refresh(&api, &tokens::sign(&old)).await.status, StatusCode::UNAUTHORIZED, "{old}");
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_refreshed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    assert_eq!(answer(api.anonymous(Method::POST, "/auth/refresh")).await.status, StatusCode::UNAUTHORIZED);
    let owner = world.client().await;
    for (change, status) in [
        ("disabled_at = now()", StatusCode::UNAUTHORIZED),
        ("session_epoch = session_epoch + 1", StatusCode::UNAUTHORIZED),
        ("must_change_password = true", StatusCode::FORBIDDEN),
    ] {
        let token = session(&world, 10).await;
        token_in(&refresh(&api, &token).await);
        let subject = claims_in(&token)["sub"].as_str().unwrap().to_owned();
        owner.batch_execute(&format!("UPDATE super_admins SET {change} WHERE id = '{subject}'")).await.unwrap();
        assert_eq!(refresh(&api, &token).await.status, status, "{change}");
    }
    // Changing the password ends the session, and begins another one.
    let token = session(&world, 1000).await;
    let change = json!({"current_password": PASSWORD, "new_password": "tidal-mango-orbit-42"});
    let changed = answer(api.anonymous(Method::POST, "/auth/change-password").bearer_auth(&token).json(&change)).await;
    assert_eq!(refresh(&api, &token).await.status, StatusCode::UNAUTHORIZED);
    let new = claims_in(&token_in(&refresh(&api, &token_in(&changed)).await));
    assert!(new["auth_time"].as_i64().unwrap() > claims_in(&token)["auth_time"].as_i64().unwrap() + 900, "{new}");
    // A token that has expired is not valid, however young the session is.
    let mut expired = tokens::claims(OWNER);
    expired["exp"] = json!(OffsetDateTime::now_utc().unix_timestamp() - 60);
    assert_eq!(refresh(&api, &tokens::sign(&expired)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn refreshes_of_one_super_admin_are_limited() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let (token, other) = (session(&world, 0).await, session(&world, 0).await);
    for left in (0..30).rev() {
        let refreshed = refresh(&api, &token).await;
        assert_eq!((refreshed.status, remaining(&refreshed, "refresh")), (StatusCode::OK, Some(left)));
    }
    for _ in 0..2 {
        let refused = refresh(&api, &token).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
        assert!((1..=900).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    }
    // The session goes on, and so do those of others.
    assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(&token)).await.status, StatusCode::OK);
    token_in(&refresh(&api, &other).await);
    let refusals = "SELECT FROM audit WHERE action = 'admin.refresh_session' AND details ->> 'limit' = 'refresh'";
    assert_eq!(world.count(refusals).await, 1, "a flood does not fill the audit log");
}
