//! The limits of attempts to sign in: by account and address together, by address, and by account.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{config::HttpConfig, types::SuperAdminRole::Operator};
use tests::{Answer, Gateway, PASSWORD, World, gateway::address};

async fn account(world: &World) -> String {
    let id = world.operator(Operator).await;
    world.client().await.query_one("SELECT email FROM super_admins WHERE id = $1", &[&id.0]).await.unwrap().get(0)
}

async fn sign_in(gateway: &Gateway, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    gateway.request("POST", "/auth/login").from(from).json(&body).send().await
}

/// Ten wrong passwords, which is the limit of one address.
async fn exhaust(gateway: &Gateway, from: &str, email: &str) {
    for _ in 0..10 {
        let refused = sign_in(gateway, from, email, "wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    }
}

/// The details of the audit entries about attempts over a limit.
async fn over_limit(world: &World) -> Vec<Value> {
    let sql = "SELECT details FROM audit WHERE action = 'admin.login' AND details ? 'limit' ORDER BY id";
    world.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_response_states_the_gateways_limit_beside_what_is_left_of_the_others() {
    let world = World::new().await;
    let config = HttpConfig { gateway_rate_limit: Some(10), ..HttpConfig::default() };
    let gateway = Gateway::configured(&world, config);
    let refused = sign_in(&gateway, &address(), "nobody@landlord.example", "wrong").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    // One line, because an event for API Gateway has one value of each header.
    let policies = "\"address\";q=100;w=900, \"account_and_address\";q=10;w=900, \"gateway\";q=10;w=1";
    assert_eq!(refused.header("ratelimit-policy"), policies);
    assert_eq!(refused.header("ratelimit"), "\"address\";r=99;t=900, \"account_and_address\";r=9;t=900");
    for (path, status) in [("/openapi.json", StatusCode::OK), ("/tenants", StatusCode::UNAUTHORIZED)] {
        let answer = gateway.request("GET", path).send().await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (status, "\"gateway\";q=10;w=1"), "{path}");
        assert_eq!(answer.header("ratelimit"), "", "{path}");
    }
    // Without a gateway there is no such limit.
    let answer = Gateway::of(&world).request("GET", "/openapi.json").send().await;
    assert_eq!(answer.header("ratelimit-policy"), "");
}

#[tokio::test]
async fn a_stranger_cannot_lock_a_super_admin_out() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let (email, stranger) = (account(&world).await, address());
    exhaust(&gateway, &stranger, &email).await;
    for _ in 0..100 {
        let refused = sign_in(&gateway, &stranger, &email, PASSWORD).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
        assert!((1..=900).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    }
    // From elsewhere the same account can sign in.
    let signed_in = sign_in(&gateway, &address(), &email, PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
}

#[tokio::test]
async fn a_flood_of_attempts_over_a_limit_has_one_audit_entry_per_window() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let (email, stranger) = (account(&world).await, address());
    exhaust(&gateway, &stranger, &email).await;
    for _ in 0..20 {
        assert_eq!(sign_in(&gateway, &stranger, &email, "wrong").await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    let entries = over_limit(&world).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["limit"], "account_and_address");
    let sql = "SELECT outcome, source_address, actor IN (SELECT id::text FROM super_admins) FROM audit WHERE details ? 'limit'";
    let row = world.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("refused", stranger.as_str(), true));
    // Attempts on other accounts from there, until the limit of the address.
    let mut refused = 0;
    for number in 0..100 {
        let email = format!("nobody-{number}-{stranger}@landlord.example");
        refused +=
            i32::from(sign_in(&gateway, &stranger, &email, "wrong").await.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 10, "{refused}");
    let entries = over_limit(&world).await;
    assert_eq!((entries.len(), &entries[1]["limit"]), (2, &json!("address")), "{entries:?}");
}

#[tokio::test]
async fn the_hundred_and_first_attempt_from_an_address_is_refused_on_any_account_and_by_every_function() {
    let world = World::new().await;
    let (gateway, another) = (Gateway::of(&world), Gateway::of(&world));
    let (email, stranger) = (account(&world).await, address());
    for number in 0..100 {
        let account = format!("nobody-{number}-{stranger}@landlord.example");
        let refused = sign_in(&gateway, &stranger, &account, "wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{number}: {}", refused.text);
        let left = format!("\"address\";r={};", 99 - number);
        assert!(refused.header("ratelimit").starts_with(&left), "{}", refused.header("ratelimit"));
    }
    for gateway in [&gateway, &another] {
        let refused = sign_in(gateway, &stranger, &email, PASSWORD).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
        assert_eq!(refused.json["type"], "/api/super-admin/problems/too-many-requests");
        let wait = refused.header("retry-after");
        assert!((1..=900).contains(&wait.parse::<u64>().unwrap()), "{wait}");
        let until = format!("\"address\";r=0;t={wait}");
        assert!(refused.header("ratelimit").contains(&until), "{}", refused.header("ratelimit"));
    }
    assert_eq!(sign_in(&gateway, &address(), &email, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn many_addresses_reach_the_ceiling_of_an_account_but_not_that_of_its_owner() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let (email, known) = (account(&world).await, address());
    assert_eq!(sign_in(&gateway, &known, &email, PASSWORD).await.status, StatusCode::OK);
    let mut attempts = 0;
    let refused = loop {
        let from = address();
        for _ in 0..10 {
            let answer = sign_in(&gateway, &from, &email, "wrong").await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            attempts += 1;
        }
        let answer = sign_in(&gateway, &address(), &email, PASSWORD).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert!(attempts < 200, "no ceiling");
        // A success from a new address resets nothing but the count of that address.
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    };
    assert!(attempts >= 80, "the ceiling is not looser than the limit of one address: {attempts}");
    assert!((1..=900).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    // The owner of the account still signs in where they have signed in before.
    assert_eq!(sign_in(&gateway, &known, &email, PASSWORD).await.status, StatusCode::OK);
    assert!(over_limit(&world).await.iter().any(|details| details["limit"] == "account"));
}

#[tokio::test]
async fn a_neighbour_who_uses_up_the_limit_of_an_address_locks_out_nobody_who_signed_in_from_there() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let (email, other, office) = (account(&world).await, account(&world).await, address());
    assert_eq!(sign_in(&gateway, &office, &email, PASSWORD).await.status, StatusCode::OK);
    for number in 0..101 {
        sign_in(&gateway, &office, &format!("nobody-{number}-{office}@landlord.example"), "wrong").await;
    }
    assert_eq!(sign_in(&gateway, &office, &other, PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(sign_in(&gateway, &office, &email, PASSWORD).await.status, StatusCode::OK);
    // The limit of the account and the address together still applies.
    exhaust(&gateway, &office, &email).await;
    assert_eq!(sign_in(&gateway, &office, &email, PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_count_as_one() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let email = account(&world).await;
    let network = format!("2001:db8:{:x}:{:x}", rand::random::<u16>(), rand::random::<u16>());
    for host in 0..10 {
        let refused = sign_in(&gateway, &format!("{network}::{host:x}"), &email, "wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    }
    let refused = sign_in(&gateway, &format!("{network}:1:2:3:4"), &email, "wrong").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
}
