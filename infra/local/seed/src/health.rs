//! The health of the past month, thinned with age as `check-health` keeps it.

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
    Written,
    chance::{moment, percent},
    rows::{HealthChange, HealthSample, HealthState, copy},
};

/// The stores, without which nothing works, and how long each takes to answer, in microseconds.
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
/// All of them together.
const SYSTEM: (Component, u32) = (Component::System, 40_000);

const SAMPLE: Duration = Duration::minutes(1);
/// How old what is kept is at the most.
const KEPT: Duration = Duration::days(30);
/// From which age on several samples are kept in a row, and the time of such a row.
const THINNED: [(Duration, Duration); 2] =
    [(Duration::days(7), Duration::hours(1)), (Duration::days(1), Duration::minutes(10))];

/// A time in which a component was not well.
#[derive(Clone, Debug)]
struct Outage {
    component: Component,
    from: OffsetDateTime,
    to: OffsetDateTime,
    state: ComponentStatus,
}

/// Fills the time before the first sample of each component, back to 30 days ago. Where that is filled, nothing is added.
///
/// The connection is one of the platform database's owner.
pub async fn fill(client: &mut Client) -> Result<Written> {
    let mut rng: StdRng = rand::make_rng();
    let now = OffsetDateTime::now_utc();
    let first = first_samples(client).await?;
    let mut outages = Vec::new();
    for (component, _) in STORES.iter().chain(&SERVICES) {
        outages.extend(draw_outages(&mut rng, *component, now));
    }
    outages.sort_by_key(|outage| outage.from);
    let mut written = Written::default();
    for (component, micros) in STORES.into_iter().chain(SERVICES).chain([SYSTEM]) {
        let until = first.get(component.as_str()).copied().unwrap_or(now);
        let own: Vec<_> = outages.iter().filter_map(|outage| seen_by(component, outage)).collect();
        let samples = samples(&mut rng, component, micros, &own, (now, until));
        if samples.is_empty() {
            continue;
        }
        let changes = changes(component, &own, until);
        let since = changes.last().map_or(now - KEPT, |change| change.at);
        let transaction = client.transaction().await?;
        written.count("health samples", copy(&transaction, &samples).await?);
        written.count("health changes", copy(&transaction, &changes).await?);
        let known = "SELECT FROM health_states WHERE component = $1 FOR UPDATE";
        if transaction.query_opt(known, &[&component.as_str()]).await?.is_none() {
            let up = ComponentStatus::Up.as_str();
            let component = component.as_str();
            let state = HealthState { component, state: up, since, recent: vec![up; 3], sampled_at: until };
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

/// Some minutes each, all over by now.
fn draw_outages(rng: &mut impl Rng, component: Component, now: OffsetDateTime) -> Vec<Outage> {
    let mut outages: Vec<Outage> = (0..rng.random_range(0..4))
        .map(|_| {
            let from = moment(rng, now - KEPT, now - Duration::hours(2));
            let to = from + Duration::minutes(rng.random_range(4..60));
            Outage {
                component,
                from,
                to,
                state: if percent(rng, 60) { ComponentStatus::Down } else { ComponentStatus::Degraded },
            }
        })
        .collect();
    outages.sort_by_key(|outage| outage.from);
    // Two at once are one.
    outages.dedup_by(|later, earlier| later.from <= earlier.to + SAMPLE);
    outages
}

/// What an outage is for a component: its own, or, for the whole, what it makes of the whole.
fn seen_by(component: Component, outage: &Outage) -> Option<Outage> {
    let core = STORES.iter().any(|(store, _)| *store == outage.component);
    match component {
        Component::System if core => Some(Outage { component, ..outage.clone() }),
        Component::System => Some(Outage { component, state: ComponentStatus::Degraded, ..outage.clone() }),
        _ => (outage.component == component).then(|| outage.clone()),
    }
}

/// The worst that is the case at a time.
fn state_at(outages: &[Outage], at: OffsetDateTime) -> ComponentStatus {
    let found = outages.iter().filter(|outage| outage.from <= at && at < outage.to).map(|outage| outage.state);
    found.fold(ComponentStatus::Up, |worst, state| if worst == ComponentStatus::Down { worst } else { state })
}

/// Samples of each minute up to `until`, several in a row from an age on.
fn samples(
    rng: &mut impl Rng,
    component: Component,
    micros: u32,
    outages: &[Outage],
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> Vec<HealthSample> {
    let mut samples = Vec::new();
    let mut at = aligned(now - KEPT, THINNED[0].1) + THINNED[0].1;
    loop {
        let span =
            THINNED.iter().find(|(age, span)| at + *span <= now - *age).map_or(Duration::ZERO, |(_, span)| *span);
        let end = at + span.max(SAMPLE);
        if end > until {
            return samples;
        }
        let mut sample = HealthSample {
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
            at += SAMPLE;
        }
        if sample.up + sample.degraded > 0 {
            let slowed = if sample.degraded > 0 { 20 } else { 1 };
            let micros = rng.random_range(micros / 2..micros * 2) * slowed;
            sample.latency_ms = Some(Duration::microseconds(i64::from(micros)).as_seconds_f32() * 1_000.0);
        }
        samples.push(sample);
    }
}

/// A state is told from the second sample on that found it.
fn changes(component: Component, outages: &[Outage], until: OffsetDateTime) -> Vec<HealthChange> {
    let mut turns: Vec<_> = outages.iter().flat_map(|outage| [outage.from, outage.to]).collect();
    turns.sort_unstable();
    let mut changes = Vec::new();
    let mut state = ComponentStatus::Up;
    for turn in turns.into_iter().filter(|turn| *turn + SAMPLE < until) {
        let to = state_at(outages, turn);
        if to != state {
            changes.push(HealthChange {
                component: component.as_str(),
                at: turn + SAMPLE,
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
        ComponentStatus::Degraded => Some("slow responses"),
        ComponentStatus::Down => Some("no response in time"),
    }
}

/// The beginning of the row that a time falls into.
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
    fn the_older_samples_are_the_more_of_them_are_in_a_row_and_none_is_missing() {
        let samples = samples(&mut rand::rng(), Component::Redis, 400, &[], (now(), now()));
        let spans: Vec<_> = samples.iter().map(|sample| sample.span_seconds).collect();
        assert!(
            spans.is_sorted_by(|a, b| a >= b) && spans.contains(&3_600) && spans.contains(&600) && spans.contains(&0)
        );
        for pair in samples.windows(2) {
            let span = Duration::seconds(pair[0].span_seconds.into()).max(SAMPLE);
            assert_eq!(pair[0].at + span, pair[1].at);
            assert_eq!(i64::from(pair[0].up), span.whole_minutes());
        }
        assert!(samples.len() > 2_700 && samples.len() < 3_000, "{}", samples.len());
    }

    #[test]
    fn an_outage_is_in_the_samples_and_changes_the_state_there_and_back() {
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
    fn a_store_that_is_down_takes_the_whole_down_and_a_service_only_degrades_it() {
        let outage = |component| Outage { component, from: now(), to: now(), state: ComponentStatus::Down };
        assert_eq!(seen_by(Component::System, &outage(Component::Redis)).unwrap().state, ComponentStatus::Down);
        assert_eq!(seen_by(Component::System, &outage(SERVICES[2].0)).unwrap().state, ComponentStatus::Degraded);
        assert!(seen_by(Component::Kafka, &outage(Component::Redis)).is_none());
    }
}
