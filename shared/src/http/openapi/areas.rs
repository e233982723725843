//! The parts that the API is shown in, in their order.

use utoipa::openapi::{Tag, tag::TagBuilder};

use crate::http::BASE_PATH;

/// A part: its name, what it is about, and what the paths of its operations begin with behind [`BASE_PATH`].
struct Area {
    name: &'static str,
    description: &'static str,
    paths: &'static [&'static str],
}

const AREAS: [Area; 8] = [
    Area {
        name: "Tenants",
        description: "The tenants that are the platform's customers: what they are, what they use, and what is being \
            done to them.",
        paths: &["/tenants"],
    },
    Area { name: "Users", description: "The agents of a tenant, in the tenant's own database.", paths: &["/users"] },
    Area {
        name: "Impersonation",
        description: "Acting in an agent's name at the platform's services, for a reason and for a time.",
        paths: &["/impersonations", "/.well-known"],
    },
    Area { name: "Operators", description: "The super-admins, and what each of them may do.", paths: &["/admins"] },
    Area { name: "Signing in", description: "Getting a bearer token.", paths: &["/auth"] },
    Area { name: "Audit", description: "Who did what, and who was refused.", paths: &["/audit"] },
    Area { name: "Health", description: "How the platform is, and how it has been.", paths: &["/health"] },
    Area {
        name: "Documentation",
        description: "This document, for programs and for people.",
        paths: &["/openapi.json", "/docs"],
    },
];

/// The name of the part that a path belongs to.
pub(super) fn of_path(path: &str) -> Option<&'static str> {
    let own = path.strip_prefix(BASE_PATH).unwrap_or(path);
    let is_of = |area: &&Area| area.paths.iter().any(|start| own.strip_prefix(start).is_some_and(begins_anew));
    AREAS.iter().find(is_of).map(|area| area.name)
}

fn begins_anew(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Every part that `is_used`.
pub(super) fn tags(is_used: impl Fn(&str) -> bool) -> Vec<Tag> {
    let used = AREAS.iter().filter(|area| is_used(area.name));
    used.map(|area| TagBuilder::new().name(area.name).description(Some(area.description)).build()).collect()
}
