//! Old samples are merged into fewer rows, and the counts of each status are preserved.

use shared::health::{ThinningResult, thin_history};
use tests::World;
use time::OffsetDateTime;

/// One sample per minute of two components over `days` days, each tenth degraded and each hundredth down.
async fn fill(world: &World, days: i32) {
    let query = "INSERT INTO health_samples (component, at, up, degraded, down, latency_ms, error)
                 SELECT component, date_trunc('minute', now()) - n * interval '1 minute',
                        (n % 10 > 0)::integer, (n % 10 = 0 AND n % 100 > 0)::integer, (n % 100 = 0)::integer, n % 50,
                        CASE WHEN n % 10 = 0 THEN 'error ' || n END
                 FROM generate_series(1, $1 * 1440) AS n, unnest('{redis,kafka}'::text[]) AS component";
    world.client().await.execute(query, &[&days]).await.unwrap();
}

async fn run(world: &World, limit: i64) -> ThinningResult {
    let mut connection = world.api_pool().get().await.unwrap();
    thin_history(&mut connection, OffsetDateTime::now_utc(), limit).await.unwrap()
}

/// The number of rows, and of the samples that they represent: up, degraded, down.
async fn totals(world: &World, condition: &str) -> (i64, [i64; 3]) {
    let query = format!("SELECT count(*), sum(up), sum(degraded), sum(down) FROM health_samples WHERE {condition}");
    let row = world.client().await.query_one(&query, &[]).await.unwrap();
    (row.get(0), [row.get(1), row.get(2), row.get(3)])
}

#[tokio::test]
async fn thinning_preserves_counts_is_bounded_and_can_be_repeated() {
    let world = World::new().await;
    fill(&world, 40).await;
    let kept = "at >= date_trunc('hour', now()) - interval '29 days'";
    let (rows, before) = totals(&world, kept).await;

    // At most `limit` rows of each age.
    let first = run(&world, 500).await;
    assert!((500..=1000).contains(&first.merged), "{first:?}");
    assert_eq!(totals(&world, kept).await.1, before);

    let mut runs = 1;
    while run(&world, 20_000).await != ThinningResult::default() {
        runs += 1;
        assert!(runs < 50);
    }
    let (thin_rows, after) = totals(&world, kept).await;
    assert_eq!(after, before, "of {rows} rows {thin_rows} are left");
    // For each of two components: one day of minutes, six days of ten minutes, and the rest in hours.
    assert!((2 * 2750..2 * 2950).contains(&thin_rows), "{thin_rows}");
    let of = async |span: i32, condition: &str| {
        world.count(&format!("SELECT FROM health_samples WHERE span_seconds = {span} AND {condition}")).await
    };
    assert_eq!(of(0, "at < now() - interval '25 hours'").await, 0);
    assert_eq!(of(600, "at > now() - interval '24 hours'").await, 0);
    assert_eq!(of(600, "at < now() - interval '8 days'").await, 0);
    assert_eq!(of(3600, "at > now() - interval '7 days'").await, 0);
    assert_eq!(world.count("SELECT FROM health_samples WHERE at < now() - interval '31 days'").await, 0);
    assert_eq!(
        of(3600, "up + degraded + down <> 60 AND at > now() - interval '29 days' AND at < now() - interval '8 days'")
            .await,
        0
    );
    // A merged row has the slowest latency and the last error.
    let query = "SELECT max(latency_ms), bool_and(error LIKE 'error %') FROM health_samples WHERE span_seconds = 3600";
    let row = world.client().await.query_one(query, &[]).await.unwrap();
    assert_eq!((row.get::<_, f32>(0), row.get::<_, bool>(1)), (49.0, true));
    assert_eq!(run(&world, 20_000).await, ThinningResult::default());
}

#[tokio::test]
async fn a_late_sample_is_merged_into_the_row_of_its_time() {
    let world = World::new().await;
    fill(&world, 9).await;
    while run(&world, 20_000).await != ThinningResult::default() {}
    let (rows, before) = totals(&world, "true").await;
    let late = "INSERT INTO health_samples (component, at, down) VALUES
                ('redis', date_trunc('hour', now()) - interval '191 hours 30 minutes' + interval '7 seconds', 1),
                ('redis', date_trunc('hour', now()) - interval '49 hours 30 minutes' + interval '7 seconds', 1)";
    world.client().await.batch_execute(late).await.unwrap();
    while run(&world, 20_000).await != ThinningResult::default() {}
    let (rows_after, after) = totals(&world, "true").await;
    assert_eq!((rows_after, after), (rows, [before[0], before[1], before[2] + 2]));
}

#[tokio::test]
async fn changes_are_kept_as_long_as_samples() {
    let world = World::new().await;
    let insert = "INSERT INTO health_changes (component, at, from_state, to_state)
                  SELECT 'redis', now() - n * interval '1 day', 'up', 'down' FROM generate_series(1, 40) AS n";
    world.client().await.batch_execute(insert).await.unwrap();
    assert_eq!(run(&world, 4).await, ThinningResult { merged: 0, deleted: 4 });
    assert_eq!(run(&world, 100).await.deleted, 7);
    let oldest = "SELECT FROM health_changes WHERE at < now() - interval '30 days'";
    assert_eq!((world.count(oldest).await, world.count("SELECT FROM health_changes").await), (0, 29));
}
