//! The usage of a tenant, as a measurement would have recorded it.

use rand::{Rng, RngExt, rngs::StdRng};
use shared::{
    tenants::{OnLimit, TenantStatus},
    types::{Limits, Month, TenantId},
    usage::{Figure, MeasurementError, ObservedUsage, Threshold},
};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Timestamp;

use crate::{
    counters::MessageCounter,
    random::{chance, choose, time_between, used_share, weighted},
    rows::{SeededDay, SeededTenant, SeededThreshold, SeededUsage},
    tenants::{batch::TenantBatch, run::SeedRun},
};

/// Stand-ins for the limits of unlimited tenants: users, contacts, messages.
const UNLIMITED: [i64; 3] = [800, 500_000, 2_000_000];
const ERRORS: [MeasurementError; 4] = [
    MeasurementError::PostgresqlUnavailable,
    MeasurementError::MongodbUnavailable,
    MeasurementError::ObjectStorageUnavailable,
    MeasurementError::DeadlineExceeded,
];
/// As many as a forecast is based on.
const DAYS: i64 = 30;
/// The size of a tenant's empty databases.
const EMPTY_BYTES: i64 = 9_000_000;

#[derive(Clone, Copy, Debug)]
enum MeasurementState {
    Current,
    Never,
    /// Measured once; the latest measurement failed.
    Failed,
}

/// Adds the usage to the batch, with the thresholds that it has reached and the live counter.
pub(super) fn write(run: &mut SeedRun, batch: &mut TenantBatch, tenant: &SeededTenant) {
    let (rng, now) = (&mut run.rng, run.now);
    // A generated tenant has no databases, so its next measurement is never due. A failed tenant is an exception: it gets
    // databases when it is retried.
    let failed = tenant.status == TenantStatus::Failed.as_str();
    let due_at = if failed { Timestamp::Value(now) } else { Timestamp::PosInfinity };
    let mut usage = unmeasured(tenant, due_at);
    let measured = if failed {
        MeasurementState::Never
    } else {
        weighted(rng, &[(95, MeasurementState::Current), (2, MeasurementState::Never), (3, MeasurementState::Failed)])
    };
    let active = tenant.status == TenantStatus::Active.as_str();
    match measured {
        MeasurementState::Current => {
            let ago = if active { Duration::minutes(15) } else { Duration::hours(24) };
            let at = time_between(rng, (now - ago).max(tenant.created_at), now);
            measure(rng, &mut usage, tenant, at);
        }
        MeasurementState::Failed => {
            let from = (now - Duration::days(45)).max(tenant.created_at);
            let at = time_between(rng, from, now - Duration::hours(1));
            measure(rng, &mut usage, tenant, at);
            usage.error = Some(choose(rng, &ERRORS).as_str());
            usage.failed_at = Some(time_between(rng, now - Duration::minutes(5), now));
        }
        MeasurementState::Never if active && chance(rng, 50) => {
            usage.month = Some(Month::of(now).first_day());
            usage.messages_counted = Some(rng.random_range(1..100));
        }
        MeasurementState::Never => {}
    }
    batch.thresholds.extend(thresholds(&usage, tenant));
    if run.takes_days() {
        batch.days.extend(days(&mut run.rng, &usage, tenant));
    }
    let rng = &mut run.rng;
    let month = Month::of(now);
    if let (true, Some(counted)) = (active && usage.month == Some(month.first_day()), usage.messages_counted) {
        let messages = counted + rng.random_range(0..=counted / 200);
        batch.counters.push(MessageCounter { tenant_id: TenantId(tenant.id), month, messages });
    }
    batch.usage.push(usage);
}

fn unmeasured(tenant: &SeededTenant, due_at: Timestamp<OffsetDateTime>) -> SeededUsage {
    SeededUsage {
        tenant_id: tenant.id,
        agents: None,
        agents_online: None,
        contacts: None,
        storage_bytes: None,
        channels: Vec::new(),
        month: None,
        messages_measured: None,
        messages_counted: None,
        measured_at: None,
        error: None,
        failed_at: None,
        due_at,
    }
}

