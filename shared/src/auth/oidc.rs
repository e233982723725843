//! The keys of the platform's identity provider, fetched on demand and cached.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, Url};
use tokio::sync::{Mutex, RwLock};

use crate::{
    auth::jwk::KeySet,
    clients::web,
    config::ConfigError,
    error::{Dependency, Error, Result},
};

/// Cached keys are used for this long without a new fetch.
const FRESH_FOR: Duration = Duration::from_mins(15);
/// Cached keys are used for this long while the provider cannot be reached.
const USABLE_FOR: Duration = Duration::from_hours(24);
/// An unknown `kid` causes a new fetch, but at most one in this time, so that forged tokens cannot flood the provider.
const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(30);
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// A JWK Set has a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

struct Fetched {
    keys: Arc<KeySet>,
    at: Instant,
}

/// The provider's key set.
pub(super) struct RemoteKeys {
    url: Url,
    client: Mutex<Option<Client>>,
    fetched: RwLock<Option<Fetched>>,
    /// Time of the last fetch. Its lock lets one request fetch the keys for all that wait.
    last_fetch: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    /// A change of the keys on their way would let anybody sign in.
    pub(super) fn new(url: &str) -> Result<Self, ConfigError> {
        let url = web::secure_url("OIDC_JWKS_URL", url)?;
        Ok(Self { url, client: Mutex::new(None), fetched: RwLock::new(None), last_fetch: Mutex::new(None) })
    }

    /// A key set that contains `key_id` if the provider publishes it.
    pub(super) async fn with_key(&self, key_id: &str) -> Result<Arc<KeySet>> {
        if let Some(keys) = self.cached(key_id, FRESH_FOR).await {
            return Ok(keys);
        }
        let mut last_fetch = self.last_fetch.lock().await;
        // Another request may have fetched the keys in the meantime.
        if let Some(keys) = self.cached(key_id, FRESH_FOR).await {
            return Ok(keys);
        }
        if last_fetch.is_none_or(|at| at.elapsed() >= MIN_FETCH_INTERVAL) {
            *last_fetch = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    *self.fetched.write().await = Some(Fetched { keys: Arc::clone(&keys), at: Instant::now() });
                    return Ok(keys);
                }
                Err(error) => tracing::warn!(error = %error.chain(), "fetching the identity provider's keys failed"),
            }
        }
        match self.fetched.read().await.as_ref().filter(|fetched| fetched.at.elapsed() < USABLE_FOR) {
            Some(fetched) => Ok(Arc::clone(&fetched.keys)),
            None => Err(Error::unavailable(Dependency::IdentityProvider, "its keys have not been fetched yet")),
        }
    }

    async fn cached(&self, key_id: &str, age: Duration) -> Option<Arc<KeySet>> {
        let fetched = self.fetched.read().await;
        let fetched = fetched.as_ref().filter(|fetched| fetched.at.elapsed() < age)?;
        fetched.keys.find(key_id).map(|_| Arc::clone(&fetched.keys))
    }

    async fn fetch(&self) -> Result<KeySet> {
        let unavailable = |error: reqwest::Error| Error::unavailable(Dependency::IdentityProvider, error);
        let client = {
            let mut slot = self.client.lock().await;
            if let Some(client) = slot.as_ref() {
                client.clone()
            } else {
                slot.insert(web::client(FETCH_TIMEOUT).map_err(Error::internal)?).clone()
            }
        };
        let response = client
            .get(self.url.clone())
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(unavailable)?;
        let body = web::read(response, MAX_BYTES).await.map_err(unavailable)?;
        let body = body.ok_or_else(|| Error::unavailable(Dependency::IdentityProvider, "its key set is too large"))?;
        let text = String::from_utf8(body).map_err(|error| Error::unavailable(Dependency::IdentityProvider, error))?;
        let keys = KeySet::parse(&text).map_err(|error| Error::unavailable(Dependency::IdentityProvider, error))?;
        if keys.is_empty() {
            return Err(Error::unavailable(Dependency::IdentityProvider, "its key set has no usable key"));
        }
        Ok(keys)
    }
}
