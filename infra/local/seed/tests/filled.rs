//! Filling real stores, by the program and by the library.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use redis::Script;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use seed::{
    health,
    tenants::{self, TenantOptions},
    users::{self, TargetTenant},
};
use shared::{
    clients::{postgres::connect_once, redis::Redis},
    config::{FromEnv, PostgresConfig, RedisConfig},
    tenants::{TENANT_SCHEMA_VERSION, TenantName, tenant_template},
    types::{Slug, TenantId},
};
use tests::{Api, World};
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

/// A connection as the owner, with a longer time limit, as the program has.
async fn owner(world: &World) -> Client {
    let config = PostgresConfig { statement_timeout: Duration::from_mins(1), ..world.owner() };
    connect_once(&config, None).await.unwrap()
}

fn redis() -> Redis {
    Redis::connect(&RedisConfig { timeout: Duration::from_secs(10), ..RedisConfig::from_env().unwrap() }).unwrap()
}

async fn fill(world: &World, count: usize) -> seed::WrittenRows {
    let mut total = 0;
    let options = TenantOptions { count, history: true, users: 3 };
    let written = tenants::fill(&mut owner(world).await, Some(&redis()), options, |done| total += done).await.unwrap();
    assert_eq!(total, count);
    written
}

/// Fails if the rows are in a state that no function leaves behind.
async fn assert_consistent(world: &World) {
    for (problem, wrong) in [
        ("tenant without usage", "SELECT FROM tenants WHERE id NOT IN (SELECT tenant_id FROM tenant_usage)"),
        ("tenant without an operation", "SELECT FROM tenants WHERE id NOT IN (SELECT tenant_id FROM operations)"),
        (
            "operation without all steps",
            "SELECT FROM operations AS o
            WHERE 6 <> (SELECT count(*) FROM operation_steps AS s WHERE s.operation_id = o.id)",
        ),
        (
            "unfinished operation",
            "SELECT FROM operations WHERE finished_at IS NULL OR finished_at > now() OR finished_at < created_at",
        ),
        (
            "status differs from the last operation",
            "SELECT FROM tenants AS t
            WHERE (status = 'failed') <> ('failed' = (
                SELECT status FROM operations WHERE tenant_id = t.id ORDER BY created_at DESC LIMIT 1))",
        ),
        (
            "failed tenant without its pending admin, or the reverse",
            "SELECT FROM tenants AS t
            WHERE (status = 'failed') <> EXISTS (SELECT FROM pending_admins WHERE tenant_id = t.id)",
        ),
        (
            "revision without an audit entry",
            "SELECT FROM tenants AS t
            WHERE revision <> (SELECT count(*) FROM audit WHERE tenant_id = t.id)",
        ),
        (
            "tenant with a placement",
            "SELECT FROM tenants WHERE postgres_cluster IS NOT NULL OR mongo_cluster IS NOT NULL",
        ),
        (
            "measurement due without databases",
            "SELECT FROM tenant_usage JOIN tenants ON id = tenant_id
            WHERE status <> 'failed' AND due_at <> 'infinity'",
        ),
        (
            "time in the future",
            "SELECT FROM tenants JOIN tenant_usage ON id = tenant_id
            WHERE created_at > updated_at OR updated_at > now() OR measured_at > now() OR failed_at > now()",
        ),
        (
            "tenant without its three users in the directory, or a failed one with any",
            "SELECT FROM tenants AS t
            WHERE (SELECT count(*) FROM user_directory WHERE tenant_id = t.id) <> CASE status WHEN 'failed' THEN 0 ELSE 3 END",
        ),
        ("undelivered event", "SELECT FROM outbox"),
    ] {
        assert_eq!(world.count(wrong).await, 0, "{problem}");
    }
}

#[tokio::test]
async fn tenants_are_consistent_and_of_every_kind_and_a_second_run_adds_more() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    let written = fill(&world, 1_200).await;
    assert_eq!((written.of("tenants"), written.of("usage")), (1_200, 1_200));
    assert_consistent(&world).await;
    let count = async |condition: &str| {
        let joined = "SELECT FROM tenants JOIN tenant_usage ON id = tenant_id WHERE";
        world.count(&format!("{joined} {condition}")).await
    };
    for kind in [
        "status = 'active'",
        "status = 'suspended'",
        "status = 'failed'",
        "country = 'ID'",
        "max_contacts IS NULL",
        "measured_at IS NULL AND status = 'active'",
        "error IS NOT NULL AND agents IS NOT NULL",
        "agents > max_agents",
        "greatest(messages_measured, messages_counted) > max_messages_month",
        "messages_counted > messages_measured",
        "'whatsapp' = ANY (channels)",
    ] {
        assert!(count(kind).await > 0, "{kind}");
    }
    assert!(count("measured_at > now() - interval '16 minutes'").await > 900);

    fill(&world, 300).await;
    assert_consistent(&world).await;
    assert_eq!(count("true").await, 1_500);
    for row in world.client().await.query("SELECT name, slug FROM tenants", &[]).await.unwrap() {
        assert!(TenantName::parse(row.get(0)).is_ok() && Slug::parse(row.get(1)).is_ok(), "{row:?}");
    }
}

