//! Permissions by role and route. The routes come from the code: a route that is missing in the table fails the test.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use shared::{
    http::document,
    types::SuperAdminRole::{self, Operator, Owner, Viewer},
};
use tests::{
    Api, World,
    api::{Parts, all_routes, answer, routes},
    tokens,
};

use crate::SignedIn;

/// The role that each route needs. `None`: the route needs no token.
const NEEDED: &[(&str, &str, Option<SuperAdminRole>)] = &[
    ("GET", "/.well-known/jwks.json", None),
    ("GET", "/admins", Some(Viewer)),
    ("POST", "/admins", Some(Owner)),
    ("GET", "/admins/{id}", Some(Viewer)),
    ("PATCH", "/admins/{id}", Some(Owner)),
    ("GET", "/audit", Some(Viewer)),
    ("POST", "/auth/change-password", Some(Viewer)),
    ("POST", "/auth/exchange", None),
    ("POST", "/auth/login", None),
    ("POST", "/auth/refresh", Some(Viewer)),
    ("GET", "/auth/session", Some(Viewer)),
    ("GET", "/clusters", Some(Viewer)),
    ("GET", "/health", Some(Viewer)),
    ("GET", "/health/history", Some(Viewer)),
    ("GET", "/impersonations", Some(Viewer)),
    ("POST", "/impersonations", Some(Operator)),
    ("DELETE", "/impersonations/{id}", Some(Operator)),
    ("GET", "/impersonations/{id}", Some(Viewer)),
    ("GET", "/docs", None),
    ("GET", "/asyncapi.json", None),
    ("GET", "/openapi.json", None),
    ("GET", "/problems/{name}", None),
    ("GET", "/operations", Some(Viewer)),
    ("GET", "/overview", Some(Viewer)),
    ("GET", "/operations/{id}", Some(Viewer)),
    ("POST", "/operations/{id}/abandon", Some(Operator)),
    ("POST", "/operations/{id}/retry", Some(Operator)),
    ("GET", "/dead-letters", Some(Viewer)),
    ("POST", "/dead-letters/redrive", Some(Operator)),
    ("GET", "/reconciliations", Some(Viewer)),
    ("POST", "/reconciliations", Some(Operator)),
    ("GET", "/reconciliations/{id}", Some(Viewer)),
    ("GET", "/settings", Some(Viewer)),
    ("GET", "/tenants", Some(Viewer)),
    ("POST", "/tenants", Some(Operator)),
    ("GET", "/tenants/usage", Some(Viewer)),
    ("GET", "/tenants/{id}", Some(Viewer)),
    ("PATCH", "/tenants/{id}", Some(Operator)),
    ("DELETE", "/tenants/{id}", Some(Owner)),
    ("GET", "/tenants/{id}/receipt", Some(Viewer)),
    ("GET", "/tenants/{id}/exports", Some(Viewer)),
    ("POST", "/tenants/{id}/exports", Some(Owner)),
    ("GET", "/tenants/{id}/exports/{export_id}", Some(Viewer)),
    ("POST", "/tenants/{id}/exports/{export_id}/links", Some(Owner)),
    ("GET", "/tenants/{id}/usage/history", Some(Viewer)),
    ("GET", "/tenants/{id}/operations", Some(Viewer)),
    ("POST", "/tenants/{id}/restore", Some(Operator)),
    ("POST", "/tenants/{id}/promote", Some(Owner)),
    ("POST", "/tenants/{id}/exports/{export_id}/restore", Some(Owner)),
    ("POST", "/tenants/{id}/retry", Some(Operator)),
    ("GET", "/tenants/{id}/users", Some(Viewer)),
    ("POST", "/tenants/{id}/users", Some(Operator)),
    ("GET", "/tenants/{id}/users/{user_id}", Some(Viewer)),
    ("PATCH", "/tenants/{id}/users/{user_id}", Some(Operator)),
    ("POST", "/tenants/{id}/users/{user_id}/erase", Some(Owner)),
    ("GET", "/users", Some(Viewer)),
    ("POST", "/users", Some(Operator)),
    ("GET", "/users/search", Some(Viewer)),
    ("GET", "/users/{id}", Some(Viewer)),
    ("PATCH", "/users/{id}", Some(Operator)),
];

