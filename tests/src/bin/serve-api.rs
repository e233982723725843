//! Serves the API of a test's platform database, in a process that the test can kill.
//!
//! The arguments are the fields of the test's `World`. It prints `serving URL`, and ends when its standard input ends, which
//! happens when the test ends.

use tests::{Api, World};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, provision_queue_url, relay_queue_url] = arguments
        .try_into()
        .unwrap_or_else(|_| panic!("usage: serve-api DATABASE PROVISION_QUEUE_URL RELAY_QUEUE_URL"));
    let api = Api::of(&World { database, provision_queue_url, relay_queue_url }).await;
    println!("serving {}", api.base);
    let until_input_ends = || std::io::stdin().lines().for_each(drop);
    let _ = tokio::task::spawn_blocking(until_input_ends).await;
}
