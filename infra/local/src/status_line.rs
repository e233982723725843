//! One line of the table that `cargo dev status` prints.

#[derive(Debug)]
pub(crate) struct StatusLine {
    pub(crate) name: String,
    /// Whether this part of the stack works. `cargo dev status` exits with 1 unless all do.
    pub(crate) up: bool,
    /// `up`, `ready` (a function that starts at its first request), `down`, `building` or `yours`.
    pub(crate) state: &'static str,
    pub(crate) pid: Option<i32>,
    pub(crate) port: Option<u16>,
    pub(crate) details: String,
}

impl StatusLine {
    /// A server or service that the developer runs and `variable` names.
    pub(crate) fn external(name: String, variable: &str) -> Self {
        let details = format!("yours, named by {variable}; not checked");
        Self { name, up: true, state: "yours", pid: None, port: None, details }
    }
}
