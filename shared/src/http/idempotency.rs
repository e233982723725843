//! `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header-07). A second request with the same key and body gets
//! the stored response. With another body it is rejected. While the first request is being processed it is a conflict.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use deadpool_postgres::{GenericClient, Transaction};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::http::{JsonResponse, Problem, Replayable};
use crate::{
    clients::postgres::{Connection, Session},
    config::IdempotencyConfig,
    error::{Error, Result},
    idempotency::{
        self, RequestIdentity,
        store::{RequestKey, StoredResponse},
    },
    types::InvalidValue,
};

/// The header of a request: 1–255 visible ASCII characters. `None` where the request has no such header.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Problem> {
        const NAME: &str = "idempotency-key";
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        let visible = (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !visible || values.next().is_some() {
            return Err(Error::invalid_header(
                NAME,
                InvalidValue::format("must be one value of 1 to 255 visible ASCII characters"),
            )
            .into());
        }
        Ok(Self(Some(text.to_owned())))
    }
}

/// Computes fingerprints of bodies. They are keyed, because bodies contain passwords, which a plain digest would allow to
/// guess.
#[derive(Clone)]
pub struct Fingerprints(SecretSlice<u8>);

impl Fingerprints {
    pub fn new(config: &IdempotencyConfig) -> Self {
        Self(config.secret.clone())
    }

    fn of(&self, body: &[u8]) -> Result<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).map_err(Error::internal)?;
        mac.update(body);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// A request that may have an idempotency key. Without a key nothing is stored and nothing is replayed.
///
/// The work of the request runs in [`Self::run`], or in [`Self::run_in_session`] where another database takes part.
pub struct IdempotentRequest {
    caller_id: String,
    route: String,
    key: Option<String>,
    fingerprint: Vec<u8>,
}

/// The response to an idempotent request.
#[derive(Debug)]
pub enum IdempotentResponse<T> {
    /// The request was processed now; `T` is the outcome of its work.
    First(T, Replayable),
    /// The request was processed before.
    Replayed(Replayable),
}

impl<T> IntoResponse for IdempotentResponse<T> {
    fn into_response(self) -> Response {
        match self {
            Self::First(_, response) => response.into_response(),
            Self::Replayed(stored) => stored.again(),
        }
    }
}

impl IdempotentRequest {
    /// `caller_id` identifies the caller, `route` is the method and the path.
    pub fn new(
        fingerprints: &Fingerprints,
        caller_id: &str,
        route: impl Into<String>,
        IdempotencyKey(key): IdempotencyKey,
        body: &[u8],
    ) -> Result<Self> {
        let fingerprint = if key.is_some() { fingerprints.of(body)? } else { Vec::new() };
        Ok(Self { caller_id: caller_id.to_owned(), route: route.into(), key, fingerprint })
    }

    /// Identifies the request; `None` for a request without a key.
    pub fn identity(&self) -> Option<RequestIdentity> {
        let key = self.key.clone()?;
        Some(RequestIdentity { route: self.route.clone(), key, fingerprint: self.fingerprint.clone() })
    }

    /// Runs `work` in a transaction, stores the response to its outcome in the same transaction, and commits. A request that
    /// was processed before gets its stored response, and `work` does not run.
    ///
    /// ```text
    /// let answer = request
    ///     .run(&mut platform, async |transaction| tenants::create(transaction, &command).await, |created| Created { … })
    ///     .await?;
    /// if let IdempotentResponse::First(created, _) = &answer {
    ///     dispatcher.send_provision(&platform, created.operation_id).await;
    /// }
    /// Ok(answer.into_response())
    /// ```
    pub async fn run<T, R: JsonResponse>(
        &self,
        platform: &mut Connection,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<T>,
        respond: impl FnOnce(&T) -> R,
    ) -> super::Result<IdempotentResponse<T>> {
        let transaction = platform.transaction().await?;
        if let Some(stored) = self.begin(&transaction).await? {
            return Ok(IdempotentResponse::Replayed(stored));
        }
        let outcome = work(&transaction).await?;
        let response = respond(&outcome).to_replayable()?;
        self.complete(&transaction, &response).await?;
        transaction.commit().await?;
        Ok(IdempotentResponse::First(outcome, response))
    }

