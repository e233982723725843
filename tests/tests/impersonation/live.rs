//! Services accept the token of a live impersonation only: whatever Redis loses, no impersonation that has ended is revived,
//! and an end takes effect soon after an outage.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use relay_events::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    revocations::{
        live_list::{self, LiveList},
        reassert,
        store::live::list_unexpired,
    },
    types::SuperAdminRole,
    worker::invoke,
};
use tests::{
    api::answer,
    proxy::{Held, Mode, Proxy},
    until,
};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    stage::{ImpersonationStage, claims, id, request, request_with},
    verifier::{Relaying, accepts, relay_at, tick},
};

/// How many may be started per super-admin and minute.
const STARTS: usize = 10;

/// A stage whose API uses a database of Redis that no other test uses, so that it can be flushed.
async fn with_database(number: u8) -> (ImpersonationStage, RedisConfig) {
    let RedisConfig { url, ca_file, timeout } = RedisConfig::from_env().unwrap();
    let mut url = reqwest::Url::parse(secrecy::ExposeSecret::expose_secret(&url)).unwrap();
    url.set_path(&number.to_string());
    let config = RedisConfig { url: String::from(url).into(), ca_file, timeout };
    flush(&config).await;
    let stage = ImpersonationStage::with(|_, mut parts| {
        parts.redis = config.clone();
        parts
    })
    .await;
    (stage, config)
}

async fn flush(config: &RedisConfig) {
    Redis::connect(config).unwrap().query::<()>(&redis::cmd("FLUSHDB")).await.unwrap();
}

/// The API behind a proxy in front of Redis, with the real Redis and the one behind the proxy.
async fn behind_a_proxy() -> (ImpersonationStage, Proxy, Redis, RedisConfig) {
    let real = RedisConfig::from_env().unwrap();
    let (proxy, url) = Proxy::before(&real.url).await;
    let behind = RedisConfig { url, ca_file: None, timeout: Duration::from_millis(500) };
    let stage = ImpersonationStage::with(|_, mut parts| {
        parts.redis = behind.clone();
        parts
    })
    .await;
    (stage, proxy, Redis::connect(&real).unwrap(), behind)
}

/// Starts impersonations of as many users, by as many super-admins as the rate limit needs. Returns the tokens.
async fn start_many(stage: &ImpersonationStage, count: usize) -> Vec<String> {
    let tenant = stage.tenant().await;
    let mut requests = Vec::new();
    for number in 0..count {
        if number % STARTS == 0 {
            requests.push((stage.super_admin(SuperAdminRole::Operator).await.1, Vec::new()));
        }
        let user = Uuid::now_v7();
        stage.add_user(&tenant, user, &format!("{user}@kopi.example")).await;
        requests.last_mut().unwrap().1.push(request_with(&tenant, |body| body["user_id"] = json!(user)));
    }
    let started = stream::iter(&requests).map(async |(bearer, bodies)| {
        let mut tokens = Vec::new();
        for body in bodies {
            let started = stage.ask_as(bearer, body).await;
            assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
            tokens.push(started.json["token"].as_str().unwrap().to_owned());
        }
        tokens
    });
    started.buffered(4).collect::<Vec<_>>().await.concat()
}

