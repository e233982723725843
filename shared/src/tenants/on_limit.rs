//! What happens when a tenant reaches a limit.

use serde::Serialize;

keyword_enum!(
    /// What the platform's services do when a tenant has reached a limit. `max_agents` is enforced in any case.
    OnLimit {
        /// The event about the limit is all that happens.
        Notify = "notify",
        /// Services refuse new contacts and messages of the tenant, until an event takes the limit back.
        BlockNew = "block_new",
    }
);
