//! The life cycle of tenants, while their workers die, freeze and wake up late, and meet errors. The reference only generates the
//! transitions: what a disturbed worker comes to depends on time. The test follows what each response and attempt must leave.

mod disturber;
mod reference;
mod stage;

use std::{
    ops::Range,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    provisioning::{Moment, Provisioner},
    types::OperationId,
};
use tests::{
    World,
    api::{answer, tenant_request},
};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use self::{
    disturber::{Disturber, FrozenWorker},
    reference::{Disturbance, Tenants, Transition},
    stage::TenantStage,
};
use crate::{runner::Property, stage::problem};

/// Attempts after which an undisturbed operation must have ended.
const ATTEMPTS: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Applying,
    Undoing,
    Active,
    Suspended,
    Failed,
}

/// A tenant as the test expects it.
#[derive(Debug)]
pub(crate) struct ModelTenant {
    pub(crate) id: Uuid,
    pub(crate) operation: OperationId,
    pub(crate) phase: Phase,
    /// Whether something has happened for which its operation may be rolled back.
    may_fail: bool,
    max_agents: Option<i64>,
    /// The types of its events, in their order.
    pub(crate) events: Vec<&'static str>,
}

/// Tenants of one case.
pub(crate) struct TenantTest {
    stage: Rc<TenantStage>,
    tenants: Vec<ModelTenant>,
    /// The oldest first.
    frozen: Vec<FrozenWorker>,
}

impl Property for TenantTest {
    type Stage = TenantStage;
    type Reference = Tenants;
    const NAME: &'static str = "tenants";
    const CASES: u32 = 5;
    const STEPS: Range<usize> = 6..16;

    async fn stage(world: World) -> TenantStage {
        TenantStage::new(world).await
    }

    async fn step(&mut self, _: &Tenants, transition: &Transition) {
        match transition {
            Transition::Create => self.create().await,
            Transition::Work { tenant, disturbed } => self.work(*tenant, *disturbed).await,
            Transition::Wake => self.wake().await,
            Transition::SpendBudget { tenant } => {
                let tenant = &mut self.tenants[*tenant];
                tenant.may_fail = true;
                self.stage.spend_budget(tenant.operation).await;
            }
            Transition::RetryOperation { tenant } => self.manage(*tenant, "retry").await,
            Transition::Abandon { tenant } => self.manage(*tenant, "abandon").await,
            Transition::Retry { tenant } => self.retry(*tenant).await,
            Transition::Limit { tenant, max_agents } => self.limit(*tenant, *max_agents).await,
            Transition::Suspend { tenant } => self.set_status(*tenant, Phase::Active, Phase::Suspended).await,
            Transition::Resume { tenant } => self.set_status(*tenant, Phase::Suspended, Phase::Active).await,
        }
    }

    /// Late workers wake up, and others are not disturbed any more: every operation ends, and every tenant is complete or absent.
    async fn end(mut self, _: Tenants) {
        while !self.frozen.is_empty() {
            self.wake().await;
        }
        for index in 0..self.tenants.len() {
            let mut attempts = 0;
            while is_open(self.tenants[index].phase) {
                assert!(attempts < ATTEMPTS, "{:?} does not end", self.tenants[index]);
                attempts += 1;
                self.work(index, None).await;
            }
        }
        for tenant in &self.tenants {
            self.stage.assert_complete_or_absent(tenant).await;
        }
    }

    async fn begin(stage: Rc<TenantStage>, _: &Tenants) -> Self {
        Self { stage, tenants: Vec::new(), frozen: Vec::new() }
    }
}

impl TenantTest {
    async fn request(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let received = answer(self.stage.api.request(method, path).json(body)).await;
        (received.status.as_u16(), received.json)
    }

    async fn create(&mut self) {
        let slug = format!("t{}", Uuid::now_v7().simple());
        let (status, created) = self.request(Method::POST, "/tenants", &tenant_request(&slug)).await;
        assert_eq!(status, 201, "{created}");
        self.tenants.push(ModelTenant {
            id: created["id"].as_str().unwrap().parse().unwrap(),
            operation: created["operation_id"].as_str().unwrap().parse().unwrap(),
            phase: Phase::Applying,
            may_fail: false,
            max_agents: created["limits"]["max_agents"].as_i64(),
            events: vec!["tenant.requested"],
        });
    }

    async fn work(&mut self, index: usize, disturbed: Option<(Moment, Disturbance)>) {
        let operation = self.tenants[index].operation;
        self.stage.expire(operation).await;
        let observer = Arc::new(Disturber {
            disturbed,
            used: AtomicBool::new(false),
            reached: Notify::new(),
            woken: Notify::new(),
        });
        let worker = Provisioner { observer: Some(observer.clone()), ..self.stage.worker() };
        let mut task = tokio::spawn(async move { worker.run(operation, minute()).await });
        tokio::select! {
            result = &mut task => {
                let outcome = result.unwrap().unwrap();
                println!("    worked on {operation}: {outcome:?}");
            }
            () = observer.reached.notified() => {
                if disturbed.is_some_and(|(_, disturbance)| disturbance == Disturbance::Die) {
                    task.abort();
                    assert!(task.await.unwrap_err().is_cancelled());
                } else {
                    self.frozen.push(FrozenWorker { disturber: observer, task });
                }
            }
        }
        if disturbed.is_some_and(|(_, disturbance)| disturbance == Disturbance::Permanent) {
            self.tenants[index].may_fail = true;
        }
        self.observe().await;
    }

