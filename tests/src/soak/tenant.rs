//! The life of one tenant.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    caller::{Caller, Request},
    model::{TenantModel, UserModel},
    settings::Settings,
};

/// What happens to a tenant.
#[derive(Clone, Copy, Debug)]
enum Action {
    Rename,
    ChangeLimits,
    AddUser,
    ChangeUser,
    SwitchUser,
    EraseUser,
    Impersonate,
    EndImpersonation,
    Suspend,
    DeleteAndRestore,
    Reconcile,
}

const ACTIONS: [(Action, u32); 11] = [
    (Action::Rename, 2),
    (Action::ChangeLimits, 2),
    (Action::AddUser, 5),
    (Action::ChangeUser, 3),
    (Action::SwitchUser, 2),
    (Action::EraseUser, 1),
    (Action::Impersonate, 1),
    (Action::EndImpersonation, 1),
    (Action::Suspend, 1),
    (Action::DeleteAndRestore, 1),
    (Action::Reconcile, 1),
];

/// Of so many tenants, one is deleted for good at the end of its life.
const DELETED_ONE_IN: u32 = 4;

/// The name of a user whose data were erased.
const ERASED: &str = "Erased user";

/// Creates a tenant, and changes it until it has had all its actions or the time is over.
pub(super) async fn live(caller: &Caller, settings: &Settings, index: u32, end: Instant) -> TenantModel {
    let Settings { seed, actions, .. } = *settings;
    // Each tenant has its own numbers, whatever happens to the others.
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index)));
    let mut life = Life { caller, rng: StdRng::seed_from_u64(rng.random()), model: TenantModel::new(seed, index) };
    if life.create(end + settings.patience()).await {
        for _ in 0..rng.random_range(actions / 2..=actions) {
            if Instant::now() >= end {
                break;
            }
            life.act().await;
            sleep(Duration::from_millis(rng.random_range(200..3000))).await;
        }
        if rng.random_range(0..DELETED_ONE_IN) == 0 {
            life.delete(0).await;
        }
    }
    life.model
}

struct Life<'a> {
    caller: &'a Caller,
    rng: StdRng,
    model: TenantModel,
}

