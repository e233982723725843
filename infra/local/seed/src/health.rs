//! The health samples of the past month. Older samples are aggregated, as `check-health` does.

use std::collections::HashMap;

use rand::{Rng, RngExt, rngs::StdRng};
use shared::{
    error::Result,
    health::{Component, ComponentStatus},
    types::Microservice,
};
use time::{Duration, OffsetDateTime};
use tokio_postgres::Client;

use crate::{
    random::{chance, time_between},
    rows::{SeededHealthChange, SeededHealthSample, SeededHealthState, copy},
    written::WrittenRows,
};

/// The stores, which the whole system requires, with their usual latencies in microseconds.
const STORES: [(Component, u32); 6] = [
    (Component::PostgreSql, 900),
    (Component::MongoDb, 1_400),
    (Component::Redis, 400),
    (Component::Kafka, 3_000),
    (Component::Minio, 2_500),
    (Component::Sqs, 4_000),
];
/// The platform's own services.
const SERVICES: [(Component, u32); 4] = [
    (Component::Service(Microservice::WebhookIngestor), 6_000),
    (Component::Service(Microservice::WsServer), 5_000),
    (Component::Service(Microservice::AiAgent), 35_000),
    (Component::Service(Microservice::BillingService), 12_000),
];
/// The system as a whole.
const SYSTEM: (Component, u32) = (Component::System, 40_000);

const INTERVAL: Duration = Duration::minutes(1);
/// Retention of samples.
const RETENTION: Duration = Duration::days(30);
/// From each age, one row holds the samples of a span.
const AGGREGATED: [(Duration, Duration); 2] =
    [(Duration::days(7), Duration::hours(1)), (Duration::days(1), Duration::minutes(10))];

/// A time in which a component was down or degraded.
#[derive(Clone, Debug)]
struct Outage {
    component: Component,
    from: OffsetDateTime,
    to: OffsetDateTime,
    state: ComponentStatus,
}

/// Adds samples for the past 30 days up to the first existing sample of each component, so that a second run adds nothing.
///
/// The connection must be of the platform database's owner.
pub async fn fill(client: &mut Client) -> Result<WrittenRows> {
    let mut rng: StdRng = rand::make_rng();
    let now = OffsetDateTime::now_utc();
    let first = first_samples(client).await?;
    let mut outages = Vec::new();
    for (component, _) in STORES.iter().chain(&SERVICES) {
        outages.extend(draw_outages(&mut rng, *component, now));
    }
    outages.sort_by_key(|outage| outage.from);
    let mut written = WrittenRows::default();
    for (component, micros) in STORES.into_iter().chain(SERVICES).chain([SYSTEM]) {
        let until = first.get(component.as_str()).copied().unwrap_or(now);
        let own: Vec<_> = outages.iter().filter_map(|outage| effect_on(component, outage)).collect();
        let samples = samples(&mut rng, component, micros, &own, (now, until));
        if samples.is_empty() {
            continue;
        }
        let changes = changes(component, &own, until);
        let since = changes.last().map_or(now - RETENTION, |change| change.at);
        let transaction = client.transaction().await?;
        written.count("health samples", copy(&transaction, &samples).await?);
        written.count("health changes", copy(&transaction, &changes).await?);
        let existing = "SELECT FROM health_states WHERE component = $1 FOR UPDATE";
        if transaction.query_opt(existing, &[&component.as_str()]).await?.is_none() {
            let up = ComponentStatus::Up.as_str();
            let component = component.as_str();
            let state = SeededHealthState { component, state: up, since, recent: vec![up; 3], sampled_at: until };
            copy(&transaction, &[state]).await?;
        }
        transaction.commit().await?;
    }
    Ok(written)
}