fn measure(rng: &mut StdRng, usage: &mut SeededUsage, tenant: &SeededTenant, at: OffsetDateTime) {
    let limits = [tenant.max_agents, tenant.max_contacts, tenant.max_messages_month];
    let [agents, contacts, messages] =
        [0, 1, 2].map(|kind: usize| limits[kind].unwrap_or(UNLIMITED[kind]) * used_share(rng) / 1_000);
    let agents = agents.max(1);
    usage.agents = Some(agents);
    usage.agents_online = Some(agents * rng.random_range(0..700) / 1_000);
    usage.contacts = Some(contacts);
    usage.storage_bytes = Some(EMPTY_BYTES + contacts * 1_800 + messages * rng.random_range(900..9_000));
    usage.channels = channels(rng);
    usage.month = Some(Month::of(at).first_day());
    usage.messages_measured = Some(messages);
    // The two figures differ: deleted messages were counted but not measured, and new messages the other way round.
    usage.messages_counted = Some(messages * rng.random_range(970..1_030) / 1_000);
    usage.measured_at = Some(at);
}

/// The figures of the last days, the last of which are the present ones. On some days the tenant was not measured.
fn days(rng: &mut StdRng, usage: &SeededUsage, tenant: &SeededTenant) -> Vec<SeededDay> {
    let Some(measured_at) = usage.measured_at else { return Vec::new() };
    let growth = rng.random_range(0..12);
    let messages_per_day = usage.messages_measured.map(|messages| messages / i64::from(measured_at.day()));
    let since = tenant.created_at.max(measured_at - Duration::days(DAYS - 1));
    (0..DAYS)
        .map(|back| (back, measured_at - Duration::days(back)))
        .take_while(|(_, at)| *at >= since)
        .filter(|(back, _)| *back == 0 || !chance(rng, 3))
        .map(|(back, at)| {
            let before = |figure: Option<i64>| figure.map(|figure| figure * (1_000 - back * growth) / 1_000);
            SeededDay {
                tenant_id: tenant.id,
                day: at.date(),
                agents: before(usage.agents),
                contacts: before(usage.contacts),
                messages_month: messages_per_day.map(|messages| messages * i64::from(at.day())),
                storage_bytes: before(usage.storage_bytes),
                measured_at: at,
            }
        })
        .collect()
}

fn channels(rng: &mut impl Rng) -> Vec<&'static str> {
    let common = [("email", 60), ("instagram", 40), ("messenger", 35), ("whatsapp", 85)];
    common.into_iter().filter(|(_, percent)| chance(rng, *percent)).map(|(kind, _)| kind).collect()
}

/// The thresholds that the usage has reached, as already reported.
fn thresholds(usage: &SeededUsage, tenant: &SeededTenant) -> Vec<SeededThreshold> {
    let (Some(month), Some(reached_at)) = (usage.month.map(Month::with), usage.measured_at) else { return Vec::new() };
    let SeededTenant { max_agents, max_contacts, max_messages_month, .. } = *tenant;
    let limits = Limits { max_agents, max_contacts, max_messages_month };
    let figures = [
        (Figure::Agents, usage.agents),
        (Figure::Contacts, usage.contacts),
        (Figure::MessagesMonth, usage.messages_measured.max(usage.messages_counted)),
    ];
    let figures = figures.map(|(figure, value)| (figure, value.unwrap_or(0))).to_vec();
    let observed = ObservedUsage { tenant_id: TenantId(tenant.id), limits, on_limit: OnLimit::Notify, figures };
    Threshold::reached(&observed, month)
        .map(|threshold| SeededThreshold {
            tenant_id: tenant.id,
            month: month.first_day(),
            figure: threshold.figure.as_str(),
            percent: threshold.percent,
            reached_at,
        })
        .collect()
}
