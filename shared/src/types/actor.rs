//! The actor of an audit entry or an event.

/// Who performs an action, and the request that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// A super-admin's id, a subject at the identity provider, `anonymous`, or `system`.
    pub id: &'a str,
    pub request_id: Option<&'a str>,
    /// The id that the client gave the request.
    pub client_request_id: Option<&'a str>,
    /// The address that the request came from.
    pub source_address: Option<&'a str>,
}

impl Actor<'static> {
    /// The platform itself, for work that no request asks for at that moment.
    pub const SYSTEM: Self = Self { id: "system", request_id: None, client_request_id: None, source_address: None };
}