    async fn wake(&mut self) {
        if self.frozen.is_empty() {
            return;
        }
        let FrozenWorker { disturber, task } = self.frozen.remove(0);
        disturber.woken.notify_one();
        let outcome =
            tokio::time::timeout(Duration::from_secs(90), task).await.expect("a worker ends").unwrap().unwrap();
        println!("    a late worker ended: {outcome:?}");
        self.observe().await;
    }

    /// Follows the operations, which may only have gone where the rules let them.
    async fn observe(&mut self) {
        for tenant in &mut self.tenants {
            let found = self.stage.phase(tenant).await;
            let is_allowed = match (tenant.phase, found) {
                (before, after) if before == after => true,
                (Phase::Applying, Phase::Active) | (Phase::Undoing, Phase::Failed) => true,
                (Phase::Applying, Phase::Undoing | Phase::Failed) => tenant.may_fail,
                _ => false,
            };
            assert!(is_allowed, "{tenant:?} is {found:?}");
            match found {
                Phase::Active if tenant.phase != found => tenant.events.push("tenant.provisioned"),
                Phase::Failed if tenant.phase != found => tenant.events.push("tenant.provisioning_failed"),
                _ => {}
            }
            tenant.phase = found;
        }
    }

    /// Retries or abandons the newest operation.
    async fn manage(&mut self, index: usize, action: &str) {
        let tenant = &self.tenants[index];
        let (status, json) =
            self.request(Method::POST, &format!("/operations/{}/{action}", tenant.operation), &Value::Null).await;
        if is_open(tenant.phase) {
            assert_eq!(status, 200, "{json}");
            if action == "abandon" {
                let tenant = &mut self.tenants[index];
                (tenant.phase, tenant.may_fail) = (Phase::Undoing, true);
            }
        } else {
            assert_eq!((status, problem(&json)), (409, "operation-ended"), "{json}");
        }
    }

    async fn retry(&mut self, index: usize) {
        let tenant = &self.tenants[index];
        let (status, json) = self.request(Method::POST, &format!("/tenants/{}/retry", tenant.id), &Value::Null).await;
        match tenant.phase {
            Phase::Failed => {
                assert_eq!(status, 202, "{json}");
                let tenant = &mut self.tenants[index];
                tenant.operation = json["operation_id"].as_str().unwrap().parse().unwrap();
                (tenant.phase, tenant.may_fail) = (Phase::Applying, false);
            }
            phase if is_open(phase) => assert_eq!((status, problem(&json)), (409, "operation-running"), "{json}"),
            _ => assert_eq!((status, problem(&json)), (409, "tenant-not-failed"), "{json}"),
        }
    }

    async fn limit(&mut self, index: usize, max_agents: i64) {
        let tenant = &self.tenants[index];
        let body = json!({ "limits": { "max_agents": max_agents } });
        let (status, json) = self.request(Method::PATCH, &format!("/tenants/{}", tenant.id), &body).await;
        if is_open(tenant.phase) {
            return assert_eq!((status, problem(&json)), (409, "operation-running"), "{json}");
        }
        assert_eq!(status, 200, "{json}");
        let tenant = &mut self.tenants[index];
        if tenant.max_agents.replace(max_agents) != Some(max_agents) {
            tenant.events.push("tenant.updated");
        }
    }

    async fn set_status(&mut self, index: usize, from: Phase, to: Phase) {
        let tenant = &self.tenants[index];
        let wanted = if to == Phase::Suspended { "suspended" } else { "active" };
        let path = format!("/tenants/{}", tenant.id);
        let (status, json) = self.request(Method::PATCH, &path, &json!({ "status": wanted })).await;
        if tenant.phase == from {
            assert_eq!((status, &json["status"]), (200, &json!(wanted)), "{json}");
            let tenant = &mut self.tenants[index];
            tenant.phase = to;
            tenant.events.push(if to == Phase::Suspended { "tenant.suspended" } else { "tenant.resumed" });
        } else {
            let why = if is_open(tenant.phase) { "operation-running" } else { "tenant-status-not-settable" };
            assert_eq!((status, problem(&json)), (409, why), "{json}");
        }
    }
}

fn is_open(phase: Phase) -> bool {
    matches!(phase, Phase::Applying | Phase::Undoing)
}

fn minute() -> Instant {
    Instant::now() + Duration::from_mins(1)
}
