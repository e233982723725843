//! The id and the address of a request.

use reqwest::StatusCode;
use shared::config::HttpConfig;
use tests::{Gateway, World, api::tenant_request, gateway::address, tokens};

#[tokio::test]
async fn the_audit_log_has_the_gateways_request_id_and_the_clients_beside_it() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    for (slug, sent, kept) in [
        ("one", Some("client-0190a0c4"), Some("client-0190a0c4")),
        ("two", None, None),
        // Not an id: too short, and with other characters.
        ("three", Some("x"), None),
        ("four", Some("'; DROP TABLE audit"), None),
    ] {
        let id = format!("JKJaXmPLvH{slug}ESHA=");
        let mut request =
            gateway.request("POST", "/tenants").id(&id).bearer(&tokens::good()).json(&tenant_request(slug));
        if let Some(sent) = sent {
            request = request.header("x-request-id", sent);
        }
        let created = request.send().await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        assert_eq!(created.header("x-request-id"), id);
        let entries =
            gateway.request("GET", "/audit?action=tenant.create&limit=1").bearer(&tokens::good()).send().await;
        let entry = &entries.json[0];
        assert_eq!(entry["request_id"], id, "{entry}");
        assert_eq!(entry["client_request_id"].as_str(), kept, "{entry}");
        assert!(entry["client_request_id"].is_string() || entry["client_request_id"].is_null());
    }
}

#[tokio::test]
async fn the_address_is_the_gateways_and_never_one_that_the_client_states() {
    let world = World::new().await;
    let gateway = Gateway::of(&world);
    let from = address();
    let request = gateway.request("POST", "/tenants").from(&from).bearer(&tokens::good()).json(&tenant_request("kopi"));
    let created = request.header("x-forwarded-for", "203.0.113.7").send().await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let entries = gateway.request("GET", "/audit?action=tenant.create").bearer(&tokens::good()).send().await;
    assert_eq!(entries.json[0]["source_address"], from, "{}", entries.text);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_address_is_the_one_that_the_proxy_states() {
    let world = World::new().await;
    let gateway = Gateway::configured(&world, HttpConfig { trusted_proxy_hops: 1, ..HttpConfig::default() });
    let proxy = address();
    for (slug, header, recorded) in [
        // The client has forged the first address; the gateway has appended its peer.
        ("one", Some(format!("203.0.113.7, 198.51.100.7, {proxy}")), "198.51.100.7"),
        ("two", Some(format!("2001:db8::1, {proxy}")), "2001:db8::1"),
        // These did not come through the proxy.
        ("three", Some(proxy.clone()), proxy.as_str()),
        ("four", None, proxy.as_str()),
    ] {
        let mut request =
            gateway.request("POST", "/tenants").from(&proxy).bearer(&tokens::good()).json(&tenant_request(slug));
        if let Some(header) = &header {
            request = request.header("x-forwarded-for", header);
        }
        let created = request.send().await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        let entries =
            gateway.request("GET", "/audit?action=tenant.create&limit=1").bearer(&tokens::good()).send().await;
        assert_eq!(entries.json[0]["source_address"], recorded, "{header:?}");
    }
}
