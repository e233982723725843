//! `POST /auth/exchange`, with an identity provider that is played by an HTTP server.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::config::CodeExchangeConfig;
use tests::{
    Answer, Api, World,
    api::{Parts, answer},
    proxy::{Mode, Proxy},
    token_endpoint::TokenEndpoint,
    tokens,
};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn api(world: &World, client: CodeExchangeConfig) -> Api {
    Api::with(&Parts { code_exchange: Some(client), ..Parts::of(world) }).await
}

async fn redeem(api: &Api, change: impl FnOnce(&mut Value)) -> Answer {
    let mut body = json!({"code": "a&b c", "code_verifier": VERIFIER, "redirect_uri": "https://landlord.example/console/signed-in"});
    change(&mut body);
    answer(api.anonymous(Method::POST, "/auth/exchange").json(&body)).await
}

#[tokio::test]
async fn a_code_is_passed_on_with_its_verifier_and_the_answer_is_a_token_or_a_refusal() {
    let world = World::new().await;
    let provider = TokenEndpoint::start().await;
    let api = api(&world, provider.client()).await;
    let answer = redeem(&api, |_| {}).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json, json!({"access_token": &provider.token, "token_type": "Bearer", "expires_in": 300}));
    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = format!(
        "grant_type=authorization_code&client_id=landlord+console&redirect_uri=https%3A%2F%2Flandlord.example%2Fconsole%2Fsigned-in&\
         code=a%26b+c&code_verifier={VERIFIER}"
    );
    assert_eq!(provider.take_form(), expected);
    // The provider's own words are not passed on.
    provider.respond(400, json!({"error": "invalid_grant", "error_description": "ada@example.com is locked"}));
    let answer = redeem(&api, |_| {}).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    assert!(answer.text.contains("has refused the code") && !answer.text.contains("ada"), "{}", answer.text);
    let faults = [
        (200, json!("no token")),
        (200, json!({"token_type": "Bearer"})),
        (302, json!({})),
        (401, json!({"error": "invalid_client"})),
        (404, json!("not found")),
        (429, json!({"error": "slow_down"})),
        (500, json!({})),
    ];
    for (status, body) in faults {
        provider.respond(status, body);
        let answer = redeem(&api, |_| {}).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{status}: {}", answer.text);
        assert!(answer.text.contains("The identity provider is temporarily unavailable"), "{}", answer.text);
    }
    // The token says itself when it expires.
    provider.respond(200, json!({"access_token": tokens::good()}));
    let answer = redeem(&api, |_| {}).await;
    assert!((1..=24 * 3600).contains(&answer.json["expires_in"].as_i64().unwrap()), "{}", answer.text);
    provider.take_form();
    for (field, value) in
        [("code", ""), ("code_verifier", "short"), ("code_verifier", &"é".repeat(43)), ("redirect_uri", "a\nb")]
    {
        let answer = redeem(&api, |body| body[field] = json!(value)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], format!("/{field}"));
    }
    assert_eq!(provider.take_form(), "", "an invalid request was passed on");
}

#[tokio::test]
async fn without_a_provider_or_while_it_is_down_the_answer_comes_soon() {
    let world = World::new().await;
    let refused = redeem(&Api::of(&world).await, |_| {}).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.text.contains("/problems/no-identity-provider"), "{}", refused.text);
    let provider = TokenEndpoint::start().await;
    let address = provider.url.trim_start_matches("http://").trim_end_matches("/token");
    let proxy = Proxy::to(address).await;
    let url = format!("http://{}/token", proxy.address);
    let api = api(&world, CodeExchangeConfig { url, ..provider.client() }).await;
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let started = Instant::now();
        let answer = redeem(&api, |_| {}).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", answer.text);
        assert!(started.elapsed() < Duration::from_secs(8), "{mode:?}: {:?}", started.elapsed());
    }
}
