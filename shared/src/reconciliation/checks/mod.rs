//! The checks, one for each kind of store. Each returns how many things it has compared.

pub(super) mod dead_letters;
mod exports;
pub(super) mod mongodb;
pub(super) mod object_storage;
pub(super) mod platform;
pub(super) mod postgresql;
pub(super) mod redis;

use time::OffsetDateTime;

use crate::{
    error::Result,
    reconciliation::{
        FindingKind,
        run::Check,
        store::{
            compare::{self, Expected},
            findings::NewFinding,
        },
    },
};

/// Databases, or keys, that are compared at once.
const PAGE: i64 = 5000;

/// What the names of all tenants' databases begin with.
const DATABASE_PREFIX: &str = "tenant_";

fn missing(expected: Expected, subject: String) -> NewFinding {
    NewFinding {
        tenant_id: Some(expected.tenant_id),
        database_name: Some(expected.name),
        ..NewFinding::new(FindingKind::Missing, subject)
    }
}

/// Compares the databases that should exist on a cluster with those that do. `select_missing` returns those of a page of names that do
/// not exist.
async fn compare_expected<F: Future<Output = Result<Vec<String>>>>(
    check: &Check<'_>,
    observed_at: OffsetDateTime,
    select_missing: impl Fn(Vec<String>) -> F,
) -> Result<i64> {
    let platform = &check.reconciler.platform;
    let (mut after, mut compared) = (String::new(), 0);
    loop {
        let page = compare::list_expected(&platform.get().await?, check.part(), &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(compared) };
        after.clone_from(&last.name);
        compared += i64::try_from(page.len()).unwrap_or(i64::MAX);
        let names = select_missing(page.into_iter().map(|expected| expected.name).collect()).await?;
        if !names.is_empty() {
            // Some may have been given up since the page was read.
            let lacking =
                compare::list_still_expected(&platform.get().await?, check.part(), &names, observed_at).await?;
            check.add(lacking.into_iter().map(|one| missing(one.clone(), one.name)).collect()).await?;
        }
    }
}
