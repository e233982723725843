//! The token endpoint of an identity provider, played by an HTTP server.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use shared::config::CodeExchangeConfig;

use crate::{Api, tokens};

/// A token endpoint that answers each request alike.
pub struct TokenEndpoint {
    pub url: String,
    /// The token that it issues at first.
    pub token: String,
    exchange: Arc<Mutex<Exchange>>,
}

struct Exchange {
    answer: (StatusCode, Value),
    form: String,
}

impl TokenEndpoint {
    /// It issues a token that is valid for 300 s.
    pub async fn start() -> Self {
        let token = tokens::good();
        let issued = json!({"access_token": &token, "token_type": "Bearer", "expires_in": 300, "id_token": "x"});
        let exchange = Arc::new(Mutex::new(Exchange { answer: (StatusCode::OK, issued), form: String::new() }));
        let routes = Router::new().route("/token", post(answer)).with_state(Arc::clone(&exchange));
        let server = Api::serve(routes).await;
        Self { url: server.base.replace("/api/super-admin", "/token"), token, exchange }
    }

    /// The console as its client.
    pub fn client(&self) -> CodeExchangeConfig {
        CodeExchangeConfig { client_id: "landlord console".into(), url: self.url.clone() }
    }

    pub fn respond(&self, status: u16, body: Value) {
        self.exchange.lock().unwrap().answer = (StatusCode::from_u16(status).unwrap(), body);
    }

    /// The form of the last request, which is then forgotten.
    pub fn take_form(&self) -> String {
        std::mem::take(&mut self.exchange.lock().unwrap().form)
    }
}

async fn answer(State(exchange): State<Arc<Mutex<Exchange>>>, form: String) -> (StatusCode, String) {
    let mut exchange = exchange.lock().unwrap();
    exchange.form = form;
    let (status, body) = &exchange.answer;
    (*status, body.to_string())
}