async fn first_samples(client: &Client) -> Result<HashMap<String, OffsetDateTime>> {
    let rows = client.query("SELECT component, min(at) FROM health_samples GROUP BY component", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// A few outages of some minutes each, all in the past.
fn draw_outages(rng: &mut impl Rng, component: Component, now: OffsetDateTime) -> Vec<Outage> {
    let mut outages: Vec<Outage> = (0..rng.random_range(0..4))
        .map(|_| {
            let from = time_between(rng, now - RETENTION, now - Duration::hours(2));
            let to = from + Duration::minutes(rng.random_range(4..60));
            Outage {
                component,
                from,
                to,
                state: if chance(rng, 60) { ComponentStatus::Down } else { ComponentStatus::Degraded },
            }
        })
        .collect();
    outages.sort_by_key(|outage| outage.from);
    // Overlapping outages would repeat a state change.
    outages.dedup_by(|later, earlier| later.from <= earlier.to + INTERVAL);
    outages
}

/// The effect of an outage on a component: its own outages, and for the system those of all components.
fn effect_on(component: Component, outage: &Outage) -> Option<Outage> {
    let core = STORES.iter().any(|(store, _)| *store == outage.component);
    match component {
        Component::System if core => Some(Outage { component, ..outage.clone() }),
        Component::System => Some(Outage { component, state: ComponentStatus::Degraded, ..outage.clone() }),
        _ => (outage.component == component).then(|| outage.clone()),
    }
}

/// The worst state of the outages at that time.
fn state_at(outages: &[Outage], at: OffsetDateTime) -> ComponentStatus {
    let found = outages.iter().filter(|outage| outage.from <= at && at < outage.to).map(|outage| outage.state);
    found.fold(ComponentStatus::Up, |worst, state| if worst == ComponentStatus::Down { worst } else { state })
}

/// Samples of each minute up to `until`, aggregated by age.
fn samples(
    rng: &mut impl Rng,
    component: Component,
    micros: u32,
    outages: &[Outage],
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> Vec<SeededHealthSample> {
    let mut samples = Vec::new();
    let mut at = aligned(now - RETENTION, AGGREGATED[0].1) + AGGREGATED[0].1;
    loop {
        let span =
            AGGREGATED.iter().find(|(age, span)| at + *span <= now - *age).map_or(Duration::ZERO, |(_, span)| *span);
        let end = at + span.max(INTERVAL);
        if end > until {
            return samples;
        }
        let mut sample = SeededHealthSample {
            component: component.as_str(),
            at,
            span_seconds: i32::try_from(span.whole_seconds()).unwrap_or_default(),
            up: 0,
            degraded: 0,
            down: 0,
            latency_ms: None,
            error: None,
        };
        while at < end {
            let state = state_at(outages, at);
            match state {
                ComponentStatus::Up => sample.up += 1,
                ComponentStatus::Degraded => sample.degraded += 1,
                ComponentStatus::Down => sample.down += 1,
            }
            sample.error = error(state).or(sample.error);
            at += INTERVAL;
        }
        if sample.up + sample.degraded > 0 {
            let slowed = if sample.degraded > 0 { 20 } else { 1 };
            let micros = rng.random_range(micros / 2..micros * 2) * slowed;
            sample.latency_ms = Some(Duration::microseconds(i64::from(micros)).as_seconds_f32() * 1_000.0);
        }
        samples.push(sample);
    }
}

/// The state changes. A change is recorded at the second sample with the new state.
fn changes(component: Component, outages: &[Outage], until: OffsetDateTime) -> Vec<SeededHealthChange> {
    let mut boundaries: Vec<_> = outages.iter().flat_map(|outage| [outage.from, outage.to]).collect();
    boundaries.sort_unstable();
    let mut changes = Vec::new();
    let mut state = ComponentStatus::Up;
    for boundary in boundaries.into_iter().filter(|boundary| *boundary + INTERVAL < until) {
        let to = state_at(outages, boundary);
        if to != state {
            changes.push(SeededHealthChange {
                component: component.as_str(),
                at: boundary + INTERVAL,
                from_state: state.as_str(),
                to_state: to.as_str(),
                error: error(to),
            });
            state = to;
        }
    }
    changes
}

fn error(state: ComponentStatus) -> Option<&'static str> {
    match state {
        ComponentStatus::Up => None,
        ComponentStatus::Degraded => Some("slow response"),
        ComponentStatus::Down => Some("no response in time"),
    }
}

/// The start of the span that contains a time.
fn aligned(at: OffsetDateTime, span: Duration) -> OffsetDateTime {
    at - Duration::seconds(at.unix_timestamp() % span.whole_seconds()) - Duration::nanoseconds(at.nanosecond().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_790_000_123).unwrap()
    }

    #[test]
    fn older_samples_are_aggregated_over_longer_spans_without_gaps() {
        let samples = samples(&mut rand::rng(), Component::Redis, 400, &[], (now(), now()));
        let spans: Vec<_> = samples.iter().map(|sample| sample.span_seconds).collect();
        assert!(
            spans.is_sorted_by(|a, b| a >= b) && spans.contains(&3_600) && spans.contains(&600) && spans.contains(&0)
        );
        for pair in samples.windows(2) {
            let span = Duration::seconds(pair[0].span_seconds.into()).max(INTERVAL);
            assert_eq!(pair[0].at + span, pair[1].at);
            assert_eq!(i64::from(pair[0].up), span.whole_minutes());
        }
        assert!(samples.len() > 2_700 && samples.len() < 3_000, "{}", samples.len());
    }

    #[test]
    fn an_outage_changes_the_state_twice_and_is_in_the_samples() {
        let from = now() - Duration::hours(5);
        let outages = [Outage {
            component: Component::Kafka,
            from,
            to: from + Duration::minutes(7),
            state: ComponentStatus::Down,
        }];
        let samples = samples(&mut rand::rng(), Component::Kafka, 400, &outages, (now(), now()));
        assert_eq!(samples.iter().map(|sample| sample.down).sum::<i32>(), 7);
        let changes = changes(Component::Kafka, &outages, now());
        assert_eq!(
            changes.iter().map(|change| (change.from_state, change.to_state)).collect::<Vec<_>>(),
            [("up", "down"), ("down", "up")]
        );
    }

    #[test]
    fn the_system_is_down_with_a_store_and_degraded_with_a_service() {
        let outage = |component| Outage { component, from: now(), to: now(), state: ComponentStatus::Down };
        assert_eq!(effect_on(Component::System, &outage(Component::Redis)).unwrap().state, ComponentStatus::Down);
        assert_eq!(effect_on(Component::System, &outage(SERVICES[2].0)).unwrap().state, ComponentStatus::Degraded);
        assert!(effect_on(Component::Kafka, &outage(Component::Redis)).is_none());
    }
}
