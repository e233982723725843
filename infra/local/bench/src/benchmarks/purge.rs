//! Tenants deleted and purged: from the first DELETE to the last receipt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use crate::{
    benchmarks::{
        table::{head, heading, row},
        tenant_database_floor::TenantDatabaseFloor,
    },
    error::Result,
    measure::{
        request::{body, event},
        runtime::Function,
        samples::{Samples, ms},
    },
    platform::{
        filled_tenants::{CONTACTS, FilledTenants, MESSAGES, OBJECTS, USERS},
        instance::BenchPlatform,
    },
    report::BenchReport,
};

const TENANTS: usize = 100;
const PROCESSES: usize = 4;
/// Removals of a tenant's databases without anything around it.
const FLOORS: usize = 20;
const PURGE_TIMEOUT: Duration = Duration::from_mins(5);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading(&format!(
        "{TENANTS} tenants deleted and purged, each with {USERS} users, {CONTACTS} contacts, {MESSAGES} messages this month, {OBJECTS} objects"
    ));
    let tenants = FilledTenants::create(platform, "purged", TENANTS).await?;
    let floor = TenantDatabaseFloor::of(platform).await?;
    let mut dropped = Samples::default();
    for _ in 0..FLOORS {
        dropped.push(floor.remove().await?);
    }
    let database = platform.stores.connect_owner().await?;
    let slugs = "SELECT id, slug FROM tenants WHERE id = ANY($1)";
    let function = Arc::new(Function::start(&platform.program("delete-tenant"), PROCESSES).await?);
    let mut requests: JoinSet<Result<Duration>> = JoinSet::new();
    let rows = database.query(slugs, &[&tenants.ids]).await?;
    let begun = Instant::now();
    for tenant in &rows {
        let (id, slug): (Uuid, String) = (tenant.try_get(0)?, tenant.try_get(1)?);
        let deletion = json!({ "reason": "Measures the purge", "recovery_days": 0 });
        let query = format!("confirm={slug}");
        let request = event(&platform.token, "DELETE", &format!("/tenants/{id}"), &query, Some(&deletion));
        let function = Arc::clone(&function);
        requests.spawn(async move {
            let result = function.invoke(request).await?;
            body(&result, 202)?;
            Ok(result.took)
        });
    }
    let mut accepted = Samples::default();
    while let Some(took) = requests.join_next().await {
        accepted.push(took??);
    }
    let purged = "SELECT count(*) FROM tenants t JOIN tenant_receipts r ON r.tenant_id = t.id
                  WHERE t.id = ANY($1) AND t.status = 'deleted'";
    loop {
        let count: i64 = database.query_one(purged, &[&tenants.ids]).await?.try_get(0)?;
        if usize::try_from(count)? == TENANTS {
            break;
        }
        if begun.elapsed() > PURGE_TIMEOUT {
            return Err(
                format!("{count} of {TENANTS} tenants are purged: see .local/log/bench-provision-tenant.log").into()
            );
        }
        sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    head();
    row("databases dropped, nothing else", &dropped);
    row("DELETE", &accepted);
    let rate = f64::from(u32::try_from(TENANTS)?) / took.as_secs_f64();
    println!("{TENANTS} tenants: purged {} after the first DELETE", ms(took));
    let floor = format!("{:.1} tenants/s", 1.0 / dropped.p50().as_secs_f64());
    report.without_goal("purge of 100 tenants, rate", &floor, &format!("{rate:.1} tenants/s"));
    Ok(())
}
