//! The users of a tenant: seats, the last admin, revisions and events, while the tenant's database cannot be reached or its answers
//! are lost. The reference predicts every response.

mod reference;

use std::{collections::HashMap, ops::Range, rc::Rc};

use relay_events::App;
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Clusters, KafkaConfig},
    users::UserRole,
};
use tests::{
    Api, TestTenant, World,
    api::{Parts, answer},
    live_list,
    proxy::Proxy,
    topic, variable,
};
use tokio_postgres::Client;
use uuid::Uuid;

use self::reference::{Fault, ModelUser, TenantUsers, Transition, email_of, name_of};
use crate::{
    runner::Property,
    stage::{assert_settled, lose_answer, problem, relay, settle, without},
};

const REASON: &str = "The only admin has left the company";

/// The servers, with a proxy between the API and the tenants' databases.
pub(crate) struct UsersStage {
    owner: Client,
    api: Api,
    proxy: Proxy,
    relay: App,
    kafka: KafkaConfig,
    world: World,
}

/// A tenant.
pub(crate) struct UsersTest {
    stage: Rc<UsersStage>,
    tenant: TestTenant,
    /// By e-mail address.
    ids: HashMap<String, Uuid>,
}

impl Property for UsersTest {
    type Stage = UsersStage;
    type Reference = TenantUsers;
    const NAME: &'static str = "users";
    const CASES: u32 = 5;
    const STEPS: Range<usize> = 8..20;

    async fn stage(world: World) -> UsersStage {
        let (proxy, behind) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
        let databases = TenantDatabases::connect(&Clusters::single(behind), &world.api()).unwrap();
        let api = Api::with(&Parts { databases, ..Parts::of(&world) }).await;
        let kafka = world.topic();
        let relay = relay(&world, &kafka, live_list());
        UsersStage { owner: world.patient_client().await, api, proxy, relay, kafka, world }
    }

    async fn begin(stage: Rc<UsersStage>, initial: &TenantUsers) -> Self {
        let tenant = TestTenant::new(&stage.world, &stage.owner, initial.limit).await;
        let ids = HashMap::from([("sari@kopi.example".to_owned(), tenant.admin)]);
        Self { stage, tenant, ids }
    }

    /// The users are those of the reference, apart from the revisions, which a list does not contain.
    async fn check(&self, expected: &TenantUsers) {
        let key = |user: &Value| {
            ["email", "full_name", "role", "status"].map(|field| user[field].as_str().unwrap().to_owned())
        };
        let mut found: Vec<_> = self.list().await.iter().map(key).collect();
        found.sort();
        assert_eq!(found, shown(&expected.users));
    }

    async fn end(self, expected: TenantUsers) {
        settle(&self.stage.owner, &self.stage.relay).await;
        assert_settled(&self.stage.owner, self.tenant.id).await;
        let inside = self.tenant.inside(&self.stage.world).await;
        let rows = inside.query("SELECT email, revision FROM users ORDER BY email", &[]).await.unwrap();
        let found: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut revisions: Vec<_> = expected.users.iter().map(|user| (user.email.clone(), user.revision)).collect();
        revisions.sort();
        assert_eq!(found, revisions);
        // An event of a change whose answer was lost comes later than those of later changes.
        let key = self.tenant.id.to_string();
        let mut events: Vec<_> = topic::read(&self.stage.kafka)
            .iter()
            .filter(|message| message.key == key && message.payload["type"].as_str().unwrap().starts_with("user."))
            .map(|message| {
                let (event, data) = (&message.payload, &message.payload["data"]);
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&event["type"]), text(&data["user"]["email"]), data["revision"].as_i64().unwrap())
            })
            .collect();
        events.sort();
        let mut wanted: Vec<_> = expected
            .events
            .iter()
            .map(|(kind, email, revision)| ((*kind).to_owned(), email.clone(), *revision))
            .collect();
        wanted.sort();
        assert_eq!(events, wanted, "each change has its events on the topic, once");
    }

    async fn step(&mut self, expected: &TenantUsers, transition: &Transition) {
        self.send(expected, transition).await;
        for user in self.list().await {
            let id = user["id"].as_str().unwrap().parse().unwrap();
            self.ids.insert(user["email"].as_str().unwrap().to_owned(), id);
        }
    }
}

impl UsersTest {
    async fn send(&self, expected: &TenantUsers, transition: &Transition) {
        let api = &self.stage.api;
        let (request, fault) = match transition {
            Transition::Add { email, role, fault } => {
                let body = json!({
                    "tenant_id": self.tenant.id, "email": email_of(*email), "full_name": name_of(0), "role": role,
                    "password": "tidal-mango-orbit-42", "reason": REASON,
                });
                let key = Uuid::now_v7().to_string();
                (api.request(Method::POST, "/users").header("idempotency-key", key).json(&body), *fault)
            }
            Transition::Change { user, name, role, is_active, password, fault } => {
                let email = &expected.users[user % expected.users.len()].email;
                let path = format!("/users/{}?tenant_id={}", self.ids[email], self.tenant.id);
                (api.request(Method::PATCH, &path).json(&patch(*name, *role, *is_active, *password)), *fault)
            }
            Transition::Limit(limit) => {
                let body = json!({ "limits": { "max_agents": limit } });
                (api.request(Method::PATCH, &format!("/tenants/{}", self.tenant.id)).json(&body), Fault::None)
            }
            Transition::Settle => {
                settle(&self.stage.owner, &self.stage.relay).await;
                return;
            }
        };
        let again = request.try_clone().unwrap();
        let received = match fault {
            Fault::None => answer(request).await,
            Fault::Cut => without(&self.stage.proxy, request).await,
            Fault::Lost | Fault::LostAndRepeated => lose_answer(&self.stage.proxy, "COMMIT", request).await,
        };
        let found = (received.status.as_u16(), problem(&received.json));
        assert_eq!(found, expected.response, "{transition:?}: {}", received.text);
        if fault == Fault::LostAndRepeated && found.0 == 503 {
            let repeated = answer(again).await;
            assert_eq!(repeated.status, 201, "{transition:?}, repeated: {}", repeated.text);
        }
    }

    async fn list(&self) -> Vec<Value> {
        let listed = self.stage.api.get(&format!("/users?tenant_id={}", self.tenant.id)).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        listed.json.as_array().unwrap().clone()
    }
}

fn patch(name: Option<u8>, role: Option<UserRole>, is_active: Option<bool>, password: bool) -> Value {
    let mut body = json!({ "reason": REASON });
    if let Some(name) = name {
        body["full_name"] = json!(name_of(name));
    }
    if let Some(role) = role {
        body["role"] = json!(role);
    }
    if let Some(is_active) = is_active {
        body["status"] = json!(status_of(is_active));
    }
    if password {
        body["password"] = json!("quiet-lemon-harbor-17");
    }
    body
}

fn status_of(is_active: bool) -> &'static str {
    if is_active { "active" } else { "deactivated" }
}

/// The fields of users in a list, sorted.
fn shown(users: &[ModelUser]) -> Vec<[String; 4]> {
    let shown = |user: &ModelUser| {
        let role = user.role.as_str().to_owned();
        [user.email.clone(), user.name.clone(), role, status_of(user.is_active).to_owned()]
    };
    let mut users: Vec<_> = users.iter().map(shown).collect();
    users.sort();
    users
}
