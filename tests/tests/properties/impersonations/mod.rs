//! Impersonations: one is `live` exactly when a service accepts its token, while Redis loses its data or cannot be reached, the tenant's
//! database commits without an answer, and super-admins, users and tenants change. The reference predicts every response, and what
//! Redis contains.

mod reference;

use std::{ops::Range, rc::Rc};

use jsonwebtoken::jwk::JwkSet;
use relay_events::App;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::{
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{Clusters, FromEnv, RedisConfig},
    revocations::live_list::LiveList,
    types::SuperAdminId,
};
use tests::{
    Api, TestTenant, World,
    api::{Parts, answer},
    proxy::Proxy,
    tokens, variable,
    verifier::{accepts, published_keys, verified},
};
use tokio_postgres::Client;
use uuid::Uuid;

use self::reference::{Fault, Impersonations, Transition, USERS};
use crate::{
    runner::Property,
    stage::{assert_settled, lose_answer, problem, relay, settle, without},
};

/// The database of Redis that no other test uses, so that it can be flushed.
const REDIS_DATABASE: &str = "10";

/// Also what the proxy in front of the tenant's database waits for.
const REASON: &str = "Looks at why the inbox of budi stays empty";

/// The servers, with proxies between the API and Redis, and between the API and the tenants' databases.
pub(crate) struct ImpersonationsStage {
    owner: Client,
    api: Api,
    keys: JwkSet,
    redis: Redis,
    redis_proxy: Proxy,
    tenants_proxy: Proxy,
    relay: App,
    world: World,
}

pub(crate) struct ImpersonationsTest {
    stage: Rc<ImpersonationsStage>,
    tenant: TestTenant,
    admins: Vec<SuperAdminId>,
    users: [Uuid; USERS],
    /// Id and token of each impersonation that has begun.
    sessions: Vec<(String, String)>,
}

impl Property for ImpersonationsTest {
    type Stage = ImpersonationsStage;
    type Reference = Impersonations;
    const NAME: &'static str = "impersonations";
    const CASES: u32 = 8;
    const STEPS: Range<usize> = 6..16;

    async fn stage(world: World) -> ImpersonationsStage {
        let real = RedisConfig::from_env().unwrap();
        let mut url = reqwest::Url::parse(&variable("REDIS_URL")).unwrap();
        url.set_path(REDIS_DATABASE);
        let own = RedisConfig { url: String::from(url).into(), ..real };
        let (redis_proxy, behind) = Proxy::before(&own.url).await;
        let (tenants_proxy, tenants) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
        let api = Api::with(&Parts {
            redis: RedisConfig { url: behind, ca_file: None, timeout: std::time::Duration::from_millis(500) },
            databases: TenantDatabases::connect(&Clusters::single(tenants), &world.api()).unwrap(),
            ..Parts::of(&world)
        })
        .await;
        let redis = Redis::connect(&own).unwrap();
        redis.query::<()>(&redis::cmd("FLUSHDB")).await.unwrap();
        let relay = relay(&world, &world.topic(), LiveList::new(Redis::connect(&own).unwrap()));
        let keys = published_keys(&api).await;
        ImpersonationsStage {
            owner: world.patient_client().await,
            api,
            keys,
            redis,
            redis_proxy,
            tenants_proxy,
            relay,
            world,
        }
    }

    async fn begin(stage: Rc<ImpersonationsStage>, initial: &Impersonations) -> Self {
        let tenant = TestTenant::new(&stage.world, &stage.owner, None).await;
        let inside = tenant.inside(&stage.world).await;
        let users = [Uuid::now_v7(), Uuid::now_v7()];
        for user in &users {
            let row = "INSERT INTO users (id, email, full_name, role) VALUES ($1::uuid, $1::uuid::text || '@kopi.example', 'Budi', 'agent')";
            inside.execute(row, &[user]).await.unwrap();
        }
        let mut admins = Vec::new();
        for admin in &initial.admins {
            admins.push(stage.world.operator(admin.role).await);
        }
        Self { stage, tenant, admins, users, sessions: Vec::new() }
    }

