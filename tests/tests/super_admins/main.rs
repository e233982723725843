//! Super-admins: the permissions of each role, the immediate effect of changes, and the audit log.

mod accounts;
mod audit;
mod audit_plans;
mod matrix;
mod passwords;
mod recovery;
mod request_ids;
mod state;
mod temporary_passwords;
mod throttling;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use shared::types::{SuperAdminId, SuperAdminRole};
use tests::{Answer, Api, World, api::answer, tokens};

/// A super-admin who is signed in.
pub(crate) struct SignedIn<'a> {
    api: &'a Api,
    pub(crate) id: SuperAdminId,
    pub(crate) token: String,
}

impl<'a> SignedIn<'a> {
    /// Creates a super-admin with a role.
    pub(crate) async fn with(world: &World, api: &'a Api, role: SuperAdminRole) -> Self {
        let id = world.operator(role).await;
        Self { api, id, token: tokens::sign(&tokens::claims(&id.to_string())) }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api.anonymous(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::PATCH, path).json(body)).await
    }
}