    /// Runs `work` while a session holds the key: for work in another database, which no transaction of the platform database
    /// can cover. `work` returns the response, which it has stored with the outcome of its change
    /// ([`tenant_changes`](crate::tenant_changes)).
    ///
    /// When the returned future is dropped, the session ends and with it the hold on the key.
    pub async fn run_in_session(
        &self,
        platform: Connection,
        work: impl AsyncFnOnce(&mut Connection) -> Result<StoredResponse>,
    ) -> super::Result<IdempotentResponse<()>> {
        let mut session = Session::of(platform);
        let Some(request) = self.request() else {
            let done = work(&mut session).await;
            session.give_back();
            return Ok(IdempotentResponse::First((), replayable(done?)?));
        };
        if !idempotency::store::try_hold(&*session, request).await? {
            session.give_back();
            return Err(Problem::key_in_use());
        }
        if let Some(stored) = self.find(&*session).await? {
            self.release(session, request).await?;
            return Ok(IdempotentResponse::Replayed(stored));
        }
        let done = work(&mut session).await;
        self.release(session, request).await?;
        Ok(IdempotentResponse::First((), replayable(done?)?))
    }

    /// Releases the key, and returns the connection to its pool.
    async fn release(&self, session: Session, request: RequestKey<'_>) -> Result<()> {
        idempotency::store::release(&*session, request).await?;
        session.give_back();
        Ok(())
    }

    /// The stored response, if the request was processed before. For use before expensive work.
    pub async fn find(&self, client: &impl GenericClient) -> super::Result<Option<Replayable>> {
        let Some(request) = self.request() else { return Ok(None) };
        idempotency::store::find(client, request).await?.map(|stored| self.replay(stored)).transpose()
    }

    /// Locks the key until the transaction ends, and returns the stored response, if the request was processed before.
    async fn begin(&self, transaction: &Transaction<'_>) -> super::Result<Option<Replayable>> {
        let Some(request) = self.request() else { return Ok(None) };
        if !idempotency::store::try_claim(transaction, request).await? {
            return Err(Problem::key_in_use());
        }
        self.find(transaction).await
    }

    /// Stores the response in the transaction of the work.
    async fn complete(&self, transaction: &Transaction<'_>, response: &Replayable) -> Result<()> {
        let Some(request) = self.request() else { return Ok(()) };
        idempotency::store::insert(transaction, request, &self.stored(response)?).await
    }

    /// The response as it is stored.
    pub fn stored(&self, response: &Replayable) -> Result<StoredResponse> {
        let headers: Map<String, Value> = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap_or_default())))
            .collect();
        let status_code = i16::try_from(response.status.as_u16()).map_err(Error::internal)?;
        Ok(StoredResponse {
            fingerprint: self.fingerprint.clone(),
            status_code,
            headers: Value::Object(headers),
            body: response.body.clone(),
        })
    }

    fn request(&self) -> Option<RequestKey<'_>> {
        self.key.as_deref().map(|key| RequestKey { admin_id: &self.caller_id, route: &self.route, key })
    }

    fn replay(&self, stored: StoredResponse) -> super::Result<Replayable> {
        if stored.fingerprint != self.fingerprint {
            return Err(Problem::key_reused());
        }
        Ok(replayable(stored)?)
    }
}

/// The response that was stored.
fn replayable(stored: StoredResponse) -> Result<Replayable> {
    let status = u16::try_from(stored.status_code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let headers = stored
        .headers
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value.as_str()?).ok()?)));
    Ok(Replayable {
        status: status.ok_or_else(|| Error::internal("a stored response has an impossible status"))?,
        headers: headers.collect(),
        body: stored.body,
    })
}
