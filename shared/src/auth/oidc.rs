//! The keys of the platform's identity provider, fetched when needed and kept for a while.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::sync::{Mutex, RwLock};

use crate::auth::keys::KeySet;
use crate::{
    clients::web,
    error::{Dependency, Error, Result},
};

/// Keys are good for this long without asking again.
const FRESH: Duration = Duration::from_mins(15);
/// Keys stay in use for this long while the provider cannot be reached.
const USABLE: Duration = Duration::from_hours(24);
/// An unknown `kid` makes us ask again, but no oftener than this, so that forged tokens cannot make us hammer the provider.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the provider may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A JWK Set is a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

struct Fetched {
    keys: Arc<KeySet>,
    at: Instant,
}

/// The provider's key set behind its URL.
pub(super) struct RemoteKeys {
    url: String,
    client: Mutex<Option<Client>>,
    fetched: RwLock<Option<Fetched>>,
    /// When we last asked, and the lock that makes one request ask for all that wait.
    asked: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    pub(super) fn new(url: String) -> Self {
        Self { url, client: Mutex::new(None), fetched: RwLock::new(None), asked: Mutex::new(None) }
    }

    /// A key set that holds `key_id` if the provider publishes it.
    pub(super) async fn with_key(&self, key_id: &str) -> Result<Arc<KeySet>> {
        if let Some(keys) = self.cached(key_id, FRESH).await {
            return Ok(keys);
        }
        let mut asked = self.asked.lock().await;
        // Someone else may have asked while we waited.
        if let Some(keys) = self.cached(key_id, FRESH).await {
            return Ok(keys);
        }
        if asked.is_none_or(|at| at.elapsed() >= PAUSE) {
            *asked = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    *self.fetched.write().await = Some(Fetched { keys: Arc::clone(&keys), at: Instant::now() });
                    return Ok(keys);
                }
                Err(error) => tracing::warn!(error = %error.chain(), "the identity provider's keys cannot be fetched"),
            }
        }
        match self.fetched.read().await.as_ref().filter(|fetched| fetched.at.elapsed() < USABLE) {
            Some(fetched) => Ok(Arc::clone(&fetched.keys)),
            None => Err(Error::unavailable(Dependency::IdentityProvider, "no keys yet")),
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
                slot.insert(web::client(TIMEOUT).map_err(Error::internal)?).clone()
            }
        };
        let response =
            client.get(&self.url).send().await.and_then(reqwest::Response::error_for_status).map_err(unavailable)?;
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
