//! The way back in when every owner is locked out: `migrate-platform` with the event `recover_owner`.

use lambda_runtime::{Context, LambdaEvent};
use migrate_platform::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    config::{Clusters, QueueConfig},
    types::SuperAdminRole,
    worker,
};
use tests::{Api, TestTenant, World, api::answer, queues, tokens};

const REASON: &str = "The only owner has left the company";

/// Invokes the function with an event, as Lambda does.
async fn invoke(world: &World, event: Value) -> Result<Value, String> {
    let app = migrate_platform::App {
        platform: world.owner(),
        clusters: Clusters::single(world.owner().url),
        first_admin: None,
        queues: QueueConfig { relay: Some(world.relay_queue_url.clone()), ..QueueConfig::default() },
    };
    let event = LambdaEvent::new(event, Context::default());
    worker::invoke(&app, handle, event).await.map_err(|error| error.chain())
}

async fn recover(world: &World, email: &str) -> Value {
    invoke(world, json!({"recover_owner": {"email": email, "reason": REASON}})).await.unwrap()
}

fn new_email() -> String {
    format!("rescue-{}@landlord.example", uuid::Uuid::now_v7().simple())
}

#[tokio::test]
async fn an_owner_who_was_disabled_demoted_and_lost_the_password_can_sign_in_again() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = new_email();
    let owner = world.client().await;
    owner.execute("UPDATE super_admins SET email = $1, role = 'viewer', disabled_at = now()", &[&email]).await.unwrap();
    assert_eq!(api.get("/tenants").await.status, StatusCode::UNAUTHORIZED);
    let recovered = recover(&world, &email.to_uppercase()).await;
    let (id, password) = (&recovered["admin_id"], recovered["temporary_password"].as_str().unwrap());
    assert_eq!((id, &recovered["created"]), (&json!(tokens::OWNER), &json!(false)), "{recovered}");
    // The sessions of before have ended.
    assert_eq!(api.get("/tenants").await.status, StatusCode::UNAUTHORIZED);
    let credentials = json!({"email": email, "password": password});
    let signed_in = answer(api.anonymous(Method::POST, "/auth/login").json(&credentials)).await;
    assert_eq!((signed_in.status, &signed_in.json["must_change_password"]), (StatusCode::OK, &json!(true)));
    let change = json!({"current_password": password, "new_password": "violet harbour lantern moss"});
    let token = signed_in.json["access_token"].as_str().unwrap();
    let changed = answer(api.anonymous(Method::POST, "/auth/change-password").bearer_auth(token).json(&change)).await;
    let token = changed.json["access_token"].as_str().unwrap_or_else(|| panic!("{}", changed.text));
    // An owner again.
    let listed = answer(api.anonymous(Method::POST, "/admins").bearer_auth(token).json(&json!({}))).await;
    assert_eq!(listed.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", listed.text);
    let audit = answer(api.anonymous(Method::GET, "/audit?action=admin.recover").bearer_auth(token)).await;
    let entry = &audit.json[0];
    assert_eq!([&entry["actor"], &entry["outcome"]], ["system", "done"], "{}", audit.text);
    assert_eq!(entry["details"]["reason"], REASON);
    assert_eq!(entry["details"]["before"], json!({"email": email, "role": "viewer", "status": "disabled"}));
    assert_eq!(entry["details"]["after"], json!({"email": email, "role": "owner", "status": "active"}));
    assert!(!audit.text.contains(password), "{}", audit.text);
}

#[tokio::test]
async fn a_recovery_ends_the_impersonations_of_the_account_and_no_others() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let owner = world.client().await;
    let tenant = TestTenant::new(&world, &owner, None).await;
    let email = new_email();
    owner.execute("UPDATE super_admins SET email = $1", &[&email]).await.unwrap();
    let body = json!({ "tenant_id": tenant.id, "user_id": tenant.admin, "reason": "Looks at the inbox of sari" });
    let own = api.post("/impersonations", &body).await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.text);
    let other = world.operator(SuperAdminRole::Owner).await;
    let bearer = tokens::sign(&tokens::claims(&other.to_string()));
    let others = answer(api.anonymous(Method::POST, "/impersonations").bearer_auth(&bearer).json(&body)).await;
    assert_eq!(others.status, StatusCode::CREATED, "{}", others.text);

    queues::drain(&world.relay_queue_url).await;

    recover(&world, &email).await;

    assert_eq!(queues::drain(&world.relay_queue_url).await.len(), 1, "the relay is woken to write the denial");
    let find = async |id: &Value| {
        let path = format!("/impersonations/{}", id.as_str().unwrap());
        answer(api.anonymous(Method::GET, &path).bearer_auth(&bearer)).await.json
    };
    let ended = find(&own.json["id"]).await;
    assert_eq!(
        [&ended["live"], &ended["end_reason"], &ended["ended_by"]],
        [&json!(false), &json!("operator_recovered"), &json!("system")]
    );
    assert_eq!(find(&others.json["id"]).await["live"], true);
    assert_eq!(world.count("SELECT FROM outbox WHERE destination = 'denial'").await, 1);
    assert_eq!(world.count("SELECT FROM outbox WHERE payload ->> 'type' = 'impersonation.ended'").await, 1);
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'impersonation.end' AND actor = 'system'").await, 1);
    // The token of the session before.
    assert_eq!(api.get("/tenants").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unknown_address_becomes_a_new_owner_and_each_recovery_has_another_password() {
    let world = World::new().await;
    let email = new_email();
    let first = recover(&world, &email).await;
    assert_eq!(first["created"], true, "{first}");
    let second = recover(&world, &email).await;
    assert_eq!([&second["created"], &second["admin_id"]], [&json!(false), &first["admin_id"]]);
    assert_ne!(first["temporary_password"], second["temporary_password"]);
    let owners = "SELECT FROM super_admins WHERE role = 'owner' AND disabled_at IS NULL AND must_change_password";
    assert_eq!(world.count(owners).await, 1);
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.recover' AND actor = 'system'").await, 2);
}

#[tokio::test]
async fn an_invalid_recovery_changes_nothing() {
    let world = World::new().await;
    for (recovery, named) in [
        (json!({"email": "nobody", "reason": REASON}), "email"),
        (json!({"email": "ada@landlord.example", "reason": "lost"}), "reason"),
        (json!({"email": "ada@landlord.example"}), "reason"),
        (json!({"email": "ada@landlord.example", "reason": REASON, "password": "tidal-mango-orbit-42"}), "password"),
        (json!("ada@landlord.example"), "recover_owner"),
    ] {
        let error = invoke(&world, json!({"recover_owner": recovery})).await.unwrap_err();
        assert!(error.contains(named), "{recovery}: {error}");
    }
    assert_eq!(world.count("SELECT FROM super_admins").await, 1);
    // One who signs in at the identity provider has no password here.
    let subject = "INSERT INTO super_admins (id, email, subject, role)
                   VALUES (gen_random_uuid(), 'idp@landlord.example', 'idp|1', 'owner')";
    world.client().await.batch_execute(subject).await.unwrap();
    let event = json!({"recover_owner": {"email": "idp@landlord.example", "reason": REASON}});
    assert!(invoke(&world, event).await.unwrap_err().contains("identity provider"));
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.recover'").await, 0);
}
