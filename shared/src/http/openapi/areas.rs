//! The sections of the API's description, in order: its tags.

use utoipa::openapi::{Tag, tag::TagBuilder};

use crate::http::BASE_PATH;

/// A section. Its operations have paths that begin with one of `paths` after [`BASE_PATH`].
struct ApiSection {
    name: &'static str,
    description: &'static str,
    paths: &'static [&'static str],
}

/// The section of the events.
pub(super) const EVENTS: &str = "Events";

const SECTIONS: [ApiSection; 13] = [
    ApiSection {
        name: "Platform",
        description: "The platform as a whole: its figures, its clusters and its settings.",
        paths: &["/overview", "/clusters", "/settings"],
    },
    ApiSection {
        name: "Users",
        description: "The users of a tenant, who are stored in the tenant's own database.",
        paths: &["/users", "/tenants/{id}/users"],
    },
    ApiSection {
        name: "Exports",
        description: "Copies of tenants in files, and links to them.",
        paths: &["/tenants/{id}/exports"],
    },
    ApiSection {
        name: "Tenants",
        description: "The platform's customers: their settings and their usage.",
        paths: &["/tenants"],
    },
    ApiSection {
        name: "Operations",
        description: "Long-running work on the databases of tenants, step by step.",
        paths: &["/operations", "/tenants/{id}/operations"],
    },
    ApiSection {
        name: "Impersonation",
        description: "Acting as a user at the platform's services, with a reason and for a limited time.",
        paths: &["/impersonations", "/.well-known"],
    },
    ApiSection {
        name: "Super-admins",
        description: "The accounts that may use this API, and their roles.",
        paths: &["/admins"],
    },
    ApiSection { name: "Signing in", description: "Obtaining a bearer token.", paths: &["/auth"] },
    ApiSection { name: "Audit", description: "The record of changes and of refused requests.", paths: &["/audit"] },
    ApiSection {
        name: "Health",
        description: "The current health of the platform, and its history.",
        paths: &["/health"],
    },
    ApiSection {
        name: "Reconciliation",
        description: "Differences between what should be and what is in the stores and the queues, and their repair.",
        paths: &["/reconciliations", "/dead-letters"],
    },
    ApiSection {
        name: EVENTS,
        description: "What the platform's other services learn of changes: messages on a Kafka topic.",
        paths: &[],
    },
    ApiSection {
        name: "Documentation",
        description: "This document, as JSON and as a page, the description of the events, and the types of problems.",
        paths: &["/openapi.json", "/asyncapi.json", "/docs", "/problems"],
    },
];

/// The name of the section of a path.
pub(super) fn of_path(path: &str) -> Option<&'static str> {
    let own = path.strip_prefix(BASE_PATH).unwrap_or(path);
    let is_of =
        |section: &&ApiSection| section.paths.iter().any(|start| own.strip_prefix(start).is_some_and(is_at_boundary));
    SECTIONS.iter().find(is_of).map(|section| section.name)
}

fn is_at_boundary(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The tags of the sections that are used.
pub(super) fn tags(is_used: impl Fn(&str) -> bool) -> Vec<Tag> {
    let used = SECTIONS.iter().filter(|section| is_used(section.name));
    used.map(|section| TagBuilder::new().name(section.name).description(Some(section.description)).build()).collect()
}
