//! The platform database against itself: operations, open changes, schemas, and the ledger against the tenants.

use crate::{
    error::Result,
    reconciliation::{checks::PAGE, run::Check, store::compare},
};

pub(in crate::reconciliation) async fn run(check: &Check<'_>) -> Result<i64> {
    let client = check.reconciler.platform.get().await?;
    let found = compare::list_contradictions(&client, check.reconciler.newest_schema, PAGE).await?;
    let compared = compare::count_ledger(&client).await?;
    drop(client);
    check.add(found).await?;
    Ok(compared)
}
