//! What a test has created is removed after it, and what a killed process has left is removed when the next one starts.

use std::{process::Command, time::Duration};

use mongodb::bson::doc;
use rdkafka::{
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer,
};
use secrecy::SecretString;
use shared::{
    clients::{kafka, postgres::connect_once, s3::Bucket},
    config::{FromEnv, KafkaConfig, PostgresConfig, S3Config},
    tenants::TENANT_SCHEMA_VERSION,
    types::TenantId,
};
use tests::{TestTenant, World, mongo_logins, platform::mongo, queues, until};
use tokio_postgres::Client;

/// The databases, objects, queues and topics whose names contain one of these texts.
async fn existing(owner: &Client, texts: &[&str]) -> Vec<String> {
    let is_one = |name: &str| texts.iter().any(|text| name.contains(text));
    let databases = owner.query("SELECT datname FROM pg_database", &[]).await.unwrap();
    let mut names: Vec<String> = databases.iter().map(|row| row.get(0)).collect();
    names.extend(mongo().await.list_database_names().await.unwrap());
    names.extend(mongo_logins::databases(&mongo().await).await.unwrap());
    names.extend(queues::client().await.list_queues().send().await.unwrap().queue_urls.unwrap_or_default());
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    let mut pages = bucket.client().await.list_objects_v2().bucket(&bucket.name).into_paginator().send();
    while let Some(page) = pages.next().await {
        names.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    let consumer = kafka::consumer(&KafkaConfig::from_env().unwrap(), kafka::Isolation::Committed).unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(20)).unwrap();
    names.extend(metadata.topics().iter().map(|topic| topic.name().to_owned()));
    names.retain(|name| is_one(name));
    names
}

async fn create_topic(name: &str) {
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let admin = kafka::admin(&KafkaConfig::from_env().unwrap()).unwrap();
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

/// The id of a process that has ended.
fn dead_process() -> u32 {
    let mut process = Command::new("true").spawn().unwrap();
    process.wait().unwrap();
    process.id()
}

// One test, because what killed processes have left is removed before the first world of a process.
#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_removed_after_its_test_or_by_the_next_process() {
    let process = dead_process();
    let killed = format!("test_{process}_0190a0c48f6e7c3a9d2b5e1f00c0ffee");
    let url: SecretString = tests::variable("POSTGRES_URL").into();
    let owner = connect_once(&PostgresConfig::new(url), None).await.unwrap();
    owner.batch_execute(&format!("CREATE DATABASE {killed}")).await.unwrap();
    queues::create(&killed, "provision").await;
    create_topic(&format!("{killed}-events")).await;
    assert_eq!(existing(&owner, &[&killed]).await.len(), 3);

    let world = World::new().await;

    until("the leftovers are removed", Duration::from_secs(30), async || existing(&owner, &[&killed]).await.is_empty())
        .await;
    let platform = world.client().await;
    let tenant = TestTenant::new(&world, &platform, None).await;
    mongo().await.database(&tenant.database).collection("contacts").insert_one(doc! { "_id": 1 }).await.unwrap();
    let shut = TestTenant::of(TenantId::generate());
    shut.register(&platform, TENANT_SCHEMA_VERSION, None).await;
    let user = doc! { "createUser": &shut.database, "pwd": "secret", "roles": [] };
    mongo().await.database("admin").run_command(user).await.unwrap();
    let (bucket, id) = (Bucket::connect(&S3Config::from_env().unwrap()).unwrap(), tenant.id.to_string());
    for key in [format!("tenants/{id}/a.txt"), format!("exports/{id}/b/c.gz")] {
        bucket.client().await.put_object().bucket(&bucket.name).key(key).send().await.unwrap();
    }
    create_topic(&world.topic().topic).await;
    let name = world.database.clone();
    let names = [name.as_str(), tenant.database.as_str(), id.as_str(), shut.database.as_str()];
    // The platform database, two queues, the topic, two databases of the tenant, an object, a file of an export, and the user of a tenant
    // without databases.
    assert_eq!(existing(&owner, &names).await.len(), 9);

    // The last world of a process waits until it is removed. Kafka deletes a topic a little later than it says.
    drop(world);
    let mut left = existing(&owner, &names).await;
    left.retain(|name| !name.starts_with(&format!("{}-", names[0])));
    assert_eq!(left, [] as [String; 0]);
    until("the topic is removed", Duration::from_secs(30), async || existing(&owner, &names).await.is_empty()).await;
}
