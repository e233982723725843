//! HTTP functions.

use crate::config::{ConfigError, FromEnv, parsed};

#[derive(Debug, Clone, Copy, Default)]
pub struct HttpConfig {
    /// `TRUSTED_PROXY_HOPS` (0): the number of proxies between the clients and API Gateway, such as a CDN. Each must append the
    /// address of its peer to `X-Forwarded-For`, and requests must not reach API Gateway without them.
    pub trusted_proxy_hops: usize,
    /// `API_RATE_LIMIT` (none): the requests per second that API Gateway passes on to the function's routes. It is only stated in
    /// responses.
    pub gateway_rate_limit: Option<u32>,
}

impl FromEnv for HttpConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const MAX_HOPS: usize = 8;
        let trusted_proxy_hops = parsed("TRUSTED_PROXY_HOPS", 0)?;
        if trusted_proxy_hops > MAX_HOPS {
            return Err(ConfigError::invalid("TRUSTED_PROXY_HOPS", format!("more than {MAX_HOPS}")));
        }
        let gateway_rate_limit = parsed("API_RATE_LIMIT", 0)?;
        Ok(Self { trusted_proxy_hops, gateway_rate_limit: (gateway_rate_limit > 0).then_some(gateway_rate_limit) })
    }
}
