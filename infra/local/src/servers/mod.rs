//! The servers of the stack, and the list of all of them.

use crate::stack::LocalStack;

pub(crate) mod elasticmq;
pub(crate) mod kafka;
mod kafka_requests;
pub(crate) mod lifecycle;
pub(crate) mod minio;
pub(crate) mod mongo;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod server;

use server::LocalServer;

/// All servers, in the order in which they are started: the slowest first.
pub(crate) const ALL: [&dyn LocalServer; 6] = [
    &kafka::KafkaServer,
    &postgres::PostgresServer,
    &mongo::MongoServer,
    &elasticmq::ElasticMqServer,
    &minio::MinioServer,
    &redis::RedisServer,
];

pub(crate) fn find(name: &str) -> Option<&'static dyn LocalServer> {
    ALL.into_iter().find(|server| server.name() == name)
}

/// The servers of this stack, without those that the developer runs.
pub(crate) fn local(stack: &LocalStack) -> impl Iterator<Item = &'static dyn LocalServer> {
    ALL.into_iter().filter(|server| stack.external.get(server.variable()).is_none())
}
