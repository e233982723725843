//! The quotas that a request uses up. The response contains them in the header fields `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-11), so that a client need not run into a limit to find it.
//!
//! What counts requests reports here what is left. Outside a request that collects reports, nothing happens.

use std::{cell::RefCell, fmt::Write};

tokio::task_local! {
    static QUOTAS: RefCell<Vec<Quota>>;
}

/// A quota, and what is left of it after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The name of the policy.
    pub policy: &'static str,
    pub limit: u64,
    pub unit: QuotaUnit,
    pub remaining: u64,
    /// Seconds until more of it is available. `None` if it is whole, or if time alone does not restore it.
    pub reset_seconds: Option<u64>,
}

/// What a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaUnit {
    /// Requests in a window of this many seconds.
    RequestsPerWindow(u64),
    /// Requests at the same time.
    ConcurrentRequests,
}

impl Quota {
    /// An item of `RateLimit-Policy`.
    fn policy_item(&self) -> String {
        let unit = match self.unit {
            QuotaUnit::RequestsPerWindow(seconds) => format!("w={seconds}"),
            QuotaUnit::ConcurrentRequests => r#"qu="concurrent-requests""#.to_owned(),
        };
        format!(r#""{}";q={};{unit}"#, self.policy, self.limit)
    }

    /// An item of `RateLimit`.
    fn limit_item(&self) -> String {
        let mut item = format!(r#""{}";r={}"#, self.policy, self.remaining);
        if let Some(seconds) = self.reset_seconds {
            // Writing to a string cannot fail.
            let _ = write!(item, ";t={seconds}");
        }
        item
    }
}

/// The values of `RateLimit-Policy` and of `RateLimit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaFields {
    pub policies: Vec<String>,
    pub limits: Vec<String>,
}

/// Reports a quota for the response to the current request. A second report about one policy replaces the first.
pub fn report(quota: Quota) {
    // Only work that no request waits for is outside of `collect`.
    let _ = QUOTAS.try_with(|quotas| {
        let mut quotas = quotas.borrow_mut();
        quotas.retain(|other| other.policy != quota.policy);
        quotas.push(quota);
    });
}

/// The result of `work`, and the quotas that it reported.
pub async fn collect<T>(work: impl Future<Output = T>) -> (T, QuotaFields) {
    let reporting = async {
        let result = work.await;
        let fields = QUOTAS.with(|quotas| {
            let quotas = quotas.borrow();
            QuotaFields {
                policies: quotas.iter().map(Quota::policy_item).collect(),
                limits: quotas.iter().map(Quota::limit_item).collect(),
            }
        });
        (result, fields)
    };
    QUOTAS.scope(RefCell::default(), reporting).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTS: Quota = Quota {
        policy: "starts",
        limit: 10,
        unit: QuotaUnit::RequestsPerWindow(60),
        remaining: 9,
        reset_seconds: Some(60),
    };

    #[tokio::test]
    async fn the_last_report_about_a_policy_is_the_one_in_the_response() {
        let waiting = Quota { policy: "waiting", unit: QuotaUnit::ConcurrentRequests, reset_seconds: None, ..STARTS };
        let work = async {
            report(STARTS);
            report(waiting);
            report(Quota { remaining: 0, reset_seconds: Some(7), ..STARTS });
        };
        let ((), fields) = collect(work).await;
        assert_eq!(fields.policies, [r#""waiting";q=10;qu="concurrent-requests""#, r#""starts";q=10;w=60"#]);
        assert_eq!(fields.limits, [r#""waiting";r=9"#, r#""starts";r=0;t=7"#]);
    }

    #[tokio::test]
    async fn concurrent_requests_do_not_see_each_others_quotas() {
        report(STARTS);
        let (((), reported), ((), none)) = tokio::join!(collect(async { report(STARTS) }), collect(async {}));
        assert_eq!(reported.limits, [r#""starts";r=9;t=60"#]);
        assert_eq!(none, QuotaFields::default());
    }
}