#[tokio::test]
async fn lists_return_every_generated_tenant_once() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    fill(&world, 700).await;
    let api = Api::of(&world).await;
    let mut ids = Vec::new();
    for list in ["/tenants?", "/tenants/usage?", "/tenants/usage?sort=-messages_month&", "/tenants/usage?sort=agents&"]
    {
        ids.clear();
        let mut path = format!("{list}limit=300");
        loop {
            let page = api.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            ids.extend(page.json.as_array().unwrap().iter().map(|tenant| tenant["id"].as_str().unwrap().to_owned()));
            let Some((_, rest)) = page.header("link").split_once("/api/super-admin") else { break };
            rest.split_once('>').unwrap().0.clone_into(&mut path);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 700, "{list}");
    }
    let operations = api.get(&format!("/tenants/{}/operations", ids[0])).await;
    assert_eq!(operations.json[0]["steps"].as_array().unwrap().len(), 6, "{}", operations.text);
}

#[tokio::test]
async fn live_counters_of_active_tenants_are_close_to_the_counted_messages() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    fill(&world, 200).await;
    let counted = "SELECT 'usage:' || tenant_id || ':' || to_char(month, 'YYYYMM') || ':messages', messages_counted
                   FROM tenant_usage JOIN tenants ON id = tenant_id
                   WHERE status = 'active' AND messages_counted > 0
                       AND month = date_trunc('month', now() AT TIME ZONE 'UTC')";
    let rows = world.client().await.query(counted, &[]).await.unwrap();
    assert!(rows.len() > 100);
    let script =
        Script::new("local found = redis.call('MGET', unpack(KEYS)); redis.call('DEL', unpack(KEYS)); return found");
    let mut call = script.prepare_invoke();
    for row in &rows {
        call.key(row.get::<_, String>(0));
    }
    let found: Vec<Option<i64>> = redis().run(&call).await.unwrap();
    for (row, live) in rows.iter().zip(found) {
        let (counted, live) = (row.get::<_, i64>(1), live.unwrap());
        assert!(live >= counted && live <= counted + counted / 200, "{row:?}: {live}");
    }
}

#[tokio::test]
async fn a_killed_run_leaves_complete_tenants_and_the_next_run_adds_more() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    let mut program = program(&world, &["--tenants", "500000"]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while world.count("SELECT FROM tenants").await < 2_000 {
        assert!(begun.elapsed() < Duration::from_mins(1) && program.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(20)).await;
    }
    program.kill().unwrap();
    program.wait().unwrap();
    // Wait until the server has closed the connection of the killed process, and with it the lock.
    let connected =
        format!("SELECT FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'ClientRead'", world.database);
    while world.count(&connected).await > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1));
        sleep(Duration::from_millis(50)).await;
    }
    assert_consistent(&world).await;
    let left = world.count("SELECT FROM tenants").await;
    fill(&world, 100).await;
    assert_eq!(world.count("SELECT FROM tenants").await, left + 100);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_second_run_at_the_same_time_is_refused() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    let mut first = owner(&world).await;
    let second = async {
        sleep(Duration::from_millis(300)).await;
        let options = TenantOptions { count: 10, history: true, users: 1 };
        tenants::fill(&mut owner(&world).await, None, options, drop).await
    };
    let options = TenantOptions { count: 3_000, history: true, users: 3 };
    let (first, second) = tokio::join!(tenants::fill(&mut first, None, options, drop), second);
    assert_eq!(first.unwrap().of("tenants"), 3_000);
    assert!(second.unwrap_err().to_string().contains("is running"));
}

#[tokio::test]
async fn health_is_filled_once_up_to_the_first_existing_sample() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    world
        .client()
        .await
        .batch_execute(
            "INSERT INTO health_samples (component, at, up) VALUES ('kafka', now() - interval '3 days', 1);
             INSERT INTO health_states (component, state, since, recent, sampled_at)
             VALUES ('kafka', 'down', now(), '{down,down,up}', now())",
        )
        .await
        .unwrap();
    let written = health::fill(&mut owner(&world).await).await.unwrap();
    assert!(written.of("health samples") > 20_000, "{written}");
    assert_eq!(world.count("SELECT DISTINCT component FROM health_samples").await, 11);
    assert_eq!(world.count("SELECT FROM health_states WHERE state = 'up' AND cardinality(recent) = 3").await, 10);
    let late =
        "SELECT FROM health_samples WHERE component = 'kafka' AND at > now() - interval '3 days' + interval '1 s'";
    assert_eq!(world.count(late).await, 0);
    let miscounted = "SELECT FROM health_samples WHERE up + degraded + down <> greatest(span_seconds / 60, 1)";
    assert_eq!(world.count(miscounted).await, 0);
    let odd = "SELECT FROM health_changes WHERE from_state = to_state OR at > now()";
    assert_eq!(world.count(odd).await, 0);
    assert_eq!(health::fill(&mut owner(&world).await).await.unwrap(), seed::WrittenRows::default());
}