#[tokio::test]
async fn each_role_may_use_exactly_the_routes_that_it_is_allowed() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    let api = Api::with(&parts).await;
    let mut table: BTreeMap<(String, String), Option<SuperAdminRole>> =
        NEEDED.iter().map(|(method, path, needed)| (((*method).to_owned(), (*path).to_owned()), *needed)).collect();
    let super_admins = [
        SignedIn::with(&world, &api, Owner).await,
        SignedIn::with(&world, &api, Operator).await,
        SignedIn::with(&world, &api, Viewer).await,
    ];
    let disabled = SignedIn::with(&world, &api, Owner).await;
    let sql = "UPDATE super_admins SET disabled_at = now() WHERE id = $1";
    world.client().await.execute(sql, &[&disabled.id.0]).await.unwrap();
    let mut refusals = 0;
    println!("{:<38} owner operator viewer disabled", "");
    for (method, path) in all_routes(&parts) {
        let path = path.trim_start_matches("/api/super-admin").to_owned();
        let Some(needed) = table.remove(&(method.to_string(), path.clone())) else {
            panic!("{method} {path} is missing in NEEDED");
        };
        let Some(needed) = needed else { continue };
        let url = path.replace("{id}", tokens::UNKNOWN).replace("{user_id}", tokens::UNKNOWN);
        let url = url.replace("{export_id}", tokens::UNKNOWN);
        let mut line = format!("{:<38}", format!("{method} {path}"));
        for (super_admin, role) in super_admins.iter().zip([Owner, Operator, Viewer]) {
            let answer = answer(super_admin.request(method.clone(), &url)).await;
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !role.allows(needed), "{method} {path} as {role:?}: {}", answer.text);
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} as {role:?}: {}", answer.text);
            line.push_str(if refused { "  -    " } else { "  yes  " });
            refusals += i64::from(refused);
        }
        let answer = answer(disabled.request(method.clone(), &url)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}, disabled: {}", answer.text);
        refusals += 1;
        println!("{line}   -");
    }
    assert!(table.is_empty(), "the table contains unknown routes: {table:?}");
    let recorded = world.count("SELECT FROM audit WHERE action = 'access.refused' AND outcome = 'refused'").await;
    assert_eq!(recorded, refusals);
}

/// The document derives the role from the handlers' extractors. Here it is compared with what the API does.
#[tokio::test]
async fn the_document_names_the_lowest_role_that_each_operation_accepts() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    let api = Api::with(&parts).await;
    let super_admins = [
        ("viewer", SignedIn::with(&world, &api, Viewer).await),
        ("operator", SignedIn::with(&world, &api, Operator).await),
        ("owner", SignedIn::with(&world, &api, Owner).await),
    ];
    let document = document(routes(&parts).describe());
    for (method, path) in all_routes(&parts) {
        let operation =
            serde_json::to_value(&document.paths.paths[&path]).unwrap()[method.as_str().to_lowercase()].take();
        let (documented, description) = (&operation["x-required-role"], operation["description"].as_str().unwrap());
        let url = path.replace("{id}", tokens::UNKNOWN).replace("{user_id}", tokens::UNKNOWN);
        let anonymous = answer(api.anonymous_root(method.clone(), &url)).await;
        let enforced = if anonymous.status == StatusCode::UNAUTHORIZED {
            let mut accepted = None;
            for (role, super_admin) in &super_admins {
                let request = super_admin.request(method.clone(), url.trim_start_matches("/api/super-admin"));
                if accepted.is_none() && answer(request).await.status != StatusCode::FORBIDDEN {
                    accepted = Some(*role);
                }
            }
            accepted.unwrap()
        } else {
            "none"
        };
        assert_eq!(documented, enforced, "{method} {path}");
        let words = if enforced == "none" { "Requires no token." } else { &format!("Requires the role `{enforced}`") };
        assert!(description.contains(words), "{method} {path}: {description}");
    }
}

#[tokio::test]
async fn an_unknown_method_is_not_allowed_for_any_role() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    let answer = answer(viewer.request(Method::DELETE, "/tenants")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}