impl Life<'_> {
    /// Returns whether the tenant became active before the limit.
    async fn create(&mut self, limit: Instant) -> bool {
        let model = &self.model;
        let body = json!({
            "name": model.name, "slug": model.slug, "country": "ID",
            "limits": { "max_agents": model.max_agents, "max_contacts": null, "max_messages_month": null },
            "admin_email": "first@soak.example", "admin_password": "tidal-mango-orbit-42",
        });
        let begun = Instant::now();
        let answer = self.send("create tenant", Method::POST, "/tenants".to_owned(), Some(&body)).await;
        let Some(tenant) = answer else { return false };
        let id: Uuid = tenant["id"].as_str().unwrap().parse().unwrap();
        self.model.id = Some(id);
        // Hundreds of tenants may wait for the end of an outage.
        let mut pause = Duration::from_millis(250);
        loop {
            if Instant::now() > limit {
                self.model.complaints.push("it did not become active in time".to_owned());
                return false;
            }
            let tenant = self.caller.get(format!("/tenants/{id}")).await;
            match tenant["status"].as_str().unwrap() {
                "active" => break,
                "provisioning" => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(4));
                }
                // Its time is not over, and no fault is for ever: the verdict reports it.
                "failed" => {
                    self.caller.tally().log(&format!("tenant {id} failed"));
                    self.model.complaints.push("its provisioning failed".to_owned());
                    let _retried = self.send("retry tenant", Method::POST, format!("/tenants/{id}/retry"), None).await;
                }
                other => panic!("tenant {id} is {other}"),
            }
        }
        self.caller.tally().provisioned(begun.elapsed());
        let users = self.caller.get(format!("/tenants/{id}/users?limit=10")).await;
        let first: Uuid = users[0]["id"].as_str().unwrap().parse().unwrap();
        let user = UserModel {
            email: "first@soak.example".to_owned(),
            full_name: users[0]["full_name"].as_str().unwrap().to_owned(),
            role: "admin",
            status: "active",
        };
        self.model.users.insert(first, user);
        true
    }

    async fn act(&mut self) {
        let mut choice = self.rng.random_range(0..ACTIONS.iter().map(|(_, weight)| weight).sum());
        let (action, _) = ACTIONS
            .into_iter()
            .find(|(_, weight)| {
                let is_chosen = choice < *weight;
                choice = choice.saturating_sub(*weight);
                is_chosen
            })
            .unwrap();
        match action {
            Action::Rename => self.rename().await,
            Action::ChangeLimits => self.change_limits().await,
            Action::AddUser => self.add_user().await,
            Action::ChangeUser => self.change_user().await,
            Action::SwitchUser => self.switch_user().await,
            Action::EraseUser => self.erase_user().await,
            Action::Impersonate => self.impersonate().await,
            Action::EndImpersonation => self.end_impersonation().await,
            Action::Suspend => self.suspend_and_resume().await,
            Action::DeleteAndRestore => self.delete_and_restore().await,
            Action::Reconcile => drop(self.send("reconcile", Method::POST, "/reconciliations".to_owned(), None).await),
        }
    }

    /// Sends a request, and returns the body if it was accepted.
    async fn send(
        &mut self,
        action: &'static str,
        method: Method,
        path: String,
        body: Option<&Value>,
    ) -> Option<Value> {
        match self.caller.settle(&Request { action, method, path, body }).await {
            Some((status, body)) if status.is_success() => Some(body),
            Some((StatusCode::CONFLICT, _)) => None,
            Some((status, body)) => panic!("{action}: {status} {body}"),
            None => {
                self.model.complaints.push(format!("no certain outcome of: {action}"));
                None
            }
        }
    }

    async fn patch_tenant(&mut self, action: &'static str, body: Value) -> bool {
        let path = self.path("");
        self.send(action, Method::PATCH, path, Some(&body)).await.is_some()
    }

    fn path(&self, rest: &str) -> String {
        format!("/tenants/{}{rest}", self.model.id.unwrap())
    }

    async fn rename(&mut self) {
        let name = format!("Tenant {}", self.rng.random::<u32>());
        if self.patch_tenant("rename tenant", json!({ "name": name })).await {
            self.model.name = name;
        }
    }

    async fn change_limits(&mut self) {
        let limit = self.rng.random_range(40..100);
        if self.patch_tenant("change limits", json!({ "limits": { "max_agents": limit } })).await {
            self.model.max_agents = limit;
        }
    }

    async fn add_user(&mut self) {
        let number: u64 = self.rng.random();
        let role = ["agent", "supervisor"][self.rng.random_range(0..2)];
        let user = UserModel {
            email: format!("user-{number}@soak.example"),
            full_name: format!("User {number}"),
            role,
            status: "active",
        };
        let body = json!({
            "email": user.email, "full_name": user.full_name, "role": role, "password": "tidal-mango-orbit-42",
        });
        let path = self.path("/users");
        if let Some(answer) = self.send("add user", Method::POST, path, Some(&body)).await {
            self.model.users.insert(answer["id"].as_str().unwrap().parse().unwrap(), user);
        }
    }

    /// A user who may change: not the only admin, and not erased.
    fn any_user(&mut self) -> Option<Uuid> {
        let may_change = |user: &UserModel| user.role != "admin" && user.full_name != ERASED;
        let users: Vec<Uuid> =
            self.model.users.iter().filter(|(_, user)| may_change(user)).map(|(id, _)| *id).collect();
        (!users.is_empty()).then(|| users[self.rng.random_range(0..users.len())])
    }

    async fn change_user(&mut self) {
        let Some(user) = self.any_user() else { return };
        let name = format!("User {}", self.rng.random::<u64>());
        let role = ["agent", "supervisor"][self.rng.random_range(0..2)];
        let body = json!({ "full_name": name, "role": role });
        let path = self.path(&format!("/users/{user}"));
        if self.send("change user", Method::PATCH, path, Some(&body)).await.is_some() {
            let model = self.model.users.get_mut(&user).unwrap();
            (model.full_name, model.role) = (name, role);
        }
    }

    async fn switch_user(&mut self) {
        let Some(user) = self.any_user() else { return };
        let is_active = self.model.users[&user].status == "active";
        let status = if is_active { "deactivated" } else { "active" };
        let path = self.path(&format!("/users/{user}"));
        if self.send("switch user", Method::PATCH, path, Some(&json!({ "status": status }))).await.is_some() {
            self.model.users.get_mut(&user).unwrap().status = status;
        }
    }

    async fn erase_user(&mut self) {
        let Some(user) = self.any_user() else { return };
        let body = json!({ "reason": "Request of the person" });
        let path = self.path(&format!("/users/{user}/erase"));
        if self.send("erase user", Method::POST, path, Some(&body)).await.is_some() {
            let model = self.model.users.get_mut(&user).unwrap();
            (model.email, model.full_name) = (format!("erased-{user}@invalid"), ERASED.to_owned());
            model.status = "deactivated";
        }
    }

    async fn impersonate(&mut self) {
        let admin = self.model.users.iter().find(|(_, user)| user.role == "admin").map(|(id, _)| *id);
        let body = json!({
            "tenant_id": self.model.id, "user_id": admin, "access": "read", "reason": "Looks at why the inbox stays empty",
        });
        let answer = self.send("impersonate", Method::POST, "/impersonations".to_owned(), Some(&body)).await;
        if let Some(answer) = answer {
            let id = answer["id"].as_str().unwrap().parse().unwrap();
            self.model.impersonations.entry(id).or_insert(false);
        }
    }

    async fn end_impersonation(&mut self) {
        let Some((&id, _)) = self.model.impersonations.iter().find(|(_, has_ended)| !**has_ended) else { return };
        if self.send("end impersonation", Method::DELETE, format!("/impersonations/{id}"), None).await.is_some() {
            self.model.impersonations.insert(id, true);
        }
    }

    async fn suspend_and_resume(&mut self) {
        if self.patch_tenant("suspend tenant", json!({ "status": "suspended" })).await {
            self.model.status = "suspended";
            self.model.impersonations.values_mut().for_each(|has_ended| *has_ended = true);
        }
        sleep(Duration::from_millis(self.rng.random_range(100..3000))).await;
        if self.patch_tenant("resume tenant", json!({ "status": "active" })).await {
            self.model.status = "active";
        }
    }

    /// Deletes the tenant, and brings it back before anything is removed.
    async fn delete_and_restore(&mut self) {
        /// A request that got no answer may still be processed for so long.
        const LATE: Duration = Duration::from_secs(15);
        let begun = Instant::now();
        self.delete(7).await;
        // The deletion may have been sent more than once, and a late one would follow the restore.
        let pause = if begun.elapsed() > LATE { LATE } else { Duration::from_millis(self.rng.random_range(100..3000)) };
        sleep(pause).await;
        let path = self.path("/restore");
        // A repeated restore is refused when the first one has come through.
        if self.send("restore tenant", Method::POST, path, None).await.is_some()
            || self.shown_status().await == "active"
        {
            self.model.status = "active";
        }
    }

    async fn delete(&mut self, recovery_days: u32) {
        let path = self.path(&format!("?confirm={}", self.model.slug));
        let body = json!({ "reason": "The end of a life", "recovery_days": recovery_days });
        // A repeated deletion is refused when the first one has come through.
        let is_accepted = self.send("delete tenant", Method::DELETE, path, Some(&body)).await.is_some()
            || ["deleting", "deleted"].contains(&self.shown_status().await.as_str());
        if is_accepted {
            self.model.status = if recovery_days == 0 { "deleted" } else { "deleting" };
            self.model.impersonations.values_mut().for_each(|has_ended| *has_ended = true);
        }
    }

    async fn shown_status(&self) -> String {
        let tenant = self.caller.get(self.path("")).await;
        tenant["status"].as_str().unwrap().to_owned()
    }
}