#[tokio::test]
async fn users_are_added_to_a_tenant_and_its_measurement_becomes_due() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    let platform = owner(&world).await;
    let id = TenantId::generate();
    let database = tenant(&world, id).await;
    let target = TargetTenant::find(&platform, id).await.unwrap();
    let (clusters, config) = (world.postgres_clusters(), world.owner());
    let clusters = (&clusters, &config);
    let (first, _) = users::fill(&platform, &target, clusters, 3_000, drop).await.unwrap();
    let (second, active) = users::fill(&platform, &target, clusters, 500, drop).await.unwrap();
    assert_eq!((first.of("users"), second.of("users")), (3_000, 500));
    let inside = connect_once(&world.provisioner(), Some(&database)).await.unwrap();
    let count = async |condition: &str| -> i64 {
        inside.query_one(&format!("SELECT count(*) FROM users WHERE {condition}"), &[]).await.unwrap().get(0)
    };
    assert_eq!(count("true").await, 3_500);
    assert_eq!(count("status = 'active'").await, active);
    let found = tests::consistency::directory::of_tenant(&platform, id.0, &inside).await;
    assert!(found.is_empty(), "{found:#?}");
    for kind in [
        "status = 'deactivated'",
        "role = 'admin'",
        "role = 'supervisor'",
        "online_until > now()",
        "last_seen_at IS NULL",
    ] {
        assert!(count(kind).await > 0, "{kind}");
    }
    assert_eq!(count("status = 'deactivated' AND online_until > now()").await, 0);
    assert_eq!(count("email !~ '^[a-z0-9.-]+@[a-z0-9-]+\\.example$'").await, 0);
    assert_eq!(world.count("SELECT FROM tenant_usage WHERE due_at <= now()").await, 1);
    drop(inside);
    platform.batch_execute(&format!("DROP DATABASE {database}")).await.unwrap();
}

#[tokio::test]
async fn bad_input_is_refused_with_one_line_of_explanation() {
    let world = World::new().await;
    world.leaves_contradictions("generated tenants have neither databases nor events");
    let (suspended, generated) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let insert = format!(
        "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at) VALUES
         ('{suspended}', 'A', 'aa', 'suspended', 'a', 'ID', now(), now()),
         ('{generated}', 'B', 'bb', 'active', 'b', 'ID', now(), now())"
    );
    world.client().await.batch_execute(&insert).await.unwrap();
    let unknown = Uuid::now_v7().to_string();
    for (arguments, message) in [
        (vec![], "required"),
        (vec!["--tenants", "0"], "0 is not in 1..=1000000"),
        (vec!["--tenants", "1000000000"], "1000000000 is not in 1..=1000000"),
        (vec!["--tenants", "-5"], "'-5'"),
        (vec!["--tenants", "many"], "invalid digit"),
        (vec!["--users", "5"], "--tenant <ID>"),
        (vec!["--users", "0", "--tenant", &unknown], "0 is not in 1..=1000000"),
        (vec!["--users", "5", "--tenant", "kopi"], "must be a UUID"),
        (vec!["--users", "5", "--tenant", &unknown], "does not exist"),
        (vec!["--users", "5", "--tenant", &suspended], "is suspended"),
        (vec!["--tenants", "5", "--users", "5", "--tenant", &generated], "has no databases"),
        (vec!["--everything"], "--everything"),
    ] {
        let output = program(&world, &arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(message), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    }
    assert_eq!(world.count("SELECT FROM tenants").await, 2, "a refused run wrote rows");
}

/// The program with the platform database of a world.
fn program(world: &World, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_seed"));
    program.args(arguments).env("POSTGRES_URL", world.owner().url.expose_secret());
    program
}

/// Creates a tenant with a database of its own and returns the name of the database.
async fn tenant(world: &World, id: TenantId) -> String {
    let database = shared::tenants::new_database_name();
    let template = tenant_template(TENANT_SCHEMA_VERSION);
    let provisioner = connect_once(&world.provisioner(), None).await.unwrap();
    let create = format!("CREATE DATABASE {database} TEMPLATE {template} OWNER landlord_provisioner");
    provisioner.batch_execute(&create).await.unwrap();
    let insert = format!(
        "INSERT INTO tenants (id, name, slug, status, database_name, country, postgres_cluster, mongo_cluster,
                                    created_at, updated_at)
         VALUES ('{id}', 'Kopi', 'kopi', 'active', '{database}', 'ID', 'main', 'main', now(), now());
         UPDATE tenant_usage SET due_at = now() + interval '10 minutes'"
    );
    world.client().await.batch_execute(&insert).await.unwrap();
    database
}
