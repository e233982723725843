//! Who does something.

/// Who does something, and by which request.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// A super-admin's id, their subject at the identity provider, or `system`.
    pub id: &'a str,
    /// The request that it is done by.
    pub request_id: Option<&'a str>,
    /// The address that the request came from.
    pub source_address: Option<&'a str>,
}

impl Actor<'static> {
    /// What no operator asked for at that moment.
    pub const SYSTEM: Self = Self { id: "system", request_id: None, source_address: None };
}
