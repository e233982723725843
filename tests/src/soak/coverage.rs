//! Which operations of the API take part in a soak.

/// Method and path of those that it calls. A soak of some minutes checks that it has called each.
pub const CALLED: [(&str, &str); 11] = [
    ("POST", "/auth/login"),
    ("POST", "/tenants"),
    ("PATCH", "/tenants/{id}"),
    ("DELETE", "/tenants/{id}"),
    ("POST", "/tenants/{id}/restore"),
    ("POST", "/tenants/{id}/users"),
    ("PATCH", "/tenants/{id}/users/{user_id}"),
    ("POST", "/tenants/{id}/users/{user_id}/erase"),
    ("POST", "/impersonations"),
    ("DELETE", "/impersonations/{id}"),
    ("POST", "/reconciliations"),
];

/// Those that it does not call, and why.
pub const LEFT_OUT: [(&str, &str, &str); 15] = [
    ("POST", "/admins", "changes the platform database only, in one transaction"),
    ("PATCH", "/admins/{id}", "changes the platform database only, in one transaction"),
    ("POST", "/auth/change-password", "would change the password of the local stack"),
    ("POST", "/auth/exchange", "changes nothing"),
    ("POST", "/auth/refresh", "changes nothing; its audit entry is in the platform database only"),
    ("POST", "/dead-letters/redrive", "nothing may depend on it: no message is needed"),
    ("POST", "/operations/{id}/abandon", "a tenant that was abandoned is not active afterwards"),
    ("POST", "/operations/{id}/retry", "nothing may depend on it: operations are retried by themselves"),
    (
        "POST",
        "/tenants/{id}/exports",
        "a suspension supersedes it, and the soak suspends tenants all the time; the fault matrix disturbs it at every point",
    ),
    ("POST", "/tenants/{id}/exports/{export_id}/links", "only reads, apart from an audit entry"),
    (
        "POST",
        "/tenants/{id}/exports/{export_id}/restore",
        "only after an export; the fault matrix disturbs a restore at every point",
    ),
    ("POST", "/tenants/{id}/promote", "takes back what users did since the export, which the model does not know"),
    ("POST", "/tenants/{id}/retry", "only if a provisioning fails, which must not happen"),
    ("POST", "/users", "the same use case as in the path of the tenant"),
    ("PATCH", "/users/{id}", "the same use case as in the path of the tenant"),
];
