//! What a tenant uses of its limits, as a measurement would have found it.

use rand::{Rng, RngExt, rngs::StdRng};
use shared::{
    tenants::TenantStatus,
    types::{Limits, Month, TenantId},
    usage::{Figure, MeasurementError},
};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::Timestamp;

use super::{Run, batch::Batch};
use crate::{
    chance::{any, moment, percent, pick, share},
    counters::Counter,
    rows::{Organization, Threshold, Usage},
};

/// What tenants without a limit have about as much of as others have for a limit.
const UNLIMITED: [i64; 3] = [800, 500_000, 2_000_000];
/// Why measurements fail.
const ERRORS: [MeasurementError; 4] = [
    MeasurementError::PostgresqlUnavailable,
    MeasurementError::MongodbUnavailable,
    MeasurementError::ObjectStorageUnavailable,
    MeasurementError::DeadlineExceeded,
];
/// Empty databases of a tenant take about this much.
const EMPTY_BYTES: i64 = 9_000_000;

/// How the last measurements of a tenant went.
#[derive(Clone, Copy, Debug)]
enum Measured {
    Lately,
    Never,
    /// Once; the last one failed.
    Formerly,
}

/// Adds the usage to the batch, with the thresholds that it has passed and the live counter that goes with it.
pub(super) fn write(run: &mut Run, batch: &mut Batch, organization: &Organization) {
    let (rng, now) = (&mut run.rng, run.now);
    // Without databases nothing is ever measured, so that the next measurement cannot be due: but a tenant that failed
    // gets databases when it is retried.
    let failed = organization.status == TenantStatus::Failed.as_str();
    let due_at = if failed { Timestamp::Value(now) } else { Timestamp::PosInfinity };
    let mut usage = unmeasured(organization, due_at);
    let measured = if failed {
        Measured::Never
    } else {
        pick(rng, &[(95, Measured::Lately), (2, Measured::Never), (3, Measured::Formerly)])
    };
    let active = organization.status == TenantStatus::Active.as_str();
    match measured {
        Measured::Lately => {
            let ago = if active { Duration::minutes(15) } else { Duration::hours(24) };
            let at = moment(rng, (now - ago).max(organization.created_at), now);
            measure(rng, &mut usage, organization, at);
        }
        Measured::Formerly => {
            let from = (now - Duration::days(45)).max(organization.created_at);
            let at = moment(rng, from, now - Duration::hours(1));
            measure(rng, &mut usage, organization, at);
            usage.error = Some(any(rng, &ERRORS).as_str());
            usage.failed_at = Some(moment(rng, now - Duration::minutes(5), now));
        }
        Measured::Never if active && percent(rng, 50) => {
            usage.month = Some(Month::of(now).first_day());
            usage.messages_counted = Some(rng.random_range(1..100));
        }
        Measured::Never => {}
    }
    batch.thresholds.extend(thresholds(&usage, organization));
    let month = Month::of(now);
    if let (true, Some(counted)) = (active && usage.month == Some(month.first_day()), usage.messages_counted) {
        let messages = counted + rng.random_range(0..=counted / 200);
        batch.counters.push(Counter { tenant_id: TenantId(organization.id), month, messages });
    }
    batch.usage.push(usage);
}

fn unmeasured(organization: &Organization, due_at: Timestamp<OffsetDateTime>) -> Usage {
    Usage {
        tenant_id: organization.id,
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

fn measure(rng: &mut StdRng, usage: &mut Usage, organization: &Organization, at: OffsetDateTime) {
    let limits = [organization.max_agents, organization.max_contacts, organization.max_messages_month];
    let [agents, contacts, messages] =
        [0, 1, 2].map(|kind: usize| limits[kind].unwrap_or(UNLIMITED[kind]) * share(rng) / 1_000);
    let agents = agents.max(1);
    usage.agents = Some(agents);
    usage.agents_online = Some(agents * rng.random_range(0..700) / 1_000);
    usage.contacts = Some(contacts);
    usage.storage_bytes = Some(EMPTY_BYTES + contacts * 1_800 + messages * rng.random_range(900..9_000));
    usage.channels = channels(rng);
    usage.month = Some(Month::of(at).first_day());
    usage.messages_measured = Some(messages);
    // Messages that were deleted since were counted too; messages since the measurement were not measured.
    usage.messages_counted = Some(messages * rng.random_range(970..1_030) / 1_000);
    usage.measured_at = Some(at);
}

fn channels(rng: &mut impl Rng) -> Vec<&'static str> {
    let common = [("email", 60), ("instagram", 40), ("messenger", 35), ("whatsapp", 85)];
    common.into_iter().filter(|(_, chance)| percent(rng, *chance)).map(|(kind, _)| kind).collect()
}

/// The thresholds that were passed and have been told of.
fn thresholds(usage: &Usage, organization: &Organization) -> Vec<Threshold> {
    let (Some(month), Some(reached_at)) = (usage.month.map(Month::with), usage.measured_at) else { return Vec::new() };
    let Organization { max_agents, max_contacts, max_messages_month, .. } = *organization;
    let limits = Limits { max_agents, max_contacts, max_messages_month };
    let figures = [
        (Figure::Agents, usage.agents),
        (Figure::Contacts, usage.contacts),
        (Figure::MessagesMonth, usage.messages_measured.max(usage.messages_counted)),
    ];
    let figures = figures.map(|(figure, value)| (figure, value.unwrap_or(0)));
    shared::usage::Threshold::reached(TenantId(organization.id), month, &limits, &figures)
        .map(|threshold| Threshold {
            tenant_id: organization.id,
            month: month.first_day(),
            figure: threshold.figure.as_str(),
            percent: threshold.percent,
            reached_at,
        })
        .collect()
}