    async fn step(&mut self, expected: &Impersonations, transition: &Transition) {
        match transition {
            Transition::Flush => return self.stage.redis.query::<()>(&redis::cmd("FLUSHDB")).await.unwrap(),
            Transition::Settle => return drop(settle(&self.stage.owner, &self.stage.relay).await),
            _ => {}
        }
        let (request, fault) = self.request(expected, transition);
        let received = match fault {
            Fault::None => answer(request).await,
            Fault::WithoutRedis => without(&self.stage.redis_proxy, request).await,
            Fault::Lost => lose_answer(&self.stage.tenants_proxy, REASON, request).await,
        };
        let kind = if [401, 403].contains(&received.status.as_u16()) { "" } else { problem(&received.json) };
        assert_eq!((received.status.as_u16(), kind), expected.response, "{transition:?}: {}", received.text);
        if received.status == 201 {
            let text = |name: &str| received.json[name].as_str().unwrap().to_owned();
            self.sessions.push((text("id"), text("token")));
        }
    }

    /// The API shows as live what should be, and a service accepts the tokens that it should.
    async fn check(&self, expected: &Impersonations) {
        for ((id, token), session) in self.sessions.iter().zip(&expected.sessions) {
            let shown = self.stage.api.get(&format!("/impersonations/{id}")).await;
            let claims = verified(&self.stage.keys, token).expect("the token is signed, and has not expired");
            let found = (shown.json["live"].as_bool().unwrap(), accepts(&self.stage.redis, &claims).await);
            assert_eq!(found, (session.is_live, session.is_accepted), "live and accepted: {}", shown.text);
        }
    }

    async fn end(self, mut expected: Impersonations) {
        settle(&self.stage.owner, &self.stage.relay).await;
        expected.change(&Transition::Settle);
        self.check(&expected).await;
        assert_settled(&self.stage.owner, self.tenant.id).await;
        // The tenant reads the same in its own database, also of starts whose answer was lost.
        let inside = self.tenant.inside(&self.stage.world).await;
        let open =
            inside.query("SELECT id::text FROM impersonations WHERE ended_at IS NULL ORDER BY id", &[]).await.unwrap();
        let open: Vec<String> = open.iter().map(|row| row.get(0)).collect();
        let sessions = self.sessions.iter().zip(&expected.sessions);
        let mut live: Vec<String> =
            sessions.filter(|(_, session)| session.is_live).map(|((id, _), _)| id.clone()).collect();
        live.sort();
        assert_eq!(open, live, "the tenant's record of what has not ended");
    }
}

impl ImpersonationsTest {
    fn request(&self, expected: &Impersonations, transition: &Transition) -> (RequestBuilder, Fault) {
        let api = &self.stage.api;
        let patch = |path: String, body: Value| api.request(Method::PATCH, &path).json(&body);
        match transition {
            Transition::Start { admin, user, write, fault } => {
                let mut claims = tokens::claims(&self.admins[*admin].to_string());
                claims["epoch"] = json!(expected.admins[*admin].session_epoch);
                let body = json!({
                    "tenant_id": self.tenant.id, "user_id": self.users[*user], "reason": REASON,
                    "access": if *write { "write" } else { "read" },
                });
                let request = api.anonymous(Method::POST, "/impersonations").bearer_auth(tokens::sign(&claims));
                (request.json(&body), *fault)
            }
            Transition::End { session, fault } => {
                let (id, _) = &self.sessions[session % self.sessions.len()];
                (api.request(Method::DELETE, &format!("/impersonations/{id}")), *fault)
            }
            Transition::SetRole { admin, role, fault } => {
                (patch(format!("/admins/{}", self.admins[*admin]), json!({ "role": role })), *fault)
            }
            Transition::Disable { admin, disabled, fault } => {
                let status = if *disabled { "disabled" } else { "active" };
                (patch(format!("/admins/{}", self.admins[*admin]), json!({ "status": status })), *fault)
            }
            Transition::Deactivate { user, deactivated, fault } => {
                let status = if *deactivated { "deactivated" } else { "active" };
                let user = format!("/users/{}?tenant_id={}", self.users[*user], self.tenant.id);
                (patch(user, json!({ "status": status })), *fault)
            }
            Transition::Suspend { suspended, fault } => {
                let status = if *suspended { "suspended" } else { "active" };
                (patch(format!("/tenants/{}", self.tenant.id), json!({ "status": status })), *fault)
            }
            Transition::Flush | Transition::Settle => unreachable!("no request"),
        }
    }
}
