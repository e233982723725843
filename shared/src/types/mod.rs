//! Value types that several nouns and the plumbing share. A value that exists is valid. No I/O.

#[macro_use]
mod keyword;
#[macro_use]
mod integer;

mod access;
mod actor;
mod channel;
mod country;
mod created;
mod day;
mod email;
mod fault_code;
mod ids;
mod limits;
mod month;
mod page;
#[cfg(feature = "http")]
mod parameter;
mod password;
mod placement;
mod reason;
mod role;
mod slug;
mod supplied_password;
mod text;
mod timestamp;
mod trace_id;
mod values;

pub use access::Access;
pub use actor::Actor;
pub use channel::{Channel, Microservice};
pub use country::Country;
pub use created::CreatedRange;
pub use day::Day;
pub use email::EmailAddress;
pub use fault_code::FaultCode;
pub use ids::{ExportId, ImpersonationId, OperationId, ReconciliationId, SuperAdminId, TenantId, UserId};
pub use limits::{Limit, Limits, LimitsPatch, MAX_LIMIT, parse_limit};
pub use month::Month;
pub use page::{Count, Cursor, PageCursor, PageLimit, PageRequest, TimeOrder, ValueCursor};
#[cfg(feature = "http")]
pub use parameter::{INLINE, ParameterValue, ValueErrors, inline};
pub use password::NewPassword;
pub use placement::Placement;
pub use reason::Reason;
pub use role::SuperAdminRole;
pub use slug::Slug;
pub use supplied_password::SuppliedPassword;
pub use text::{LongSearchText, SearchText, single_line};
pub use timestamp::{optional_timestamp, timestamp};
pub use trace_id::TraceId;
pub use values::Values;

/// The rule that an input breaks. The text is shown to the caller: it states the rule and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidValue {
    pub code: FaultCode,
    pub detail: String,
}

impl InvalidValue {
    /// `detail` states the rule, such as "must be 2 to 48 characters long".
    pub fn new(code: FaultCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The value does not have the form that its type needs.
    pub fn format(detail: impl Into<String>) -> Self {
        Self::new(FaultCode::InvalidFormat, detail)
    }

    /// The rule of an enumeration: lists its values.
    pub fn one_of(words: &[&str]) -> Self {
        Self::new(FaultCode::UnknownValue, format!("must be one of {}", words.join(", ")))
    }
}
