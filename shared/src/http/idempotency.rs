//! `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header-07): the same key with the same body replays the
//! stored answer, with another body it is refused, and while the first request runs it is a conflict.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deadpool_postgres::{GenericClient, Transaction};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::http::Problem;
use crate::{
    clients::postgres::{Connection, Session},
    config::IdempotencyConfig,
    error::{Error, Result},
    idempotency::{
        self,
        store::{RequestKey, StoredResponse},
    },
    super_admins::Principal,
};

/// The header of a request, if it has one: 1–255 visible ASCII characters.
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
            return Err(Error::invalid_header(NAME, "must be one value of 1 to 255 visible ASCII characters").into());
        }
        Ok(Self(Some(text.to_owned())))
    }
}

/// Makes fingerprints of bodies. Keyed, because bodies hold passwords and a plain digest would be a way to guess them.
#[derive(Clone)]
pub struct Fingerprints(SecretSlice<u8>);

impl Fingerprints {
    /// With the configured secret.
    pub fn new(config: &IdempotencyConfig) -> Self {
        Self(config.secret.clone())
    }

    fn of(&self, body: &[u8]) -> Result<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).map_err(Error::internal)?;
        mac.update(body);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// One request's claim on its key. Without a key it does nothing.
pub struct IdempotentRequest {
    admin_id: String,
    route: String,
    key: Option<String>,
    fingerprint: Vec<u8>,
}

impl IdempotentRequest {
    /// A claim of `admin` on `key` for `route` (method and path) with `body`.
    pub fn new(
        fingerprints: &Fingerprints,
        admin: &Principal,
        route: impl Into<String>,
        IdempotencyKey(key): IdempotencyKey,
        body: &[u8],
    ) -> Result<Self> {
        let fingerprint = if key.is_some() { fingerprints.of(body)? } else { Vec::new() };
        Ok(Self { admin_id: admin.id.clone(), route: route.into(), key, fingerprint })
    }

    /// Names the request, key and body, where it has to be known again before there is an answer.
    pub fn mark(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("{key} {}", URL_SAFE_NO_PAD.encode(&self.fingerprint)))
    }

    fn request(&self) -> Option<RequestKey<'_>> {
        self.key.as_deref().map(|key| RequestKey { admin_id: &self.admin_id, route: &self.route, key })
    }

    /// The stored answer, if the request was answered before. Asked before work that costs much.
    pub async fn find(&self, client: &impl GenericClient) -> super::Result<Option<Response>> {
        Ok(self.find_stored(client).await?.map(Replayable::again))
    }

    /// As [`Self::find`], for an answer that is stored without what is nobody's to keep: whoever asks completes it.
    pub async fn find_stored(&self, client: &impl GenericClient) -> super::Result<Option<Replayable>> {
        let Some(request) = self.request() else { return Ok(None) };
        idempotency::store::find(client, request).await?.map(|stored| self.replay(stored)).transpose()
    }

    /// Claims the key for the transaction. `Some`: it was answered in the meantime.
    pub async fn begin(&self, transaction: &Transaction<'_>) -> super::Result<Option<Response>> {
        Ok(self.begin_stored(transaction).await?.map(Replayable::again))
    }

    /// As [`Self::begin`], with [`Self::find_stored`].
    pub async fn begin_stored(&self, transaction: &Transaction<'_>) -> super::Result<Option<Replayable>> {
        let Some(request) = self.request() else { return Ok(None) };
        if !idempotency::store::try_claim(transaction, request).await? {
            return Err(Problem::key_in_use());
        }
        self.find_stored(transaction).await
    }

    /// Claims the key for as long as a session lasts: for work in another database, which no transaction here can hold. The
    /// session is given back by [`Self::release`]; dropped, it ends.
    pub async fn hold(&self, connection: Connection) -> super::Result<Held> {
        let session = Session::of(connection);
        let Some(request) = self.request() else { return Ok(Held::Now(session)) };
        if !idempotency::store::try_hold(&*session, request).await? {
            session.give_back();
            return Err(Problem::key_in_use());
        }
        match self.find(&*session).await? {
            None => Ok(Held::Now(session)),
            Some(replayed) => {
                self.release(session).await?;
                Ok(Held::Before(replayed))
            }
        }
    }

    /// Gives up the key, and gives the connection back to its pool.
    pub async fn release(&self, session: Session) -> Result<()> {
        if let Some(request) = self.request() {
            idempotency::store::release(&*session, request).await?;
        }
        session.give_back();
        Ok(())
    }

    /// Stores the answer in the transaction that does the work.
    pub async fn complete(&self, transaction: &Transaction<'_>, response: &Replayable) -> Result<()> {
        let Some(request) = self.request() else { return Ok(()) };
        let headers: Map<String, Value> = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap_or_default())))
            .collect();
        let status_code = i16::try_from(response.status.as_u16()).map_err(Error::internal)?;
        let stored = StoredResponse {
            fingerprint: self.fingerprint.clone(),
            status_code,
            headers: Value::Object(headers),
            body: response.body.clone(),
        };
        idempotency::store::insert(transaction, request, &stored).await
    }

    fn replay(&self, stored: StoredResponse) -> super::Result<Replayable> {
        if stored.fingerprint != self.fingerprint {
            return Err(Problem::key_reused());
        }
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
}

/// What became of the wish to hold a key.
pub enum Held {
    /// It is held by this session.
    Now(Session),
    /// The request was answered before.
    Before(Response),
}

/// A response that can be stored and given again.
#[derive(Debug, Clone)]
pub struct Replayable {
    /// Status.
    pub status: StatusCode,
    /// Headers beside the content type, as strings.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON.
    pub body: String,
}

impl Replayable {
    /// The response to a request that was answered before.
    pub fn again(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        response
    }
}

impl IntoResponse for Replayable {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}
