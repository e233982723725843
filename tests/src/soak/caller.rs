//! A client that repeats a request until its outcome is certain, as a careful one does.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::{soak::tally::Tally, stack, variable};

/// `cargo lambda watch` cannot serve more than a hundred requests to one function at once.
const MOST_REQUESTS: usize = 24;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(12);

/// After this, an outcome stays unknown. It is longer than any random fault.
const PATIENCE: Duration = Duration::from_mins(4);

pub(super) struct Caller {
    client: Client,
    token: Mutex<String>,
    slots: Semaphore,
    tally: Arc<Tally>,
}

/// A request, which has the same effect however often it is sent.
pub(super) struct Request<'a> {
    /// For the tally.
    pub(super) action: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<&'a Value>,
}

/// A certain outcome, or `None`.
pub(super) type Outcome = Option<(StatusCode, Value)>;

impl Caller {
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        let client = Client::builder().timeout(ATTEMPT_TIMEOUT).build().unwrap();
        Self { client, token: Mutex::default(), slots: Semaphore::new(MOST_REQUESTS), tally }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Sends a request until an answer says what became of it. A `POST` is repeated with the same idempotency key.
    pub(super) async fn settle(&self, request: &Request<'_>) -> Outcome {
        let key = Uuid::now_v7().to_string();
        let begun = Instant::now();
        self.tally.call(&request.method, route(&request.path));
        while begun.elapsed() < PATIENCE {
            let (answer, outcome) = self.attempt(request, &key).await;
            // A super-admin may start so many impersonations in a minute.
            let pause = if answer.starts_with("429") { 5000 } else { 700 };
            self.tally.answer(request.action, answer);
            if outcome.is_some() {
                return outcome;
            }
            sleep(Duration::from_millis(pause)).await;
        }
        None
    }

    /// The body of a resource.
    pub(super) async fn get(&self, path: String) -> Value {
        let request = Request { action: "get", method: Method::GET, path, body: None };
        let (status, body) = self.settle(&request).await.expect("the API answers");
        assert_eq!(status, StatusCode::OK, "{}: {body}", request.path);
        body
    }

    async fn attempt(&self, request: &Request<'_>, key: &str) -> (String, Outcome) {
        let _slot = self.slots.acquire().await.unwrap();
        let token = self.token.lock().await.clone();
        let mut sent = self.client.request(request.method.clone(), format!("{}{}", stack::base(), request.path));
        sent = sent.bearer_auth(token);
        if request.method == Method::POST {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(body) = request.body {
            sent = sent.json(body);
        }
        let response = match sent.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return ("timeout".to_owned(), None),
            Err(_) => return ("no answer".to_owned(), None),
        };
        let status = response.status();
        let Ok(text) = response.text().await else { return ("cut off".to_owned(), None) };
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let problem = body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned();
        if status == StatusCode::UNAUTHORIZED {
            self.sign_in().await;
        }
        let answer = format!("{} {problem}", status.as_u16());
        let is_certain = status.is_success()
            || status.is_client_error()
                && ![401, 408, 429].contains(&status.as_u16())
                // The first of two equal requests is still running, or its change is being settled.
                && !["request-in-progress", "change-in-progress"].contains(&&*problem);
        (answer.trim_end().to_owned(), is_certain.then_some((status, body)))
    }

    /// Replaces the token.
    async fn sign_in(&self) {
        self.tally.call(&Method::POST, "/auth/login".to_owned());
        let mut token = self.token.lock().await;
        let credentials = json!({"email": variable("FIRST_ADMIN_EMAIL"), "password": variable("FIRST_ADMIN_PASSWORD")});
        let sent = self.client.post(format!("{}/auth/login", stack::base())).json(&credentials).send().await;
        let Ok(response) = sent else { return };
        self.tally.answer("sign in", response.status().as_u16().to_string());
        let session: Value = response.json().await.unwrap_or_default();
        if let Some(new) = session["access_token"].as_str() {
            new.clone_into(&mut token);
        }
    }
}

/// The path of an operation in the description of the API.
fn route(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let mut parent = "";
    let segments = path.split('/').map(|segment| {
        let name = if segment.parse::<Uuid>().is_err() {
            segment
        } else if parent == "users" {
            "{user_id}"
        } else {
            "{id}"
        };
        parent = segment;
        name
    });
    segments.collect::<Vec<_>>().join("/")
}