/// Which of the tokens a service accepts.
async fn accepted<'a>(redis: &Redis, tokens: &'a [String]) -> HashSet<&'a str> {
    let mut accepted = HashSet::new();
    for token in tokens {
        if accepts(redis, &claims(token)).await {
            accepted.insert(token.as_str());
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_of_redis_all_live_impersonations_come_back_and_none_that_had_ended() {
    let (stage, config) = with_database(15).await;
    let redis = Arc::new(Redis::connect(&config).unwrap());
    let tokens = start_many(&stage, 120).await;
    let (ended, live) = tokens.split_at(20);
    for token in ended {
        let sid = claims(token)["sid"].as_str().unwrap().to_owned();
        assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(accepted(&redis, &tokens).await, live.iter().map(String::as_str).collect());
    // A service that asks all the time never accepts an ended one.
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let asking = tokio::spawn({
        let (redis, ended, stop, asked) = (Arc::clone(&redis), ended.to_vec(), Arc::clone(&stop), Arc::clone(&asked));
        async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(accepted(&redis, &ended).await, HashSet::new(), "an ended impersonation was revived");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    });

    flush(&config).await;

    assert_eq!(accepted(&redis, &tokens).await, HashSet::new(), "a flush ends them");
    let relay = relay_at(&stage.world, &stage.world.topic(), &config);
    let begun = Instant::now();
    invoke(&relay, handle, tick()).await.unwrap();
    println!("{} impersonations were accepted again after {:?}", live.len(), begun.elapsed());
    assert_eq!(accepted(&redis, &tokens).await, live.iter().map(String::as_str).collect());
    let rounds = asked.load(Ordering::Relaxed);
    until("two further rounds", Duration::from_secs(10), async || asked.load(Ordering::Relaxed) > rounds + 2).await;
    stop.store(true, Ordering::Relaxed);
    asking.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_during_an_outage_of_redis_takes_effect_soon_after_it() {
    let (stage, proxy, redis, behind) = behind_a_proxy().await;
    let relaying = Relaying::start(&stage.world, relay_at(&stage.world, &stage.world.topic(), &behind));
    let tenant = stage.tenant().await;
    for mode in [Mode::Cut, Mode::Hang] {
        let started = stage.ask(&request(&tenant)).await.json;
        let token = claims(started["token"].as_str().unwrap());
        assert!(accepts(&redis, &token).await);
        proxy.set(mode);

        assert_eq!(stage.end(&id(&started)).await.status, StatusCode::NO_CONTENT);

        // The length of the outage.
        sleep(Duration::from_secs(3)).await;
        proxy.set(Mode::Pass);
        let late = until("the token is refused", Duration::from_secs(4), async || !accepts(&redis, &token).await).await;
        println!("{mode:?}: refused {late:?} after the outage");
    }
    drop(relaying);
}

/// Starts an impersonation in a tenant of its own. Returns its id and the claims of its token.
async fn start(stage: &ImpersonationStage) -> (String, Value) {
    let started = stage.start(&stage.tenant().await).await;
    (id(&started), claims(started["token"].as_str().unwrap()))
}

#[tokio::test]
async fn a_reassertion_that_read_an_impersonation_before_its_end_does_not_revive_it() {
    let (stage, config) = with_database(10).await;
    let (redis, list) = (Redis::connect(&config).unwrap(), LiveList::new(Redis::connect(&config).unwrap()));
    let platform = stage.world.api_pool().get().await.unwrap();
    for loses_data in [false, true] {
        let (sid, token) = start(&stage).await;
        let (_, other) = start(&stage).await;
        let generation = list.generation().await.unwrap();
        let read = list_unexpired(&platform).await.unwrap();
        assert!(read.iter().any(|one| one.is_live && one.impersonation.id.to_string() == sid));

        assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
        if loses_data {
            flush(&config).await;
        }
        let written = reassert::write(&list, &generation, &read).await.unwrap();

        assert_eq!(written, (!loses_data).then_some(0));
        assert!(!accepts(&redis, &token).await);
        assert_eq!(accepts(&redis, &other).await, !loses_data);
        // The next one begins with the new generation, and restores the other one.
        let restored = reassert::reassert(&platform, &list).await.unwrap();
        assert_eq!(restored, if loses_data { 2 } else { 0 }, "those of both rounds that are live");
        assert!(!accepts(&redis, &token).await && accepts(&redis, &other).await);
    }
}

#[tokio::test]
async fn an_end_after_a_reassertion_takes_effect() {
    let (stage, config) = with_database(11).await;
    let (redis, list) = (Redis::connect(&config).unwrap(), LiveList::new(Redis::connect(&config).unwrap()));
    let (sid, token) = start(&stage).await;
    flush(&config).await;
    let platform = stage.world.api_pool().get().await.unwrap();
    assert_eq!(reassert::reassert(&platform, &list).await.unwrap(), 1);
    assert!(accepts(&redis, &token).await);
    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    assert!(!accepts(&redis, &token).await);
}

#[tokio::test]
async fn the_next_reassertion_repeats_an_end_that_a_failover_has_lost() {
    let (stage, config) = with_database(12).await;
    let (redis, list) = (Redis::connect(&config).unwrap(), LiveList::new(Redis::connect(&config).unwrap()));
    let (sid, token) = start(&stage).await;
    let value: String = redis.query(redis::cmd("GET").arg(live_list::key(&sid))).await.unwrap();
    stage.end(&sid).await;
    // The state of a replica that has not received the end.
    redis.query::<()>(redis::cmd("SET").arg(live_list::key(&sid)).arg(value)).await.unwrap();
    redis.query::<()>(redis::cmd("DEL").arg(live_list::denial_key(&sid))).await.unwrap();
    assert!(accepts(&redis, &token).await);

    let platform = stage.world.api_pool().get().await.unwrap();
    assert_eq!(reassert::reassert(&platform, &list).await.unwrap(), 0);

    assert!(!accepts(&redis, &token).await);
}

#[tokio::test]
async fn the_live_list_follows_the_state_of_tenant_and_super_admin_and_ends_with_the_token() {
    let (stage, config) = with_database(13).await;
    let redis = Redis::connect(&config).unwrap();
    let (sid, token) = start(&stage).await;
    let seconds: i64 = redis.query(redis::cmd("TTL").arg(live_list::key(&sid))).await.unwrap();
    assert!((1700..=1800).contains(&seconds), "until the token expires: {seconds}");
    let platform = stage.world.api_pool().get().await.unwrap();
    let list = LiveList::new(Redis::connect(&config).unwrap());
    for (off, on) in [
        ("UPDATE tenants SET status = 'suspended'", "UPDATE tenants SET status = 'active'"),
        ("UPDATE super_admins SET disabled_at = now()", "UPDATE super_admins SET disabled_at = NULL"),
    ] {
        stage.sql(off).await;
        reassert::reassert(&platform, &list).await.unwrap();
        assert!(!accepts(&redis, &token).await, "{off}");
        stage.sql(on).await;
        reassert::reassert(&platform, &list).await.unwrap();
        assert!(accepts(&redis, &token).await, "{on}");
    }
    // The token of another user with the same `sid`, as a stolen signing key could sign it.
    let mut forged = token;
    forged["sub"] = json!(Uuid::now_v7());
    assert!(!accepts(&redis, &forged).await);
}

#[tokio::test]
async fn no_token_is_issued_if_services_could_not_learn_that_its_impersonation_is_live() {
    let (stage, proxy, _, _) = behind_a_proxy().await;
    let tenant = stage.tenant().await;
    // Reading the generation works, adding the impersonation hangs.
    proxy.hang_at("impersonation:live:", Held::Request);
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty());
    let list = stage.api.get("/impersonations").await.json;
    assert_eq!([&list[0]["live"], &list[0]["end_reason"]], [&json!(false), &json!("not_recorded")]);
    assert_eq!(stage.outcomes("impersonation.start").await, ["intended"]);
    proxy.set(Mode::Pass);

    stage.sql("UPDATE tenant_changes SET due_at = now()").await;
    let relay = relay_at(&stage.world, &stage.world.topic(), &RedisConfig::from_env().unwrap());
    let report = invoke(&relay, handle, tick()).await.unwrap();

    assert_eq!([&report["changes_settled"], &report["impersonations_restored"]], [1, 0]);
    assert!(stage.record(&tenant, &id(&list[0])).await.unwrap().4, "the tenant's record shows the end");
    stage.start(&tenant).await;
}

#[tokio::test]
async fn a_repeated_request_gets_a_token_that_services_accept_although_redis_has_lost_its_data() {
    let (stage, config) = with_database(14).await;
    let redis = Redis::connect(&config).unwrap();
    let tenant = stage.tenant().await;
    let ask = async || {
        let ask = stage.api.request(Method::POST, "/impersonations").header("idempotency-key", "k-1");
        let answer = answer(ask.json(&request(&tenant))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        claims(answer.json["token"].as_str().unwrap())
    };
    let first = ask().await;
    flush(&config).await;
    assert!(!accepts(&redis, &first).await);
    assert_eq!(ask().await, first);
    assert!(accepts(&redis, &first).await);
}
