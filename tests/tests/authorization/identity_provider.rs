//! The platform's identity provider, played by an HTTP server that publishes keys.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeySize, PrivateDecryptingKey},
    signature::{KeyPair, RsaKeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    auth::TokenVerifier,
    config::{FromEnv, OidcConfig, TokenConfig},
    types::SuperAdminRole,
};
use tests::{
    Api, World,
    api::{Parts, answer},
    proxy::{Mode, Proxy},
    tokens, until,
};

const ISSUER: &str = "https://idp.example";

/// A provider with one key.
struct Provider {
    der: Vec<u8>,
    fetched: Arc<AtomicUsize>,
    jwks_url: String,
}

impl Provider {
    async fn start() -> Self {
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
        let handler = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let keys = keys.clone();
            async move { Json(keys) }
        };
        let server = Api::serve(Router::new().route("/keys", get(handler))).await;
        Self { der, fetched, jwks_url: server.base.replace("/api/super-admin", "/keys") }
    }

    fn config(&self) -> OidcConfig {
        OidcConfig {
            issuer: ISSUER.to_owned(),
            audience: "landlord".to_owned(),
            jwks_url: self.jwks_url.clone(),
            role_claim: "groups".to_owned(),
            default_role: SuperAdminRole::Viewer,
        }
    }

    /// The API of a world that trusts the provider.
    async fn api(&self, world: &World) -> Api {
        let mut parts = Parts::of(world);
        parts.tokens.oidc = Some(self.config());
        Api::with(&parts).await
    }

    /// An access token of the form that most providers issue: its header states no particular type.
    fn token(&self, change: impl FnOnce(&mut Header, &mut Value)) -> String {
        let mut claims = tokens::claims("idp|42");
        claims["iss"] = json!(ISSUER);
        claims["aud"] = json!(["landlord", "other"]);
        claims["groups"] = json!(["staff", "super_admin"]);
        claims["scope"] = json!("openid profile");
        claims.as_object_mut().unwrap().remove("role");
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("idp-1".to_owned());
        change(&mut header, &mut claims);
        // The encoder needs PKCS#1, which is the last element of PKCS#8.
        let start = self.der.windows(4).skip(1).position(|window| window[..2] == [0x30, 0x82]).unwrap() + 1;
        encode(&header, &claims, &EncodingKey::from_rsa_der(&self.der[start..])).unwrap()
    }
}

async fn status(api: &Api, path: &str, token: String) -> StatusCode {
    answer(api.anonymous(Method::GET, path).bearer_auth(token)).await.status
}

