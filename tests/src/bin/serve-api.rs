//! Serves the API of a test's platform database, in a process that the test can kill.
//!
//! The arguments are the fields of the test's `World`. It prints `serving URL`, and ends when its standard input ends, which
//! happens when the test ends.

use tests::{Api, World, process::until_test_ends};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, provision_queue_url, relay_queue_url] = arguments
        .try_into()
        .unwrap_or_else(|_| panic!("usage: serve-api DATABASE PROVISION_QUEUE_URL RELAY_QUEUE_URL"));
    let world = World::of_another_process(database, provision_queue_url, relay_queue_url);
    let api = Api::of(&world).await;
    println!("serving {}", api.base);
    until_test_ends().await;
}