#[tokio::test]
async fn tokens_are_checked_by_issuer_audience_key_and_role_and_keys_are_fetched_once() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let api = provider.api(&world).await;
    let token = |change: fn(&mut Value)| provider.token(|_, claims| change(claims));
    let list = async |token: String| status(&api, "/tenants", token).await;
    for _ in 0..3 {
        assert_eq!(list(token(|_| {})).await, StatusCode::OK);
    }
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 1);
    // A single tenant is read together with the caller's state.
    let one = format!("/tenants/{}", api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap());
    let read = async |token: String| status(&api, &one, token).await;
    assert_eq!(read(token(|_| {})).await, StatusCode::OK);
    // Its sessions are continued by the provider.
    let refreshed = answer(api.anonymous(Method::POST, "/auth/refresh").bearer_auth(token(|_| {}))).await;
    assert_eq!(refreshed.status, StatusCode::CONFLICT, "{}", refreshed.text);
    assert!(refreshed.text.contains("/problems/no-password"), "{}", refreshed.text);
    assert_eq!(list(token(|claims| claims["groups"] = json!(["staff"]))).await, StatusCode::FORBIDDEN);
    assert_eq!(list(token(|claims| claims["aud"] = json!("other"))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(token(|claims| claims["iss"] = json!("landlord"))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(token(|claims| claims["sub"] = json!("idp|4\u{0}2"))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(tokens::good()).await, StatusCode::OK);
    // The role comes from the platform database, else from the token, else from the configuration.
    let write = async |token: String| {
        let request = api.anonymous(Method::POST, "/tenants").bearer_auth(token).body("{}");
        answer(request.header("content-type", "application/json")).await.status
    };
    assert_eq!(write(token(|_| {})).await, StatusCode::FORBIDDEN);
    let with_roles = |claims: &mut Value| {
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
    assert_eq!(list(token(|_| {})).await, StatusCode::UNAUTHORIZED);
    assert_eq!(read(token(|_| {})).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_session_of_a_token_names_the_account_or_else_the_subject() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let api = provider.api(&world).await;
    let session = async |token: String| answer(api.anonymous(Method::GET, "/auth/session").bearer_auth(token)).await;
    let shown = session(provider.token(|_, _| {})).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let expected = json!({"id": "idp|42", "email": null, "role": "viewer", "signed_in_with": "identity_provider"});
    assert_eq!(shown.json, expected);
    let account = json!({"email": "ada@landlord.example", "role": "operator", "subject": "idp|42"});
    let account = api.post("/admins", &account).await;
    let id = account.json["id"].as_str().unwrap();
    let shown = session(provider.token(|_, _| {})).await;
    let expected =
        json!({"id": id, "email": "ada@landlord.example", "role": "operator", "signed_in_with": "identity_provider"});
    assert_eq!(shown.json, expected);
    // The role is the current one, not that of the token.
    let own = world.operator(SuperAdminRole::Operator).await;
    let token = tokens::sign(&tokens::claims(&own.to_string()));
    assert_eq!(api.patch(&format!("/admins/{own}"), &json!({"role": "viewer"})).await.status, StatusCode::OK);
    let shown = session(token).await;
    assert_eq!((&shown.json["id"], &shown.json["role"]), (&json!(own.to_string()), &json!("viewer")), "{}", shown.text);
    assert_eq!(shown.json["signed_in_with"], "password");
    assert_eq!(session("no token".to_owned()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_from_before_a_super_admin_was_disabled_stays_dead_after_enabling() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let api = provider.api(&world).await;
    let account = json!({"email": "ada@landlord.example", "role": "operator", "subject": "idp|42"});
    let account = api.post("/admins", &account).await;
    let path = format!("/admins/{}", account.json["id"].as_str().unwrap());
    let old = provider.token(|_, _| {});
    let undated = provider.token(|_, claims| drop(claims.as_object_mut().unwrap().remove("iat")));
    let list = async |token: &str| answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await;
    assert_eq!(list(&old).await.status, StatusCode::OK);
    assert_eq!(api.patch(&path, &json!({"status": "disabled"})).await.status, StatusCode::OK);
    // The provider does not know that the super-admin is disabled, and goes on issuing tokens.
    let meanwhile = provider.token(|_, _| {});
    assert_eq!(api.patch(&path, &json!({"status": "active"})).await.status, StatusCode::OK);
    for token in [&old, &meanwhile, &undated] {
        let refused = list(token).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
        assert_eq!(refused.json["detail"], "The session has ended; sign in again");
    }
    let later = provider.token(|_, claims| claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 2));
    assert_eq!(list(&later).await.status, StatusCode::OK);
}

#[tokio::test]
async fn access_tokens_of_common_providers_are_accepted_and_id_tokens_are_refused() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let api = provider.api(&world).await;
    // What differs from an access token without a type: `typ` of the header, and claims; `null` removes one.
    let cases: [(&str, Option<&str>, Value, bool); 16] = [
        ("RFC 9068", Some("at+jwt"), json!({"client_id": "console", "scope": null}), true),
        ("RFC 9068, long form", Some("application/at+jwt"), json!({"client_id": "console", "scope": null}), true),
        ("Auth0", Some("JWT"), json!({"azp": "console", "scope": "openid profile"}), true),
        ("Okta", None, json!({"cid": "console", "uid": "00u1", "scp": ["openid"], "scope": null}), true),
        (
            "Microsoft Entra ID",
            Some("JWT"),
            json!({"azp": "console", "scp": "Landlord.Use", "oid": "x", "scope": null}),
            true,
        ),
        ("Keycloak", Some("JWT"), json!({"typ": "Bearer", "azp": "console", "scope": "email"}), true),
        ("Keycloak before 24", Some("JWT"), json!({"typ": "Bearer", "nonce": "n", "scope": null}), true),
        ("Amazon Cognito", None, json!({"token_use": "access", "client_id": "console", "scope": null}), true),
        ("an ID token of Auth0", Some("JWT"), json!({"nonce": "n", "sid": "x", "scope": null}), false),
        ("an ID token of Okta", None, json!({"at_hash": "x", "amr": ["pwd"], "scope": null}), false),
        ("an ID token without a nonce", Some("JWT"), json!({"auth_time": 1, "scope": null}), false),
        ("an ID token of Keycloak", Some("JWT"), json!({"typ": "ID", "at_hash": "x", "scope": null}), false),
        ("a refresh token of Keycloak", Some("JWT"), json!({"typ": "Refresh", "scope": "openid"}), false),
        ("an ID token of Cognito", None, json!({"token_use": "id", "scope": null}), false),
        ("an ID token with a scope", Some("JWT"), json!({"nonce": "n"}), false),
        ("a logout token", Some("logout+jwt"), json!({}), false),
    ];
    for (what, typ, changed, is_accepted) in cases {
        let token = provider.token(|header, claims| {
            header.typ = typ.map(str::to_owned);
            for (name, value) in changed.as_object().unwrap() {
                if value.is_null() {
                    claims.as_object_mut().unwrap().remove(name);
                } else {
                    claims[name] = value.clone();
                }
            }
        });
        let answer = answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await;
        let wanted = if is_accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, wanted, "{what}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_down_only_those_wait_who_sign_in_with_it_and_only_until_its_keys_are_known() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let address = provider.jwks_url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let proxy = Proxy::to(&address).await;
    for mode in [Mode::Cut, Mode::Hang] {
        let mut parts = Parts::of(&world);
        let jwks_url = provider.jwks_url.replace(&address, &proxy.address);
        parts.tokens.oidc = Some(OidcConfig { jwks_url, ..provider.config() });
        let api = Api::with(&parts).await;
        let list = async || answer(api.anonymous(Method::GET, "/tenants").bearer_auth(provider.token(|_, _| {}))).await;
        proxy.set(mode);
        let begun = Instant::now();
        let refused = list().await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", refused.text);
        assert!(!refused.header("retry-after").is_empty() && refused.text.contains("identity provider"), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(9), "{mode:?}: {:?}", begun.elapsed());
        assert_eq!(
            status(&api, "/tenants", tokens::good()).await,
            StatusCode::OK,
            "{mode:?}: an account with a password"
        );

        proxy.set(Mode::Pass);
        until("the keys are known", Duration::from_mins(1), async || list().await.status == StatusCode::OK).await;
        proxy.set(mode);
        assert_eq!(list().await.status, StatusCode::OK, "{mode:?}: the keys are known");
        proxy.set(Mode::Pass);
    }
}

#[tokio::test]
async fn a_provider_token_with_a_critical_header_is_refused() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let api = provider.api(&world).await;
    let token = provider.token(|header, _| header.crit = Some(vec!["b64".to_owned()]));
    assert_eq!(status(&api, "/tenants", token).await, StatusCode::UNAUTHORIZED);
}

#[test]
fn the_keys_of_the_provider_are_fetched_over_https_except_on_this_machine() {
    let accepted = |jwks_url: &str| {
        let oidc = OidcConfig {
            issuer: ISSUER.to_owned(),
            audience: "landlord".to_owned(),
            jwks_url: jwks_url.to_owned(),
            role_claim: "role".to_owned(),
            default_role: SuperAdminRole::Viewer,
        };
        TokenVerifier::new(&TokenConfig { oidc: Some(oidc), ..TokenConfig::from_env().unwrap() })
            .err()
            .map(|error| error.to_string())
    };
    for url in
        ["https://idp.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost:9/keys"]
    {
        assert_eq!(accepted(url), None, "{url}");
    }
    for url in [
        "http://idp.example/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1.idp.example/keys",
        "http://localhost.idp.example/keys",
        "ftp://idp.example/keys",
        "file:///etc/passwd",
        "idp.example/keys",
        "",
    ] {
        let error = accepted(url).unwrap_or_else(|| panic!("accepted: {url}"));
        assert!(error.contains("OIDC_JWKS_URL"), "{url}: {error}");
    }
}
